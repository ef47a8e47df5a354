import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { numberIn } from '../line-process.js';

const COMMAND = fileURLToPath(new URL('../../../packages/cli/bin/unitscope.js', import.meta.url));
const REPORT = new URL('./report-peak.js', import.meta.url).href;

/** What a whole run of the command took, from its start to its end. */
export interface CommandRun {
  readonly seconds: number;
  /** Peak of resident memory, in MB. */
  readonly peak: number;
  /** What it printed with `--json`. */
  readonly record: object;
}

/** Runs `unitscope` with `--json` in a process of its own. Throws where it fails; its errors go to standard error. */
export async function runCommand(args: readonly string[]): Promise<CommandRun> {
  const start = performance.now();
  const child = spawn(process.execPath, ['--import', REPORT, COMMAND, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
  });
  const [, out, , usage] = child.stdio;
  if (out === null || usage === undefined || usage === null || !('readable' in usage))
    throw new Error('the command has no pipes');
  const [printed, reported] = await Promise.all([text(out), text(usage), once(child, 'close')]);
  const seconds = (performance.now() - start) / 1000;
  if (child.exitCode !== 0) throw new Error(`unitscope ${args[0]} ended with ${child.exitCode}`);
  return { seconds, peak: numberIn(parse(reported), 'peak') / 1e6, record: parse(printed) };
}

function parse(json: string): object {
  const value: unknown = JSON.parse(json);
  if (typeof value !== 'object' || value === null) throw new Error(`${json} is no record`);
  return value;
}
