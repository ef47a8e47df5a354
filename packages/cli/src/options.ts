import { PREPROCESSING_NAMES } from '@unitscope/data';
import { engineNames, loweringNames } from '@unitscope/model';
import { UnitscopeError, unknownName } from '@unitscope/tensor';
import type { UnitOfLayer } from '@unitscope/visualization';
import { type Command, InvalidArgumentError, Option } from 'commander';

/** Options every command that runs a network has. */
export interface RunOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly engine: string;
  /** Of the commands that explain only. */
  readonly lowering?: string;
  readonly threads?: number;
  readonly batchSize?: number;
  readonly size?: readonly [height: number, width: number];
}

export function addRunOptions(command: Command): Command {
  return command
    .option('--json', 'print one JSON record instead of text')
    .option('--quiet', 'print results only')
    .addOption(
      new Option('--engine <name>', 'what runs the network').choices([...engineNames]).default('auto'),
    )
    .option('--threads <n>', 'threads of one run (as many as the machine has by default)', parseThreads)
    .option('--batch-size <n>', 'pictures in one run (as measured best by default)', positiveInteger)
    .option('--size <h,w>', 'input size, where the network leaves it open', parseSize);
}

/** For commands that run backward passes. */
export function addLoweringOption(command: Command): Command {
  return command.addOption(
    new Option('--lowering <name>', 'what backward passes are made of, see docs/architecture.md')
      .choices([...loweringNames])
      .default('auto'),
  );
}

/** How pictures become the network's input. */
export function preprocessOption(preset = 'imagenet'): Option {
  const choices = `${PREPROCESSING_NAMES.join(', ')} or FILE.json`;
  return new Option('--preprocess <preset>', `how pictures become input: ${choices}`).default(preset);
}

/** @param what cannot be used */
export function onErrorOption(what = 'a picture'): Option {
  return new Option('--on-error <what>', `what ${what} that cannot be used does`)
    .choices(['stop', 'skip'])
    .default('stop');
}

/** A parser of positive integers for commander. */
export function positiveInteger(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new InvalidArgumentError('It must be a positive integer.');
  return number;
}

// The engine starts every thread it is asked for: a slip of the keyboard must not start a hundred thousand.
const MOST_THREADS = 1024;

/** A parser of thread counts for commander. */
export function parseThreads(text: string): number {
  const threads = positiveInteger(text);
  if (threads > MOST_THREADS) throw new InvalidArgumentError(`It must be at most ${MOST_THREADS}.`);
  return threads;
}

export function parseSize(text: string): readonly [number, number] {
  const match = /^(\d+)(?:[,x](\d+))?$/.exec(text);
  const [height, width] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (match === null || height < 1 || width < 1)
    throw new InvalidArgumentError('It must be H,W, such as 224,224.');
  return [height, width];
}

/** A unit of a layer that is named apart. */
export type Unit = Required<Omit<UnitOfLayer, 'layer'>>;

/** `3`, `3,10,12` or `3,mean`: a channel where it is strongest (also `3,max`), at a position, or the mean of its map. */
export function parseUnit(text: string): Unit {
  const match = /^(\d+)(?:,(?:(\d+),(\d+)|(mean|max)))?$/.exec(text);
  if (match === null) throw new InvalidArgumentError('It must be C, C,Y,X or C,mean, counted from 0.');
  const channel = Number(match[1]);
  if (match[2] !== undefined) return { channel, position: [Number(match[2]), Number(match[3])] };
  return { channel, position: match[4] === 'mean' ? 'mean' : 'max' };
}

/**
 * The index of a class given by number, `top1`, or name. Throws `wrong-use` for a name where no names are known or where
 * several classes have it, `not-found` for one that no class has.
 */
export function parseTarget(text: string, classNames: readonly string[] | undefined): number | 'top1' {
  if (text === 'top1') return 'top1';
  if (/^\d+$/.test(text)) return Number(text);
  if (classNames === undefined) {
    throw new UnitscopeError(
      'wrong-use',
      `--target "${text}" is neither top1 nor a number; to name classes, give their names by --classes FILE`,
      { subject: text },
    );
  }
  const wanted = text.toLowerCase();
  const found = [...classNames.keys()].filter((index) => classNames[index]!.toLowerCase() === wanted);
  const [index] = found;
  if (index === undefined) throw unknownName('class', text, classNames);
  if (found.length === 1) return index;
  throw new UnitscopeError(
    'wrong-use',
    `the classes ${found.join(', ')} are all called "${classNames[index]}"; give the number of one`,
    { subject: text, alternatives: found.map(String) },
  );
}

/** A number above 0 and below 1. */
export function parseFraction(text: string): number {
  const number = Number(text);
  if (!(number > 0 && number < 1)) throw new InvalidArgumentError('It must be above 0 and below 1.');
  return number;
}

/** Gigabytes (10^9 bytes), 0 or more. */
export function parseGigabytes(text: string): number {
  const number = Number(text);
  if (text.trim() === '' || !Number.isFinite(number) || number < 0)
    throw new InvalidArgumentError('It must be a number of gigabytes, 0 or more.');
  return number;
}

/** `2/7`: the second of seven parts. */
export function parseShard(text: string): { readonly index: number; readonly of: number } {
  const match = /^(\d+)\/(\d+)$/.exec(text);
  const [index, of] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || index < 1 || index > of || !Number.isSafeInteger(of))
    throw new InvalidArgumentError('It must be I/N, such as 2/7, counted from 1.');
  return { index, of };
}

/** `163,16,-33`: size, stride and offset of a receptive field, in pixels. */
export function parseField(text: string): readonly [number, number, number] {
  const [size = Number.NaN, stride = Number.NaN, offset = Number.NaN, ...rest] = text.split(',').map(Number);
  if (rest.length > 0 || ![size, stride, offset].every(Number.isInteger) || size < 1 || stride < 1)
    throw new InvalidArgumentError('It must be SIZE,STRIDE,OFFSET in pixels, such as 163,16,-33.');
  return [size, stride, offset];
}

// What the generator of random numbers tells apart.
const LARGEST_SEED = 2 ** 32 - 1;

/** A parser of seeds for commander. */
export function parseSeed(text: string): number {
  const seed = Number(text);
  if (!/^\d+$/.test(text) || seed > LARGEST_SEED)
    throw new InvalidArgumentError(`It must be an integer from 0 to ${LARGEST_SEED}.`);
  return seed;
}
