import { readNpz, type Tensor, type TensorData, UnitscopeError, writeNpz } from '@unitscope/tensor';

/** Plain data with arrays in it: what a `Stat` is saved as. */
export type StateValue =
  | null
  | boolean
  | number
  | string
  | TensorData
  | readonly StateValue[]
  | { readonly [key: string]: StateValue };

const ARRAY = '$array';
const JSON_ENTRY = 'state';

/** A state as the bytes of an `.npz` file: its arrays, and a JSON text that says where they belong. */
export function encodeState(state: StateValue): Uint8Array {
  const arrays = new Map<string, Tensor<TensorData>>();
  const plain = (value: StateValue): unknown => {
    if (ArrayBuffer.isView(value)) {
      const name = `array${arrays.size}`;
      arrays.set(name, { dims: [value.length], data: value });
      return { [ARRAY]: name };
    }
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
    return value;
  };
  const text = new TextEncoder().encode(JSON.stringify(plain(state)));
  return writeNpz(arrays.set(JSON_ENTRY, { dims: [text.length], data: text }));
}

/**
 * Reads what `encodeState` wrote.
 *
 * @param name what to call the file in an error; throws `bad-file`
 */
export function decodeState(bytes: Uint8Array, name: string): StateReader {
  const arrays = readNpz(bytes, name);
  const text = arrays.get(JSON_ENTRY)?.data;
  if (!(text instanceof Uint8Array))
    throw new UnitscopeError('bad-file', `${name} is not a saved state; start again without it`, {
      subject: name,
    });
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(text));
  } catch (cause) {
    throw new UnitscopeError('bad-file', `${name} is a damaged state; start again without it`, {
      subject: name,
      cause,
    });
  }
  return new StateReader(value, new Map([...arrays].map(([key, { data }]) => [key, data])), name);
}

/** Looks into a decoded state; whatever is missing or of another type is a `bad-file` error that names it. */
export class StateReader {
  readonly #value: unknown;
  readonly #arrays: ReadonlyMap<string, TensorData>;
  /** The file and the fields that lead here, for errors. */
  readonly place: string;

  constructor(value: unknown, arrays: ReadonlyMap<string, TensorData>, place: string) {
    this.#value = value;
    this.#arrays = arrays;
    this.place = place;
  }

  get(key: string): StateReader {
    return new StateReader(fieldOf(this.#value, key), this.#arrays, `${this.place}: ${key}`);
  }

  get isNull(): boolean {
    return this.#value === null;
  }

  number(): number {
    const value = this.#value;
    if (typeof value !== 'number') throw this.bad('is not a number');
    return value;
  }

  count(): number {
    const value = this.number();
    if (!Number.isSafeInteger(value) || value < 0) throw this.bad('is not a count');
    return value;
  }

  boolean(): boolean {
    const value = this.#value;
    if (typeof value !== 'boolean') throw this.bad('is neither true nor false');
    return value;
  }

  string(): string {
    const value = this.#value;
    if (typeof value !== 'string') throw this.bad('is not a text');
    return value;
  }

  /** The text, which must be one of `legal`. */
  oneOf<T extends string>(legal: readonly T[]): T {
    const value = this.string();
    const found = legal.find((candidate) => candidate === value);
    if (found === undefined) throw this.bad(`is "${value}", not one of ${legal.join(', ')}`);
    return found;
  }

  list(): StateReader[] {
    const value = this.#value;
    if (!Array.isArray(value)) throw this.bad('is not a list');
    return value.map((item, i) => new StateReader(item, this.#arrays, `${this.place}[${i}]`));
  }

  /** An array of the type of `like`, of `length` elements where that is given. */
  array<D extends TensorData>(like: new (length: number) => D, length?: number): D {
    const name = fieldOf(this.#value, ARRAY);
    const data = typeof name === 'string' ? this.#arrays.get(name) : undefined;
    if (!(data instanceof like)) throw this.bad(`is not a ${like.name}`);
    if (length !== undefined && data.length !== length)
      throw this.bad(`has ${data.length} elements instead of ${length}`);
    return data;
  }

  bad(why: string): UnitscopeError {
    return new UnitscopeError('bad-file', `${this.place} ${why}; start again without the saved state`, {
      subject: this.place,
    });
  }
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.entries(value).find(([name]) => name === key)?.[1]
    : undefined;
}
