import { Random } from '@unitscope/tensor';
import { arraySamples, type Samples } from '../../src/index.js';

/** Pictures of 8x8 with a bright square in one of four corners, in noise: the corner is the category. */
export function corners(count: number, seed = 1, classes = 4): Samples {
  const random = new Random(seed);
  const labels = Array.from({ length: count }, (_, i) => i % classes);
  const data = new Float32Array(count * 3 * 64);
  labels.forEach((label, i) => {
    for (let channel = 0; channel < 3; channel++) {
      for (let y = 0; y < 8; y++) {
        for (let x = 0; x < 8; x++) {
          const inside = Math.floor(y / 4) === (label & 1) && Math.floor(x / 4) === label >> 1;
          data[((i * 3 + channel) * 8 + y) * 8 + x] = (inside ? 1 : 0) + 0.3 * random.normal();
        }
      }
    }
  });
  const names = ['upper left', 'lower left', 'upper right', 'lower right'].slice(0, classes);
  return arraySamples(data, [3, 8, 8], labels, names);
}
