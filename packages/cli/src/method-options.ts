import { black, type Preprocessing } from '@unitscope/data';
import { UnitscopeError } from '@unitscope/tensor';
import { type Method, type MethodOptions, methodNamed, methods } from '@unitscope/visualization';
import { type Command, InvalidArgumentError } from 'commander';
import { parseSize, positiveInteger } from './options.js';

/** What methods are made with, as the command line says it. */
export interface MethodFlags {
  readonly steps?: number;
  readonly samples?: number;
  readonly noise?: number;
  readonly seed?: number;
  readonly baseline?: number | 'black';
  readonly window?: readonly [number, number];
  readonly stride?: readonly [number, number];
  readonly epsilon?: number;
  readonly camLayer?: string;
}

const NOISY = ['smoothgrad', 'smoothgrad-squared', 'vargrad'];

/** The methods that read an option, by its name here. */
const READ_BY: Readonly<Record<keyof MethodFlags, readonly string[]>> = {
  steps: ['integrated-gradients'],
  samples: NOISY,
  noise: NOISY,
  seed: NOISY,
  baseline: ['integrated-gradients', 'occlusion'],
  window: ['occlusion'],
  stride: ['occlusion'],
  epsilon: ['lrp', 'lrp-epsilon'],
  camLayer: ['grad-cam', 'guided-grad-cam'],
};

const OPTIONS: Readonly<Record<keyof MethodFlags, readonly [string, string, (text: string) => unknown]>> = {
  steps: ['--steps <n>', 'integrated gradients: pictures from baseline to picture (50)', positiveInteger],
  baseline: [
    '--baseline <what>',
    'integrated gradients, occlusion: black, or a number in the units of the input (0)',
    parseBaseline,
  ],
  samples: ['--samples <n>', 'SmoothGrad and its kin: noisy copies (25)', positiveInteger],
  noise: [
    '--noise <part>',
    "SmoothGrad and its kin: deviation, as a part of the picture's range (0.15)",
    parseNoise,
  ],
  seed: ['--seed <n>', 'SmoothGrad and its kin: of the noise (0)', parseSeed],
  window: ['--window <h,w>', 'occlusion: what is covered (an eighth of the picture)', parseSize],
  stride: ['--stride <h,w>', 'occlusion: how far it moves (half the window)', parseSize],
  epsilon: [
    '--epsilon <e>',
    'LRP: what keeps divisions sound; more drops what nearly cancelled (1e-6)',
    parseEpsilon,
  ],
  camLayer: ['--cam-layer <name>', 'Grad-CAM: the layer whose maps are weighted (last-conv)', (text) => text],
};

/** @param without options that the command has no methods for */
export function addMethodOptions(command: Command, without: readonly (keyof MethodFlags)[] = []): Command {
  for (const [name, [flags, description, parse]] of Object.entries(OPTIONS)) {
    if (!without.some((absent) => absent === name)) command.option(flags, description, parse);
  }
  return command;
}

/**
 * The methods of a list of names by commas, or all of them, made with these flags.
 *
 * Throws `wrong-use` for a name that none has, and for a flag that none of the methods reads.
 */
export function methodsNamed(
  names: string,
  flags: MethodFlags = {},
  preprocessing?: Preprocessing,
): readonly Method[] {
  const chosen =
    names === 'all'
      ? methods.map(({ name }) => name)
      : [...new Set(names.split(',').map((name) => methodNamed(name.trim()).name))];
  const options = methodOptionsFor(chosen, flags, preprocessing);
  return chosen.map((name) => methodNamed(name, options));
}

/**
 * The flags as what methods are made with.
 *
 * Throws `wrong-use` for a flag that none of the methods reads.
 */
export function methodOptionsFor(
  chosen: readonly string[],
  flags: MethodFlags,
  preprocessing: Preprocessing | undefined,
): Omit<MethodOptions, 'baseline'> & { readonly baseline?: number | readonly number[] } {
  for (const [flag, readers] of Object.entries(READ_BY)) {
    if (!(flag in flags) || readers.some((name) => chosen.includes(name))) continue;
    const option = `--${flag.replace('L', '-l')}`;
    throw new UnitscopeError(
      'wrong-use',
      `${option} is about ${readers.join(', ')}; none of them was asked for`,
      {
        subject: option,
      },
    );
  }
  const { baseline, camLayer, ...rest } = flags;
  return {
    ...rest,
    ...(camLayer === undefined ? {} : { layer: camLayer }),
    ...(baseline === undefined
      ? {}
      : {
          baseline:
            baseline === 'black' && preprocessing !== undefined ? black(preprocessing) : Number(baseline),
        }),
  };
}

/** Those of the options that are flags of methods. */
export function methodFlagsIn(options: MethodFlags): MethodFlags {
  return Object.fromEntries(Object.entries(options).filter(([name]) => name in READ_BY));
}

function parseBaseline(text: string): number | 'black' {
  if (text === 'black') return text;
  const number = Number(text);
  if (text.trim() === '' || !Number.isFinite(number))
    throw new InvalidArgumentError('It must be black or a number.');
  return number;
}

function parseNoise(text: string): number {
  const noise = Number(text);
  if (text.trim() === '' || !Number.isFinite(noise) || noise < 0)
    throw new InvalidArgumentError('It must be a number of at least 0, such as 0.15.');
  return noise;
}

function parseEpsilon(text: string): number {
  const epsilon = Number(text);
  if (text.trim() === '' || !(Math.fround(epsilon) > 0 && Number.isFinite(epsilon)))
    throw new InvalidArgumentError('It must be a number above 0, such as 0.01.');
  return epsilon;
}

/** A parser of seeds for commander. */
export function parseSeed(text: string): number {
  const seed = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(seed) || seed < 0)
    throw new InvalidArgumentError('It must be a whole number of at least 0.');
  return seed;
}
