import type { MapPlacement } from '@unitscope/kernels';
import { type Tensor, UnitscopeError } from '@unitscope/tensor';

/**
 * Maps at every label pixel: bilinear between the cells, whose places `placement` says, in float64 before rounding to
 * float32. Only `dissect` needs it, whose quantile is over enlarged maps; the counts never make one.
 *
 * @param maps `[images, units, height, width]`
 * @param pixels [height, width] of the result
 */
export function enlargeMaps(
  maps: Tensor,
  placement: MapPlacement,
  pixels: readonly [number, number],
): Tensor {
  const [images = 0, units = 0, height = 0, width = 0] = maps.dims;
  if (maps.dims.length !== 4)
    throw new UnitscopeError(
      'bad-input',
      `maps must be [images, units, height, width], not ${maps.dims.length} axes`,
    );
  const rows = weightsOf(height, pixels[0], placement.origin[0], placement.step[0], placement.edge);
  const columns = weightsOf(width, pixels[1], placement.origin[1], placement.step[1], placement.edge);
  const data = new Float32Array(images * units * pixels[0] * pixels[1]);
  const row = new Float64Array(width);
  let next = 0;
  for (let map = 0; map < images * units; map++) {
    const start = map * height * width;
    for (const { low, high, lowWeight, highWeight } of rows) {
      for (let x = 0; x < width; x++)
        row[x] =
          lowWeight * maps.data[start + low * width + x]! + highWeight * maps.data[start + high * width + x]!;
      for (const column of columns)
        data[next++] = column.lowWeight * row[column.low]! + column.highWeight * row[column.high]!;
    }
  }
  return { dims: [images, units, ...pixels], data };
}

interface Weights {
  readonly low: number;
  readonly high: number;
  readonly lowWeight: number;
  readonly highWeight: number;
}

function weightsOf(
  cells: number,
  pixels: number,
  origin: number,
  step: number,
  edge: MapPlacement['edge'],
): Weights[] {
  return Array.from({ length: pixels }, (_, pixel) => {
    const place = (pixel - origin) / step;
    const low = Math.floor(place);
    const weight = place - low;
    const inside = (cell: number) => Math.min(Math.max(cell, 0), cells - 1);
    const share = (cell: number, part: number) => (edge === 'clamp' || cell === inside(cell) ? part : 0);
    return {
      low: inside(low),
      high: inside(low + 1),
      lowWeight: share(low, 1 - weight),
      highWeight: share(low + 1, weight),
    };
  });
}
