import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** A program that reads one command per line and answers each with one line of JSON. */
export class LineProcess {
  readonly #name: string;
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor(name: string, program: string, args: readonly string[], env = process.env) {
    this.#name = name;
    this.#process = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], env });
    // A program that has ended is noticed at its missing answer; writing to it must not end this process first.
    this.#process.stdin.on('error', () => {});
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** Throws where the program has ended, or answers that it failed. */
  async ask(command: string): Promise<object> {
    this.#process.stdin.write(`${command}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error(`${this.#name} ended without an answer to ${command}`);
    const answer: unknown = JSON.parse(line.value);
    if (typeof answer !== 'object' || answer === null)
      throw new Error(`${this.#name} answered ${line.value}`);
    if ('error' in answer) throw new Error(`${this.#name}: ${String(answer.error)}`);
    return answer;
  }

  close(): void {
    this.#process.stdin.end();
  }
}

/** A number of an answer. */
export function numberIn(answer: object, key: string): number {
  const value = new Map<string, unknown>(Object.entries(answer)).get(key);
  if (typeof value !== 'number') throw new Error(`no number "${key}" in ${JSON.stringify(answer)}`);
  return value;
}
