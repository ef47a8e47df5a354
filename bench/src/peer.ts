import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { LineProcess, numberIn } from './line-process.js';

/** Interpreters to look for torch in: the one asked for, the one on the path, Debian's. */
const INTERPRETERS = [process.env['UNITSCOPE_PYTHON'], 'python3', '/usr/bin/python3'].filter(
  (path) => path !== undefined,
);

export const NO_PEER =
  'no python3 with torch found (apt-get install python3-torch, or name one in UNITSCOPE_PYTHON)';

/** A Python process that times torch's versions of what we do, one command at a time. */
export class Peer {
  readonly #process: LineProcess;

  private constructor(python: string, script: string) {
    // Freed memory stays with the process, so that torch is not timed with page faults: malloc's own knobs.
    const env = {
      ...process.env,
      MALLOC_TRIM_THRESHOLD_: '-1',
      MALLOC_MMAP_THRESHOLD_: '4294967296',
      OMP_WAIT_POLICY: 'PASSIVE',
    };
    const path = fileURLToPath(new URL(`../peers/${script}.py`, import.meta.url));
    this.#process = new LineProcess('the torch peer', python, [path], env);
  }

  /** The peer of this name in `peers/`, if some python3 of this machine can import torch. */
  static find(script: string): Peer | undefined {
    for (const python of INTERPRETERS) {
      try {
        execFileSync(python, ['-c', 'import torch'], { stdio: 'ignore' });
        return new Peer(python, script);
      } catch {
        // The next one may have it.
      }
    }
    return undefined;
  }

  /** Makes something ready to be run; the answer says at least which runs there are. */
  async prepare(command: object): Promise<object> {
    return this.#process.ask(JSON.stringify(command));
  }

  /** Milliseconds of one run, on so many threads. */
  async run(name: string, threads: number): Promise<number> {
    return numberIn(await this.#process.ask(JSON.stringify({ run: name, threads })), 'ms');
  }

  close(): void {
    this.#process.close();
  }
}
