import type { LabelLayer, LabelMap } from './data-set.js';

/** A layer of which every label is at hand: `labelAt` the pixel of this number, counted row by row. */
export function layerOf(
  { width, height }: { readonly width: number; readonly height: number },
  labelAt: (pixel: number) => number,
): LabelLayer {
  return {
    width,
    height,
    draw: ({ rows, columns }, into) => {
      let next = 0;
      for (const row of rows) {
        for (const column of columns) into[next++] = labelAt(row * width + column);
      }
    },
  };
}

/** All labels of a layer. */
export function labelMapOf({ width, height, draw }: LabelLayer): LabelMap {
  const data = new Int32Array(width * height);
  const all = (count: number) => Int32Array.from({ length: count }, (_, i) => i);
  draw({ rows: all(height), columns: all(width) }, data);
  return { width, height, data };
}
