import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** Interpreters to look for torch in: the one asked for, the one on the path, Debian's. */
const INTERPRETERS = [process.env['UNITSCOPE_PYTHON'], 'python3', '/usr/bin/python3'].filter(
  (path) => path !== undefined,
);

interface Answer {
  readonly methods?: readonly string[];
  readonly torch?: string;
  readonly captum?: string | null;
  readonly ms?: number;
}

/** A Python process that times torch's and Captum's versions of what we do, one command at a time. */
export class Peer {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  private constructor(python: string, threads: number) {
    // Freed memory stays with the process, so that torch is not timed with page faults: malloc's own knobs.
    const env = {
      ...process.env,
      MALLOC_TRIM_THRESHOLD_: '-1',
      MALLOC_MMAP_THRESHOLD_: '4294967296',
      OMP_WAIT_POLICY: 'PASSIVE',
    };
    const script = fileURLToPath(new URL('../peers/torch_explain.py', import.meta.url));
    this.#process = spawn(python, [script, String(threads)], { stdio: ['pipe', 'pipe', 'inherit'], env });
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** The peer, if some python3 of this machine can import torch. */
  static find(threads: number): Peer | undefined {
    for (const python of INTERPRETERS) {
      try {
        execFileSync(python, ['-c', 'import torch'], { stdio: 'ignore' });
        return new Peer(python, threads);
      } catch {
        // The next one may have it.
      }
    }
    return undefined;
  }

  async prepare(net: string, batch: number): Promise<Answer> {
    return this.#ask({ net, batch });
  }

  async run(method: string): Promise<number> {
    const { ms } = await this.#ask({ run: method });
    if (ms === undefined) throw new Error(`the torch peer did not time ${method}`);
    return ms;
  }

  close(): void {
    this.#process.stdin.end();
  }

  async #ask(command: object): Promise<Answer> {
    this.#process.stdin.write(`${JSON.stringify(command)}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error('the torch peer ended');
    return JSON.parse(line.value);
  }
}
