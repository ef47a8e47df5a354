import { createReadStream } from 'node:fs';
import { reasonOf, UnitscopeError } from '@unitscope/tensor';

/** What is found in a JSON file: an element of one of its lists. */
export interface JsonElement {
  /** The member of the file's object that the list is. */
  readonly list: string;
  /** Its place in the list. */
  readonly index: number;
  readonly value: unknown;
  /** The bytes it lies in: from `start` to before `end`. */
  readonly start: number;
  readonly end: number;
}

const DEFAULT_CHUNK_BYTES = 2 ** 20;

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;

/**
 * Reads a JSON file whose object holds lists too long to be held at once: every element of the members `lists` is parsed
 * by itself and handed out in the order of the file. Other members are parsed and dropped, so that what `JSON.parse`
 * refuses is refused here.
 *
 * @param what what to call the file in an error
 * @param options `onBytes` sees all bytes of the file in order
 * @returns the lists that there were
 * @throws `not-found`, and `bad-file` for what is no JSON, no object, or holds a list twice
 */
export async function readJsonLists(
  path: string,
  lists: readonly string[],
  what: string,
  options: {
    readonly onElement: (element: JsonElement) => void;
    readonly onBytes?: (bytes: Uint8Array) => void;
    /** How much is read at a time; 1 MiB by default. */
    readonly chunkBytes?: number;
  },
): Promise<ReadonlySet<string>> {
  const bad = (why: string) => new UnitscopeError('bad-file', `${what} ${path} ${why}`, { subject: path });
  const scanner = new ListScanner(lists, bad, options.onElement);
  const { chunkBytes: highWaterMark = DEFAULT_CHUNK_BYTES } = options;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark })) {
      if (!(chunk instanceof Uint8Array)) continue;
      options.onBytes?.(chunk);
      scanner.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof UnitscopeError) throw cause;
    throw new UnitscopeError('not-found', `cannot read ${what} ${path}: ${reasonOf(cause)}`, {
      subject: path,
      cause,
    });
  }
  return scanner.finish();
}

type State = 'start' | 'key' | 'value' | 'element' | 'after-list' | 'end';

/**
 * Finds where the parts of the file begin and end, by brackets and quotes alone; what lies between is left to
 * `JSON.parse`, which notices everything else.
 */
class ListScanner {
  readonly #lists: readonly string[];
  readonly #bad: (why: string) => UnitscopeError;
  readonly #onElement: (element: JsonElement) => void;
  readonly #found = new Set<string>();
  #state: State = 'start';
  /** Brackets that are open within the part. */
  #depth = 0;
  #inString = false;
  #isEscaped = false;
  /** The part that is being read, as far as earlier chunks held it, and where it began in the file. */
  #earlier: Uint8Array[] = [];
  #start = 0;
  #offset = 0;
  #list = '';
  #hasMembers = false;
  #index = 0;

  constructor(
    lists: readonly string[],
    bad: (why: string) => UnitscopeError,
    onElement: (element: JsonElement) => void,
  ) {
    this.#lists = lists;
    this.#bad = bad;
    this.#onElement = onElement;
  }

  push(chunk: Uint8Array): void {
    /** Where the part that is being read goes on in this chunk. */
    let from = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!;
      if (this.#inString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === BACKSLASH) this.#isEscaped = true;
        else if (byte === QUOTE) this.#inString = false;
        continue;
      }
      if (byte === QUOTE) this.#inString = true;
      else if (this.#depth > 0) {
        if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#depth++;
        else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) this.#depth--;
      } else if (this.#opensPart(byte) || this.#endsPart(byte)) {
        const part = this.#partOf(chunk, from, i);
        this.#take(part, byte);
        from = i + 1;
        this.#start = this.#offset + from;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#depth++;
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) throw this.#notJson('unexpected bracket');
    }
    if (from < chunk.length) this.#earlier.push(chunk.slice(from));
    this.#offset += chunk.length;
  }

  /** Throws unless the file ended where its object did. */
  finish(): ReadonlySet<string> {
    const rest = Buffer.concat(this.#earlier).toString().trim();
    // A whole value that is no object.
    if (this.#state === 'start' && rest !== '') {
      this.#parse(rest);
      throw this.#bad('is wrong (it must be an object)');
    }
    if (this.#state !== 'end' || rest !== '') throw this.#notJson('unexpected end');
    return this.#found;
  }

  /** Whether the byte opens the object, or the list that the next parts are elements of. */
  #opensPart(byte: number): boolean {
    if (this.#state === 'start') return byte === OPEN_BRACE;
    return this.#state === 'value' && byte === OPEN_BRACKET && this.#lists.includes(this.#list);
  }

  #endsPart(byte: number): boolean {
    switch (this.#state) {
      case 'key':
        return byte === COLON || byte === CLOSE_BRACE;
      case 'value':
      case 'after-list':
        return byte === COMMA || byte === CLOSE_BRACE;
      case 'element':
        return byte === COMMA || byte === CLOSE_BRACKET;
      default:
        return false;
    }
  }

  #partOf(chunk: Uint8Array, from: number, end: number): string {
    const last = Buffer.from(chunk.buffer, chunk.byteOffset + from, end - from);
    if (this.#earlier.length === 0) return last.toString();
    const whole = Buffer.concat([...this.#earlier, last]).toString();
    this.#earlier = [];
    return whole;
  }

  /** Takes the part that ended with `byte`. */
  #take(part: string, byte: number): void {
    switch (this.#state) {
      case 'start':
        if (part.trim() !== '') throw this.#notJson('unexpected text before the object');
        this.#state = 'key';
        return;
      case 'key':
        this.#takeKey(part, byte);
        return;
      case 'value':
        this.#takeValue(part, byte);
        return;
      case 'element':
        this.#takeElement(part, byte);
        return;
      default:
        if (part.trim() !== '') throw this.#notJson('unexpected text behind a list');
        this.#endMember(byte);
    }
  }

  #takeKey(part: string, byte: number): void {
    if (byte === CLOSE_BRACE) {
      // Only an object without members ends here.
      if (part.trim() !== '' || this.#hasMembers) throw this.#notJson('a member has no value');
      this.#state = 'end';
      return;
    }
    const key = this.#parse(part);
    if (typeof key !== 'string') throw this.#notJson('a member has no name');
    this.#list = key;
    this.#hasMembers = true;
    this.#state = 'value';
  }

  #takeValue(part: string, byte: number): void {
    if (byte !== OPEN_BRACKET) {
      this.#parse(part);
      if (this.#lists.includes(this.#list)) throw this.#bad(`holds ${this.#list} that is not a list`);
      this.#endMember(byte);
      return;
    }
    if (part.trim() !== '') throw this.#notJson('unexpected text before a list');
    if (this.#found.has(this.#list)) throw this.#bad(`holds ${this.#list} twice`);
    this.#found.add(this.#list);
    this.#index = 0;
    this.#state = 'element';
  }

  #takeElement(part: string, byte: number): void {
    const isEnd = byte === CLOSE_BRACKET;
    if (!(isEnd && this.#index === 0 && part.trim() === '')) {
      const end = this.#start + Buffer.byteLength(part);
      const value = this.#parse(part);
      this.#onElement({ list: this.#list, index: this.#index++, value, start: this.#start, end });
    }
    if (isEnd) this.#state = 'after-list';
  }

  #endMember(byte: number): void {
    this.#state = byte === COMMA ? 'key' : 'end';
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw this.#notJson(reasonOf(cause));
    }
  }

  #notJson(why: string): UnitscopeError {
    return this.#bad(`is not JSON: ${why}`);
  }
}
