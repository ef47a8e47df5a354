import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Tensor } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import {
  type IouCounts,
  iouCountsSync,
  type MapPlacement,
  placeAtReceptiveFields,
  placeHalfPixel,
  placeZeroPadded,
  TopQuantile,
} from '../src/index.js';

const shared = fileURLToPath(new URL('../../../../shared/', import.meta.url));
const there = existsSync(`${shared}goldens/dissect_toy/manifest.json`);
if (!there) console.warn(`golden tests of dissection are skipped: ${shared}goldens/dissect_toy is missing`);

type Nested = readonly (number | Nested)[];

/** IoU over all images, or over those of the concept's category. */
function iouOf(counts: IouCounts, categoryOf?: Int32Array): number[][] {
  const [units = 0, concepts = 0] = counts.intersection.dims;
  const [, categories = 0] = counts.categoryArea.dims;
  return Array.from({ length: units }, (_, unit) =>
    Array.from({ length: concepts }, (__, label) => {
      const both = Number(counts.intersection.data[unit * concepts + label]);
      const category = categoryOf?.[label] ?? -1;
      const area = Number(
        categoryOf === undefined
          ? counts.area.data[unit]
          : category < 0
            ? 0
            : counts.categoryArea.data[unit * categories + category],
      );
      return both / Math.max(area + Number(counts.labelPixels.data[label]) - both, 1e-20);
    }),
  );
}

describe.skipIf(!there)('the worked example', () => {
  interface Result {
    readonly intersection: number[];
    readonly truth: number;
    readonly activation_in_category_images: number[];
    readonly activation_all_images: number[];
    readonly iou_category_restricted: number[];
    readonly iou_unrestricted: number[];
  }
  interface Example {
    readonly quantile_top: number;
    readonly features: Nested;
    readonly labels: Nested;
    readonly thresholds: number[];
    readonly half_pixel_bilinear: { readonly result: Record<string, Result> };
    readonly rf_offset_bilinear: { readonly result: Record<string, Result> };
  }
  const example: Example | undefined = there
    ? JSON.parse(readFileSync(`${shared}spec/netdissect_iou.json`, 'utf8'))
    : undefined;
  const flat = (values: Nested): number[] => values.flat(9) as number[];
  const cases: [string, MapPlacement, 'half_pixel_bilinear' | 'rf_offset_bilinear'][] = [
    ['half-pixel', placeHalfPixel([4, 4], [8, 8]), 'half_pixel_bilinear'],
    ['receptive fields', placeAtReceptiveFields({ size: 3, stride: 2, offset: 0 }, 1), 'rf_offset_bilinear'],
  ];

  it('has its thresholds', () => {
    const { features, quantile_top: fraction, thresholds } = example!;
    const quantile = new TopQuantile({ units: 2, fraction, atMost: 64 });
    quantile.addSync({ dims: [4, 2, 4, 4], data: Float32Array.from(flat(features)) });
    // The example's features are decimals; ours are their nearest float32.
    quantile.result().forEach((value, unit) => {
      expect(Math.abs(value - thresholds[unit]!)).toBeLessThanOrEqual(2 ** -24 * 4);
    });
  });

  it.each(cases)('has its counts: %s', (_, placement, key) => {
    const { features, labels, thresholds } = example!;
    const categoryOf = Int32Array.of(-1, 0, 0, 1);
    const { counts } = iouCountsSync(
      {
        activations: { dims: [4, 2, 4, 4], data: Float32Array.from(flat(features)) },
        pixelLabels: { dims: [4, 1, 8, 8], data: Int32Array.from(flat(labels)) },
      },
      Float64Array.from(thresholds),
      { categoryOf, categories: 2 },
      placement,
    );
    const restricted = iouOf(counts, categoryOf);
    const unrestricted = iouOf(counts);
    for (const [name, expected] of Object.entries(example![key].result)) {
      const label = Number(name);
      const column = (of: IouCounts['intersection'], index: number) =>
        [0, 1].map((unit) => Number(of.data[unit * (of.dims[1] ?? 1) + index]));
      expect(Number(counts.labelPixels.data[label])).toBe(expected.truth);
      expect(column(counts.intersection, label)).toEqual(expected.intersection);
      expect(column(counts.categoryArea, categoryOf[label]!)).toEqual(expected.activation_in_category_images);
      expect([...counts.area.data].map(Number)).toEqual(expected.activation_all_images);
      expect(restricted.map((row) => row[label])).toEqual(expected.iou_category_restricted);
      expect(unrestricted.map((row) => row[label])).toEqual(expected.iou_unrestricted);
    }
  });
});

