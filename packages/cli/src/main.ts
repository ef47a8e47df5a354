import { inspect } from 'node:util';
import { UnitscopeError } from '@unitscope/tensor';
import { Command, CommanderError } from 'commander';
import { addAscendCommand } from './commands/ascend.js';
import { addAttackCommand } from './commands/attack.js';
import { addCheckCommand } from './commands/check.js';
import { addCompileCommand } from './commands/compile.js';
import { addDataCommand } from './commands/data-part-world.js';
import { addDissectCommand } from './commands/dissect.js';
import { addEvaluateCommand } from './commands/evaluate.js';
import { addExplainCommand } from './commands/explain.js';
import { addExplanatoryGraphCommand } from './commands/explanatory-graph.js';
import { addLayersCommand } from './commands/layers.js';
import { addMakeInterpretableCommand } from './commands/make-interpretable.js';
import { addMergeCommand } from './commands/merge.js';
import { addProjectCommand } from './commands/project.js';
import { addSelftestCommand } from './commands/selftest.js';
import { addStabilityCommand } from './commands/stability.js';
import { addTrainCommand } from './commands/train.js';
import { addTreeCommand } from './commands/tree.js';
import type { Streams } from './streams.js';
import { version } from './version.js';

/** Exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted. */
export type ExitCode = 0 | 1 | 2 | 130;

const INTERRUPTED = 130;

const COMMANDS = [
  addLayersCommand,
  addExplainCommand,
  addAscendCommand,
  addProjectCommand,
  addAttackCommand,
  addCheckCommand,
  addCompileCommand,
  addDissectCommand,
  addMergeCommand,
  addStabilityCommand,
  addEvaluateCommand,
  addExplanatoryGraphCommand,
  addMakeInterpretableCommand,
  addTrainCommand,
  addSelftestCommand,
  addDataCommand,
  addTreeCommand,
];

/**
 * Runs the command `unitscope` with the given arguments.
 *
 * @param signal ends the work; nothing half-written stays behind
 * @returns the exit code; errors are printed as one line on the error stream, never thrown. The environment variable
 *   `UNITSCOPE_DEBUG=1` adds where they come from.
 */
export async function runCommandLine(
  args: readonly string[],
  streams: Streams = { out: process.stdout, err: process.stderr },
  signal: AbortSignal = new AbortController().signal,
): Promise<ExitCode> {
  const program = new Command('unitscope')
    .description('Opens the black box of a convolutional network that arrives as an ONNX file.')
    .version(version)
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureOutput({
      writeOut: (text) => streams.out.write(text),
      writeErr: (text) => streams.err.write(text),
      outputError: (text, write) =>
        write(`unitscope: ${text.replace(/^error: /, '').replace(/\n(?=.)/g, ' ')}`),
    })
    .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted.');
  try {
    for (const add of COMMANDS) add(program, { streams, signal });
    await program.parseAsync([...args], { from: 'user' });
    return 0;
  } catch (error) {
    // Commander has printed its line, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const interrupted = error instanceof UnitscopeError && error.code === 'aborted';
    streams.err.write(`unitscope: ${interrupted ? 'interrupted' : lineOf(error)}\n`);
    const { UNITSCOPE_DEBUG: debug = '' } = process.env;
    if (debug !== '') streams.err.write(`${inspect(error)}\n`);
    if (interrupted) return INTERRUPTED;
    return error instanceof UnitscopeError && error.code === 'wrong-use' ? 2 : 1;
  }
}

function lineOf(error: unknown): string {
  if (error instanceof UnitscopeError) return error.message;
  const reason = (error instanceof Error ? error.message : String(error))
    .replace(/\s*[\r\n]+\s*/g, ' ')
    .trim();
  return `internal error: ${reason}; UNITSCOPE_DEBUG=1 shows where`;
}
