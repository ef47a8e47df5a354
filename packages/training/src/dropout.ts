import type { DropoutMask } from '@unitscope/autodiff';
import { Random, sizeOf, type Tensor, UnitscopeError } from '@unitscope/tensor';
import { PURPOSES, seedFor } from './seeds.js';

/**
 * The mask of one dropout at one step: 0 where it drops, 1 / (1 - ratio) elsewhere, from a seed of its own.
 *
 * @param arrays keeps the array of each mask and size, which the next step writes to again
 */
export function dropoutMask(
  { input, dims, ratio }: DropoutMask,
  count: number,
  at: { readonly seed: number; readonly step: number; readonly index: number },
  arrays: Map<string, Float32Array>,
): Tensor {
  const full = [count, ...dims.slice(1).map(Number)];
  if (full.some((size) => !Number.isInteger(size))) {
    throw new UnitscopeError(
      'unsupported',
      `the dims [${dims.join(', ')}] of a dropout are known at run time only`,
    );
  }
  const size = sizeOf(full);
  const key = `${input} ${size}`;
  const data = arrays.get(key) ?? new Float32Array(size);
  arrays.set(key, data);
  const random = new Random(seedFor(at.seed, PURPOSES.dropout, at.step, at.index));
  const kept = 1 / (1 - ratio);
  for (let i = 0; i < size; i++) data[i] = random.uniform() < ratio ? 0 : kept;
  return { dims: full, data };
}
