import { type Tensor, UnitscopeError } from '@unitscope/tensor';

/**
 * Of every map `[..., height, width]` the largest activation and its cell, row * width + column: the first in row-major
 * order. Throws `bad-input` where an activation is not finite.
 */
export function strongestCells({ dims, data }: Tensor): { values: Float32Array; places: Int32Array } {
  const [height = 0, width = 0] = dims.slice(-2);
  const cells = height * width;
  const maps = data.length / cells;
  const values = new Float32Array(maps);
  const places = new Int32Array(maps);
  for (let map = 0; map < maps; map++) {
    const start = map * cells;
    let place = 0;
    // A sum is not finite as soon as one of its terms is not.
    let sum = 0;
    for (let cell = 0; cell < cells; cell++) {
      sum += data[start + cell]!;
      if (data[start + cell]! > data[start + place]!) place = cell;
    }
    if (!Number.isFinite(sum))
      throw new UnitscopeError('bad-input', `the activations of map ${map} are not all finite numbers`);
    values[map] = data[start + place]!;
    places[map] = place;
  }
  return { values, places };
}
