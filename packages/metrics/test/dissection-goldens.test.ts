import type { Tensor } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import {
  type Convention,
  dissectionOf,
  dissectionParameters,
  enlargeMaps,
  type LabelTable,
  placeCells,
  UnitCounts,
  UnitThresholds,
} from '../src/index.js';
import { readGolden } from './support/goldens.js';

describe.each([
  ['dissect_toy', 0.005],
  ['dissect_toy_q01', 0.01],
])('%s', (folder, quantile) => {
  const golden = readGolden(folder);

  function table(): LabelTable {
    const { categories, labels_per_category, label_base } = golden!.manifest;
    const labels = categories.flatMap((category, c) =>
      Array.from({ length: labels_per_category[c]! }, (_, i) => ({
        index: label_base[category]! + i,
        name: `${category}${i}`,
        category,
      })),
    );
    return { categories, labels };
  }

  const geometry = (maps: Tensor, labels: Tensor<Int32Array>) => ({
    cells: [maps.dims[2]!, maps.dims[3]!] as const,
    pixels: [labels.dims[2]!, labels.dims[3]!] as const,
    input: [224, 224] as const,
  });

  async function dissect(convention: Convention, thresholds: Float64Array, withImageLabels: boolean) {
    const parameters = dissectionParameters({ convention, quantile });
    const activations = golden!.floats('features');
    const pixelLabels = golden!.ints('labels_pixel');
    const placement = placeCells(parameters, geometry(activations, pixelLabels));
    const counts = new UnitCounts({ thresholds, table: table(), placement, parameters });
    await counts.add({
      activations,
      pixelLabels,
      ...(withImageLabels ? { imageLabels: golden!.ints('labels_scalar') } : {}),
    });
    return { counts: counts.result(), ...dissectionOf(counts.result(), thresholds, table(), parameters) };
  }

  it.skipIf(golden === undefined)('lite: NetDissect-Lite, its counts, IoU and ranking', async () => {
    const { counts, units } = await dissect('lite', golden!.doubles('lite_threshold'), true);
    const areas = golden!.doubles('lite_tally_units_cat_perlabel');
    const iou = golden!.doubles('lite_iou');
    const ranking = golden!.ints('lite_ranking_unit_cat_label').data;
    const score = golden!.doubles('lite_ranking_score');
    const concepts = 27;
    const { labels } = table();
    for (const { unit } of units) {
      for (const { index, category } of labels) {
        const c = golden!.manifest.categories.indexOf(category);
        expect(Number(counts.categoryArea.data[unit * 5 + c])).toBe(areas[unit * concepts + index]);
      }
    }
    expect(ranking.length / 3).toBe(units.length);
    for (let place = 0; place < units.length; place++) {
      const [unit, category, label] = ranking.slice(3 * place, 3 * place + 3);
      const { best } = units[unit!]!;
      if (score[place] === 0) expect(best).toBeUndefined();
      else {
        // Ours adds no 1e-10 to the union.
        expect(Math.abs(best!.iou - score[place]!)).toBeLessThanOrEqual(1e-10);
        expect(best!.iou).toBeCloseTo(iou[unit! * concepts + label!]!, 9);
        expect(golden!.manifest.categories.indexOf(best!.label.category)).toBe(category);
        expect(best!.label.index).toBe(label);
      }
    }
  });

  /** Our thresholds over the golden's maps, and each unit's values in ascending order. */
  async function thresholdsOf(convention: Convention) {
    const activations = golden!.floats('features');
    const [images = 0, units = 0, height = 0, width = 0] = activations.dims;
    const cells = height * width;
    const parameters = dissectionParameters({ convention, quantile });
    const thresholds = UnitThresholds.start({ units, atMost: images * cells, parameters });
    await thresholds.add(activations);
    const sorted = Array.from({ length: units }, (_, unit) =>
      Float32Array.from({ length: images * cells }, (__, i) => {
        const start = (Math.floor(i / cells) * units + unit) * cells;
        return activations.data[start + (i % cells)]!;
      }).sort(),
    );
    return { ours: thresholds.result(), sorted };
  }

  it.skipIf(golden === undefined)(
    'lite: the threshold of its readout, but where its sort leaves the order of equal values open',
    async () => {
      const { ours, sorted } = await thresholdsOf('lite');
      const theirs = golden!.doubles('lite_threshold');
      // It holds both extremes twice, once without weight. Where an unstable sort puts these inside instead of outside,
      // the places of all values shift by half a rank at that end; ours puts them outside.
      const part = Math.trunc(1000 * (1 - quantile) - 1) / 999;
      for (const [unit, values] of sorted.entries()) {
        const n = values.length;
        const at = (place: number) => {
          const low = Math.floor(place);
          const gap = values[low + 1]! - values[low]!;
          // Its ranks are float32 parts of 1.
          return { value: values[low]! + (place - low) * gap, bound: gap * n * 2 ** -23 };
        };
        const outside = part * n - 0.5;
        expect(Math.abs(ours[unit]! - at(outside).value)).toBeLessThanOrEqual(1e-9);
        const possible = [outside, part * (n - 0.5), part * (n - 0.5) - 0.5, part * (n - 1)].map(at);
        expect(possible.some(({ value, bound }) => Math.abs(theirs[unit]! - value) <= bound)).toBe(true);
      }
    },
  );

  it.skipIf(golden === undefined)('dissect: IoU with zeros outside, over all pictures', async () => {
    const levels = Float64Array.from(golden!.floats('dissect_level').data);
    const { units } = await dissect('dissect', levels, false);
    const best = golden!.floats('dissect_best_iou').data;
    const concept = golden!.ints('dissect_best_concept').data;
    for (const { unit, best: own } of units) {
      expect(own!.label.index).toBe(concept[unit]);
      // There a quotient of rounded float32 frequencies.
      expect(Math.abs(own!.iou - best[unit]!)).toBeLessThanOrEqual(2 ** -20 * own!.iou);
    }
  });

  it.skipIf(golden === undefined)('dissect: the level, over the values it was made from', async () => {
    const { ours, sorted } = await thresholdsOf('dissect');
    const levels = golden!.floats('dissect_level').data;
    for (const [unit, value] of ours.entries()) {
      const values = sorted[unit]!;
      const above = values.findIndex((candidate) => candidate > value);
      // Its ranks are float32 parts of 1, so they are off by up to n 2^-23 of the gap between two values.
      const gap = values[above]! - values[above - 1]!;
      const bound = gap * values.length * 2 ** -23 + 2 ** -23 * Math.abs(value);
      expect(Math.abs(value - levels[unit]!)).toBeLessThanOrEqual(bound);
    }
  });

  it.skipIf(golden === undefined).each([
    ['lite', 'lite_upsampled_first2'],
    ['dissect', 'dissect_upsampled_first2'],
  ] as const)('%s: enlarged maps', (convention, name) => {
    const expected = golden!.floats(name);
    const maps = golden!.floats('features');
    const [, units = 0, height = 0, width = 0] = maps.dims;
    const first = { dims: [2, units, height, width], data: maps.data.slice(0, 2 * units * height * width) };
    const pixels = [expected.dims[2]!, expected.dims[3]!] as const;
    const placement = placeCells(dissectionParameters({ convention }), {
      cells: [height, width],
      pixels,
      input: [224, 224],
    });
    const { data } = enlargeMaps(first, placement, pixels);
    const largest = expected.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    // Theirs are sums of four products in float32, at places in float32 on a map of `height` cells, where a value
    // changes by up to twice the largest from one cell to the next.
    const bound = 2 ** -24 * (12 + 2 * 4 * height) * largest;
    const worst = data.reduce((most, value, i) => Math.max(most, Math.abs(value - expected.data[i]!)), 0);
    expect(worst).toBeLessThanOrEqual(bound);
  });
});
