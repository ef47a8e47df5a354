import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runCommandLine } from '../../src/index.js';

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command in this process and catches what it prints. */
export async function unitscope(args: readonly string[], signal?: AbortSignal): Promise<Outcome> {
  const written = { out: '', err: '' };
  const code = await runCommandLine(
    args,
    {
      out: { write: (text) => (written.out += text) },
      err: { write: (text) => (written.err += text) },
    },
    signal,
  );
  return { code, ...written };
}

/** The record a run with `--json` prints; fails the test with the error line where there is none. */
export async function recordOf(args: readonly string[]) {
  const { code, out, err } = await unitscope([...args, '--json']);
  if (code !== 0) throw new Error(`exit code ${code}: ${err}`);
  return JSON.parse(out);
}

const SHARED = new URL('../../../../../shared/', import.meta.url);

/** Where a file of the shared test data is, or undefined, with a line that says so, where there is none. */
export function sharedFile(path: string): string | undefined {
  const file = fileURLToPath(new URL(path, SHARED));
  if (existsSync(file)) return file;
  console.warn(`skipped: ../shared/${path} is missing`);
  return undefined;
}
