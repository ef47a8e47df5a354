import type { MapsParams } from '../kernel-arguments.js';

/** The first NaN, or else the first of the largest cells, walking the map in the order of the ties. */
export function argmaxMapsReference(
  { maps, height, width }: MapsParams,
  ties: 'row-major' | 'column-major',
  x: ArrayLike<number>,
): { index: Int32Array; value: Float64Array } {
  const index = new Int32Array(maps);
  const value = new Float64Array(maps);
  const cells = Array.from({ length: height * width }, (_, place) =>
    ties === 'row-major' ? place : (place % height) * width + Math.floor(place / height),
  );
  for (let map = 0; map < maps; map++) {
    const at = (cell: number) => x[map * height * width + cell]!;
    const notNumber = cells.find((cell) => Number.isNaN(at(cell)));
    const largest = cells.reduce((best, cell) => (at(cell) > at(best) ? cell : best), cells[0]!);
    index[map] = notNumber ?? largest;
    value[map] = at(index[map]!);
  }
  return { index, value };
}
