import { reasonOf } from '@unitscope/tensor';
import { runCommandLine } from './main.js';

/**
 * Runs the command as a process of its own: results to standard output, everything else to standard error, the exit
 * code to the process. The first Ctrl-C ends the work in an orderly way, a second one ends the process.
 */
export async function runProcess(args: readonly string[]): Promise<void> {
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort());
  let unwritten: Error | undefined;
  // Whoever reads may stop, as `head` does: what follows is written to nobody, which is no failure.
  const onError = (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') unwritten = error;
  };
  process.stdout.on('error', onError);
  process.stderr.on('error', onError);
  process.exitCode = await runCommandLine(args, undefined, interrupt.signal);
  // Standard output reports a failure only after the write.
  await new Promise<void>((done) => process.stdout.write('', () => done()));
  if (unwritten === undefined) return;
  process.stderr.write(`unitscope: cannot write the output: ${reasonOf(unwritten)}\n`);
  process.exitCode = 1;
}
