import { UnitscopeError } from '@unitscope/tensor';
import { Command, CommanderError } from 'commander';
import { addExplainCommand } from './commands/explain.js';
import { addLayersCommand } from './commands/layers.js';
import type { Streams } from './streams.js';
import { version } from './version.js';

/** Exit codes: 0 done, 1 failed, 2 wrong use. */
export type ExitCode = 0 | 1 | 2;

/**
 * Runs the command `unitscope` with the given arguments.
 *
 * @returns the exit code; errors are printed as one line on the error stream, never thrown
 */
export async function runCommandLine(
  args: readonly string[],
  streams: Streams = { out: process.stdout, err: process.stderr },
): Promise<ExitCode> {
  const program = new Command('unitscope')
    .description('Opens the black box of a convolutional network that arrives as an ONNX file.')
    .version(version)
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureOutput({
      writeOut: (text) => streams.out.write(text),
      writeErr: (text) => streams.err.write(text),
      outputError: (text, write) => write(`unitscope: ${text.replace(/^error: /, '').replace(/\n(?=.)/g, ' ')}`),
    });
  const interrupt = new AbortController();
  const onInterrupt = () => interrupt.abort('interrupted');
  process.once('SIGINT', onInterrupt);
  try {
    for (const add of [addLayersCommand, addExplainCommand]) {
      add(program, { streams, signal: interrupt.signal });
    }
    await program.parseAsync([...args], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof UnitscopeError) {
      streams.err.write(`unitscope: ${error.message}\n`);
      return error.code === 'wrong-use' ? 2 : 1;
    }
    streams.err.write(`unitscope: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return 1;
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}
