/**
 * A seed of its own for every purpose, epoch, step: made of the numbers that name it, so that nothing of a generator has
 * to be saved for a run to go on as if it had never stopped.
 */
export function seedFor(seed: number, ...names: readonly number[]): number {
  let mixed = seed | 0;
  for (const name of names) {
    mixed = Math.imul(mixed ^ (name + 0x9e3779b9), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    mixed ^= mixed >>> 16;
  }
  return mixed >>> 0;
}

/** What a seed is for. */
export const PURPOSES = { weights: 1, shuffle: 2, augmentation: 3, dropout: 4 } as const;
