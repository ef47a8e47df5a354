import { join } from 'node:path';
import { type Dissection, dissectionOf, formatTally, type LabelTable, type Match } from '@unitscope/metrics';
import { type Tensor, type TensorData, writeFileAtomic, writeNpz } from '@unitscope/tensor';
import { version } from '../version.js';
import { drawDetectors, drawHistogram } from './charts.js';
import type { CountPass, ThresholdPass } from './saved-pass.js';

/** A dissection with everything it was made from. */
export interface DissectionResult extends Dissection {
  readonly passes: { readonly thresholds: ThresholdPass; readonly counts: CountPass };
}

export function resultOf(thresholds: ThresholdPass, counts: CountPass): DissectionResult {
  const { table, parameters } = counts.identity;
  const dissection = dissectionOf(counts.counts.result(), counts.thresholds, table, parameters);
  return { ...dissection, passes: { thresholds, counts } };
}

/**
 * Writes a finished dissection: `dissection.json`, `tally.csv`, the counts as arrays, the charts. The same counts give
 * the same bytes, however they were come by. Returns the files' names.
 */
export async function writeResults(folder: string, result: DissectionResult): Promise<string[]> {
  const { identity } = result.passes.counts;
  const files = new Map<string, string | Uint8Array>([
    ['dissection.json', `${JSON.stringify(recordOf(result), null, 1)}\n`],
    ['tally.csv', formatTally(result.units, identity.table.categories)],
    ['iou.npz', encodeCounts(result)],
    ...(await drawDetectors(result)),
    ...(await drawHistogram(result)),
  ]);
  for (const [name, content] of files) await writeFileAtomic(join(folder, name), content);
  return [...files.keys()];
}

/** `dissection.json`: what it was made from, then every unit, then the summary. */
export function recordOf({ units, summary, passes }: DissectionResult) {
  const { identity } = passes.counts;
  const { record, parameters, count, table } = identity;
  const skipped = [...passes.counts.skipped].sort((a, b) => a.number - b.number);
  return {
    unitscope: version,
    method: 'network-dissection',
    ...record,
    parameters,
    pictures: count - skipped.length,
    skipped,
    categories: table.categories,
    summary,
    units: units.map(({ unit, threshold, best, perCategory }) => ({
      unit,
      threshold,
      label: best?.label ?? null,
      iou: best?.iou ?? 0,
      intersection: best?.intersection ?? 0,
      union: best?.union ?? 0,
      perCategory: perCategory.map(flatMatch),
      topPictures: passes.thresholds.top.result()[unit] ?? [],
    })),
  };
}

function flatMatch({ label, iou, intersection, union, area, labelPixels }: Match) {
  return {
    category: label.category,
    label: label.name,
    index: label.index,
    iou,
    intersection,
    union,
    area,
    labelPixels,
  };
}

/** Every unit with every label, as arrays `[units, labels]` in the order of the table's indices. */
function encodeCounts({ passes }: DissectionResult): Uint8Array {
  const { counts, identity, thresholds } = passes.counts;
  const { intersection, labelPixels, categoryArea, area } = counts.result();
  const arrays: [string, Tensor<TensorData>][] = [
    ['thresholds', { dims: [thresholds.length], data: thresholds }],
    ['intersection', intersection],
    ['label_pixels', labelPixels],
    ['category_area', categoryArea],
    ['area', area],
    ['label_category', categoriesOf(identity.table, labelPixels.data.length)],
  ];
  return writeNpz(new Map(arrays));
}

function categoriesOf({ categories, labels }: LabelTable, concepts: number): Tensor<Int32Array> {
  const data = new Int32Array(concepts).fill(-1);
  for (const { index, category } of labels) data[index] = categories.indexOf(category);
  return { dims: [concepts], data };
}
