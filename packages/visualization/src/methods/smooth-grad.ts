import { Random, sizeOf, type Tensor, UnitscopeError, zeros } from '@unitscope/tensor';
import { requireCount } from './baseline.js';
import { passCopies } from './copies.js';
import { explainBy } from './explain.js';
import { gradientMethod } from './gradient.js';
import type { Method, OnePassMethod } from './method.js';

export interface NoiseOptions {
  /** Noisy copies of every picture; 25 by default. */
  readonly samples?: number;
  /** The noise's standard deviation, as a part of the picture's largest value minus its smallest; 0.15 by default. */
  readonly noise?: number;
  /** The same noise for the same seed; 0 by default. Every picture gets the same, so that a map does not depend on its batch. */
  readonly seed?: number;
  /** The method whose signals are taken; the gradient by default. */
  readonly base?: OnePassMethod;
  /** The noise itself instead, [samples, C, H, W] in the input's units. */
  readonly given?: Tensor;
}

/** What is made of the first and second moment of the signals over the noisy copies. */
type Statistic = (mean: number, meanOfSquares: number) => number;

function overNoise(
  name: string,
  summary: string,
  form: Method['form'],
  statistic: Statistic,
  options: NoiseOptions,
): Method {
  const { given, noise = 0.15, seed = 0, base = gradientMethod } = options;
  const samples = options.samples ?? given?.dims[0] ?? 25;
  requireCount('samples', samples);
  if (!Number.isFinite(noise) || noise < 0) {
    throw new UnitscopeError('wrong-use', `noise must be a number of at least 0, got ${noise}`, {
      subject: 'noise',
    });
  }
  const { composite } = base;
  return {
    name,
    summary,
    form,
    composite,
    parameters: { samples, base: base.name, ...(given === undefined ? { noise, seed } : { noise: 'given' }) },
    attribute: async (passes, batch) => {
      const [count = 0, ...rest] = batch.dims;
      const length = sizeOf(rest);
      if (given !== undefined) requireNoise(given, [samples, ...rest]);
      await passes.settle(batch);
      const deviations = Array.from(
        { length: count },
        (_, n) => noise * rangeOf(batch.data, n * length, length),
      );
      const random = new Random(seed);
      let drawn: { copy: number; values: Float32Array } = { copy: -1, values: new Float32Array(0) };
      const noiseOf = (copy: number): Float32Array => {
        if (given !== undefined) return given.data.subarray(copy * length, (copy + 1) * length);
        if (drawn.copy !== copy) drawn = { copy, values: random.normalTensor(rest).data };
        return drawn.values;
      };
      const write = (target: Float32Array, sample: number, copy: number) => {
        const values = noiseOf(copy);
        const deviation = given === undefined ? deviations[sample]! : 1;
        const at = sample * length;
        for (let i = 0; i < length; i++) target[i] = batch.data[at + i]! + deviation * values[i]!;
      };
      const sums = new Float64Array(batch.data.length);
      const squares = new Float64Array(batch.data.length);
      await passCopies(passes, batch, { composite }, { count: samples, write }, (signal, sample) => {
        const at = sample * length;
        for (let i = 0; i < length; i++) {
          const value = signal[i]!;
          sums[at + i]! += value;
          squares[at + i]! += value * value;
        }
      });
      const map = zeros(batch.dims);
      for (let i = 0; i < sums.length; i++)
        map.data[i] = statistic(sums[i]! / samples, squares[i]! / samples);
      return { map };
    },
  };
}

/** The mean of dS/dx over noisy copies, [N, C, H, W] (Smilkov, Thorat, Kim, Viégas, Wattenberg 2017). */
export function smoothGradMethod(options: NoiseOptions = {}): Method {
  return overNoise(
    'smoothgrad',
    'the gradient, averaged over noisy copies',
    'signed',
    (mean) => mean,
    options,
  );
}

/** The mean of (dS/dx)² over noisy copies, [N, C, H, W] (Hooker, Erhan, Kindermans, Kim 2019). */
export function smoothGradSquaredMethod(options: NoiseOptions = {}): Method {
  const statistic = (_: number, meanOfSquares: number) => meanOfSquares;
  const summary = 'the squared gradient, averaged over noisy copies';
  return overNoise('smoothgrad-squared', summary, 'magnitude', statistic, options);
}

/** The variance of dS/dx over noisy copies, that of the population, [N, C, H, W] (Adebayo et al. 2018). */
export function varGradMethod(options: NoiseOptions = {}): Method {
  const statistic = (mean: number, meanOfSquares: number) => Math.max(0, meanOfSquares - mean * mean);
  return overNoise(
    'vargrad',
    'how much the gradient varies over noisy copies',
    'magnitude',
    statistic,
    options,
  );
}

function requireNoise({ dims }: Tensor, wanted: readonly number[]): void {
  if (dims.length === wanted.length && wanted.every((size, i) => size === dims[i])) return;
  throw new UnitscopeError(
    'bad-input',
    `the noise must have dims [${wanted.join(', ')}], got [${dims.join(', ')}]`,
    { subject: 'given' },
  );
}

function rangeOf(data: Float32Array, start: number, length: number): number {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = start; i < start + length; i++) {
    low = Math.min(low, data[i]!);
    high = Math.max(high, data[i]!);
  }
  return high - low;
}

/** See `smoothGradMethod`, with its defaults. */
export const smoothGrad = explainBy(smoothGradMethod());

/** See `smoothGradSquaredMethod`, with its defaults. */
export const smoothGradSquared = explainBy(smoothGradSquaredMethod());

/** See `varGradMethod`, with its defaults. */
export const varGrad = explainBy(varGradMethod());
