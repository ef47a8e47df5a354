import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { LineProcess, numberIn } from './line-process.js';

const PROGRAM = fileURLToPath(new URL('../../native/build/bench/peak', import.meta.url));

// Beyond every cache a larger working set is copied no slower, only longer.
const MOST_BYTES = 2 ** 28;

/** What this machine can do at best, measured by a native program in turn with what is compared to it. */
export class Peak {
  readonly #process: LineProcess;

  constructor() {
    if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing; build it by npm run setup`);
    this.#process = new LineProcess('the peak program', PROGRAM, []);
  }

  /** Milliseconds of moving `bytes` by a copy, those read and those written both counted. */
  async copy(bytes: number, threads: number): Promise<number> {
    return this.#move('copy', bytes, threads);
  }

  /** Milliseconds of reading `bytes` once. */
  async read(bytes: number, threads: number): Promise<number> {
    return this.#move('read', bytes, threads);
  }

  /** GFLOP/s of multiplications and additions in registers, in float32 or float64. */
  async arithmetic(bits: 32 | 64, threads: number): Promise<number> {
    return numberIn(await this.#process.ask(`fma${bits} ${threads}`), 'gflops');
  }

  close(): void {
    this.#process.close();
  }

  async #move(what: 'copy' | 'read', bytes: number, threads: number): Promise<number> {
    const moved = Math.min(Math.max(Math.round(bytes), 1), MOST_BYTES);
    const ms = numberIn(await this.#process.ask(`${what} ${moved} ${threads}`), 'ms');
    return (ms * bytes) / moved;
  }
}