describe.skipIf(!there).each([
  ['dissect_toy', 0.005],
  ['dissect_toy_q01', 0.01],
])('%s', (folder, fraction) => {
  interface Entry {
    readonly name: string;
    readonly shape: number[];
    readonly file: string;
  }
  const manifest: { tensors: Entry[] } = there
    ? JSON.parse(readFileSync(`${shared}goldens/${folder}/manifest.json`, 'utf8'))
    : { tensors: [] };
  const bytesOf = (name: string) => {
    const entry = manifest.tensors.find((tensor) => tensor.name === name);
    if (entry === undefined) throw new Error(`${folder} holds no ${name}`);
    const { buffer } = Uint8Array.from(readFileSync(`${shared}goldens/${folder}/${entry.file}`));
    return { dims: entry.shape, buffer };
  };
  const floats = (name: string): Tensor => {
    const { dims, buffer } = bytesOf(name);
    return { dims, data: new Float32Array(buffer) };
  };
  const ints = (name: string): Tensor<Int32Array> => {
    const { dims, buffer } = bytesOf(name);
    return { dims, data: new Int32Array(buffer) };
  };
  const doubles = (name: string) => new Float64Array(bytesOf(name).buffer);

  function count(thresholds: Float64Array, place: typeof placeHalfPixel, withImageLabels: boolean) {
    const labels = doubles('labelcat');
    const categoryOf = Int32Array.from({ length: 27 }, (_, label) =>
      [0, 1, 2, 3, 4].findIndex((category) => label > 0 && labels[label * 5 + category] === 1),
    );
    const pixelLabels = ints('labels_pixel');
    const batch = {
      activations: floats('features'),
      pixelLabels,
      ...(withImageLabels ? { imageLabels: ints('labels_scalar') } : {}),
    };
    const [, , height = 0, width = 0] = batch.activations.dims;
    const [, , rows = 0, columns = 0] = pixelLabels.dims;
    const placement = place([height, width], [rows, columns]);
    return { categoryOf, ...iouCountsSync(batch, thresholds, { categoryOf, categories: 5 }, placement) };
  }

  it('has the quantile of a full sort', () => {
    const features = floats('features');
    const [images = 0, units = 0, height = 0, width = 0] = features.dims;
    const quantile = new TopQuantile({ units, fraction, atMost: images * height * width });
    quantile.addSync(features);
    const expected = doubles('exact_quantile_numpy_linear');
    quantile.result().forEach((value, unit) => {
      expect(Math.abs(value - expected[unit]!)).toBeLessThanOrEqual(2 ** -50 * Math.abs(expected[unit]!));
    });
  });

  it('has every count of the textbook definition', () => {
    const { counts } = count(doubles('lite_threshold'), placeHalfPixel, true);
    expect(Array.from(counts.intersection.data, Number)).toEqual([...doubles('set_intersection')]);
    const union = Array.from(counts.intersection.data, (both, i) => {
      const area = counts.area.data[Math.floor(i / 27)]!;
      return Number(area + counts.labelPixels.data[i % 27]! - both);
    });
    const expected = doubles('set_union');
    // Column 0 is no label.
    for (let i = 0; i < union.length; i++) if (i % 27 > 0) expect(union[i]).toBe(expected[i]);
  });

  it('has the counts of NetDissect-Lite', () => {
    const { counts } = count(doubles('lite_threshold'), placeHalfPixel, true);
    const both = doubles('lite_tally_both');
    const labels = doubles('lite_tally_labels');
    for (let label = 1; label < 27; label++) {
      expect(Number(counts.labelPixels.data[label])).toBe(labels[label]);
      for (let unit = 0; unit < counts.area.data.length; unit++) {
        expect(Number(counts.intersection.data[unit * 27 + label])).toBe(both[unit * 27 + label]);
      }
    }
    expect(Array.from(counts.area.data, Number)).toEqual([...doubles('lite_tally_units')]);
  });

  it('has the IoU of dissect, with zeros beyond the edges', () => {
    const levels = Float64Array.from(floats('dissect_level').data);
    const { counts } = count(levels, placeZeroPadded, false);
    const iou = iouOf(counts);
    const expected = floats('dissect_iou_concept_by_unit');
    const [concepts = 0, units = 0] = expected.dims;
    for (let label = 1; label < concepts; label++) {
      for (let unit = 0; unit < units; unit++) {
        // There a quotient of rounded float32 frequencies; one pixel more or less would change it by 2^-17 or more.
        expect(Math.abs(iou[unit]![label]! - expected.data[label * units + unit]!)).toBeLessThanOrEqual(
          2 ** -20 * iou[unit]![label]!,
        );
      }
    }
  });
});
