import { Random } from '@unitscope/tensor';

/**
 * A seed of its own for every purpose, epoch, step: made of the numbers that name it, so that nothing of a generator has
 * to be saved for a run to go on as if it had never stopped.
 */
export function seedFor(seed: number, ...names: readonly number[]): number {
  return names.reduce((mixed, name) => scramble(scramble(mixed) + name), seed) >>> 0;
}

/** A bijection of 32 bits in which every bit of the number moves every bit of the result (MurmurHash3's last step). */
function scramble(number: number): number {
  let mixed = (number + 0x9e3779b9) | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** What a seed is for. */
export const PURPOSES = { weights: 1, shuffle: 2, augmentation: 3, dropout: 4, split: 5 } as const;

/** The numbers below `count` in an order that belongs to the seed and the epoch. */
export function shuffled(count: number, seed: number, epoch: number): number[] {
  const random = new Random(seedFor(seed, PURPOSES.shuffle, epoch));
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(0, i);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
