import { UnitscopeError } from '@unitscope/tensor';
import type { KernelArguments } from '../kernel-arguments.js';
import type { OnHost } from '../storage.js';

/** The value of a row of cells at a place between them; a cell of weight 0 is not looked at. */
function interpolate(cell: (index: number) => number, at: number): number {
  const first = Math.floor(at);
  const fraction = at - first;
  return fraction === 0 ? cell(first) : (1 - fraction) * cell(first) + fraction * cell(first + 1);
}

/**
 * The counts of Network Dissection, straight from their definition: every pixel's value, every pixel's set of labels.
 * Adds to the outputs. Throws `bad-input` for a label or category out of range.
 */
export function iouCountsReference(from: OnHost<KernelArguments['iouCounts']>): void {
  const { images, units, height, width, outHeight, outWidth, layers, imageLabelCount, concepts } = from;
  const pixels = outHeight * outWidth;
  const bad = (what: string) => new UnitscopeError('bad-input', `iouCounts: ${what} is out of range`);
  for (const labels of [from.pixelLabels, from.imageLabels]) {
    if (labels.some((label) => label < 0 || label >= concepts)) throw bad('a label');
  }
  if (from.categoryOf.some((category) => category < -1 || category >= from.categories))
    throw bad('a category');

  for (let image = 0; image < images; image++) {
    const ofImage = from.imageLabels.subarray(image * imageLabelCount, (image + 1) * imageLabelCount);
    const labelsAt = Array.from({ length: pixels }, (_, pixel) => {
      const set = new Set(ofImage);
      for (let layer = 0; layer < layers; layer++)
        set.add(from.pixelLabels[(image * layers + layer) * pixels + pixel]!);
      set.delete(0);
      return set;
    });
    const categories = new Set<number>();
    for (const set of labelsAt) {
      for (const label of set) {
        from.labelPixels[label] = from.labelPixels[label]! + 1n;
        categories.add(from.categoryOf[label]!);
      }
    }
    for (let unit = 0; unit < units; unit++) {
      const map = from.x.subarray(
        (image * units + unit) * height * width,
        (image * units + unit + 1) * height * width,
      );
      const valueAt = (row: number, column: number) => {
        const place = (pixel: number, origin: number, step: number, last: number) => {
          const at = (pixel - origin) / step;
          return from.edge === 0 ? Math.min(Math.max(at, 0), last) : Math.min(Math.max(at, -1), last + 1);
        };
        const cell = (y: number, x: number) =>
          y < 0 || x < 0 || y >= height || x >= width ? 0 : map[y * width + x]!;
        const y = place(row, from.originY, from.stepY, height - 1);
        const x = place(column, from.originX, from.stepX, width - 1);
        return interpolate((c) => interpolate((r) => cell(r, c), y), x);
      };
      for (let pixel = 0; pixel < pixels; pixel++) {
        const active = valueAt(Math.floor(pixel / outWidth), pixel % outWidth) > from.thresholds[unit]!;
        if (!active) continue;
        from.area[unit] = from.area[unit]! + 1n;
        for (const label of labelsAt[pixel]!) {
          const index = unit * concepts + label;
          from.intersection[index] = from.intersection[index]! + 1n;
        }
        for (const category of categories) {
          if (category < 0) continue;
          const index = unit * from.categories + category;
          from.categoryArea[index] = from.categoryArea[index]! + 1n;
        }
      }
    }
  }
}
