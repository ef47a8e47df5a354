import { readFileSync } from 'node:fs';
import { readNpz, type Tensor, type TensorData, writeNpy } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { recordOf, sharedFile } from './support/command.js';
import { TemporaryFolder } from './support/files.js';

const folder = new TemporaryFolder();

interface Manifest {
  readonly categories: string[];
  readonly labels_per_category: number[];
  readonly label_base: Record<string, number>;
  readonly pixel_layers: string[];
  readonly scalar_layers: string[];
  readonly tensors: { name: string; shape: number[]; file: string }[];
}

describe.each([
  ['dissect_toy', '0.005'],
  ['dissect_toy_q01', '0.01'],
])('%s, from arrays on the command line', (name, quantile) => {
  const path = sharedFile(`goldens/${name}/manifest.json`);
  const manifest: Manifest | undefined =
    path === undefined ? undefined : JSON.parse(readFileSync(path, 'utf8'));

  function read<D extends TensorData>(tensor: string, type: new (buffer: ArrayBuffer) => D): Tensor<D> {
    const entry = manifest!.tensors.find((candidate) => candidate.name === tensor);
    if (entry === undefined) throw new Error(`${name} holds no ${tensor}`);
    const { buffer } = Uint8Array.from(readFileSync(path!.replace('manifest.json', entry.file)));
    return { dims: entry.shape, data: new type(buffer) };
  }
  const array = <D extends TensorData>(tensor: string, type: new (buffer: ArrayBuffer) => D) =>
    folder.write(`${name}-${tensor}.npy`, writeNpy(read(tensor, type)));

  /** Dissects the golden's arrays; gives `dissection.json` and the arrays of `iou.npz`. */
  async function dissect(run: string, options: readonly string[], withImageLabels = true) {
    const { categories, labels_per_category, label_base, pixel_layers, scalar_layers } = manifest!;
    const table = {
      categories,
      labels: categories.flatMap((category, c) =>
        Array.from({ length: labels_per_category[c]! }, (_, i) => ({
          index: label_base[category]! + i,
          name: `${category}-${i}`,
          category,
        })),
      ),
      pixelLayers: pixel_layers,
      imageLayers: scalar_layers,
    };
    const out = folder.at(`${name}-${run}`);
    await recordOf([
      ...['dissect', '--activations', array('features', Float32Array)],
      ...['--pixel-labels', array('labels_pixel', Int32Array)],
      ...(withImageLabels ? ['--image-labels', array('labels_scalar', Int32Array)] : []),
      ...['--categories', folder.write(`${name}.json`, JSON.stringify(table))],
      ...['--quantile', quantile, '--out', out, ...options],
    ]);
    return {
      record: JSON.parse(readFileSync(`${out}/dissection.json`, 'utf8')),
      arrays: readNpz(readFileSync(`${out}/iou.npz`)),
    };
  }

  const numbers = (tensor: Tensor<TensorData> | undefined) => Array.from(tensor!.data, Number);

  it.skipIf(manifest === undefined)('lite_* and set_*', async () => {
    const thresholds = array('lite_threshold', Float64Array);
    const { record, arrays } = await dissect('lite', ['--convention', 'lite', '--thresholds', thresholds]);
    const both = numbers(read('lite_tally_both', Float64Array));
    const labels = numbers(read('lite_tally_labels', Float64Array));
    const perLabel = numbers(read('lite_tally_units_cat_perlabel', Float64Array));
    const unionOfSets = numbers(read('set_union', Float64Array));
    const intersection = numbers(arrays.get('intersection'));
    const labelPixels = numbers(arrays.get('label_pixels'));
    const area = numbers(arrays.get('area'));
    const categoryArea = numbers(arrays.get('category_area'));
    const category = numbers(arrays.get('label_category'));
    const concepts = labels.length;
    expect(numbers(read('set_intersection', Float64Array))).toEqual(intersection);
    expect(numbers(read('lite_tally_units', Float64Array))).toEqual(area);
    let compared = 0;
    for (let i = 0; i < both.length; i++) {
      const [unit, label] = [Math.floor(i / concepts), i % concepts];
      // Column 0 is no label.
      if (label === 0) continue;
      expect(intersection[i]).toBe(both[i]);
      expect(labelPixels[label]).toBe(labels[label]);
      expect(categoryArea[5 * unit + category[label]!]).toBe(perLabel[i]);
      expect(area[unit]! + labelPixels[label]! - intersection[i]!).toBe(unionOfSets[i]);
      compared++;
    }
    expect(compared).toBe(area.length * (concepts - 1));
    const ranking = numbers(read('lite_ranking_unit_cat_label', Int32Array));
    numbers(read('lite_ranking_score', Float64Array)).forEach((score, place) => {
      const unit = record.units[ranking[3 * place]!];
      // Theirs adds 1e-10 to the union.
      expect(Math.abs(unit.iou - score)).toBeLessThanOrEqual(1e-10);
      if (score > 0) expect(unit.label.index).toBe(ranking[3 * place + 2]);
    });
  });

  it.skipIf(manifest === undefined)('dissect_*', async () => {
    const options = ['--convention', 'dissect', '--quantile-over', 'map'];
    const { record, arrays } = await dissect('dissect', options, false);
    const levels = numbers(read('dissect_level', Float32Array));
    const expected = read('dissect_iou_concept_by_unit', Float32Array);
    const [concepts = 0, units = 0] = expected.dims;
    const intersection = numbers(arrays.get('intersection'));
    const labelPixels = numbers(arrays.get('label_pixels'));
    const area = numbers(arrays.get('area'));
    for (let unit = 0; unit < units; unit++) {
      // Theirs are at a place that is a float32 part of the values; see the tests of the metrics.
      expect(record.units[unit].threshold).toBeCloseTo(levels[unit]!, 4);
      for (let label = 1; label < concepts; label++) {
        const both = intersection[unit * labelPixels.length + label]!;
        const iou = both / Math.max(area[unit]! + labelPixels[label]! - both, 1);
        // A quotient of rounded float32 frequencies.
        expect(Math.abs(iou - expected.data[label * units + unit]!)).toBeLessThanOrEqual(2 ** -20 * iou);
      }
    }
    const best = numbers(read('dissect_best_concept', Int32Array));
    record.units.forEach(({ label }: { label: { index: number } }, unit: number) => {
      expect(label.index).toBe(best[unit]);
    });
  });

  it.skipIf(manifest === undefined)('exact_quantile_numpy_linear', async () => {
    const field = ['--convention', 'paper', '--field', '3,4,0', '--input', '56,56'];
    const { record } = await dissect('paper', field);
    const expected = numbers(read('exact_quantile_numpy_linear', Float64Array));
    record.units.forEach(({ threshold }: { threshold: number }, unit: number) => {
      expect(Math.abs(threshold - expected[unit]!)).toBeLessThanOrEqual(2 ** -50 * threshold);
    });
  });
});
