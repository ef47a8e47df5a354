import { existsSync, readFileSync } from 'node:fs';
import { Random } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeState,
  encodeState,
  type InstabilityBatch,
  type InstabilityProtocol,
  LocationInstability,
  type LocationInstabilityOptions,
} from '../src/index.js';
import { shared } from './support/goldens.js';

interface Example {
  readonly image_hw: [number, number];
  readonly rf_stride: number;
  readonly rf_center_of_first_unit_1based: number;
  readonly argmax_row_col_1based: [number, number][][];
  readonly score: number[][];
  readonly landmarks_yx: ([number, number] | [null, null])[][];
  readonly D_fk_ddof1_top100: number[][];
  readonly per_filter: number[];
  readonly mean: number;
}

const path = `${shared}spec/location_instability.json`;
const there = existsSync(path);
if (!there) console.warn(`the worked example of location instability is skipped: ${path} is missing`);

it.skipIf(!there)('has the numbers of the worked example', async () => {
  const example: Example = JSON.parse(readFileSync(path, 'utf8'));
  const [filters, objects] = [example.score.length, example.score[0]!.length];
  const size = 14;
  const activations = new Float32Array(objects * filters * size * size);
  example.score.forEach((scores, filter) => {
    scores.forEach((score, object) => {
      const [row, column] = example.argmax_row_col_1based[filter]![object]!;
      activations[((object * filters + filter) * size + row - 1) * size + column - 1] = score;
    });
  });
  const landmarks = example.landmarks_yx.length;
  const points = Float64Array.from({ length: objects * landmarks * 2 }, (_, i) => {
    const [object, landmark, axis] = [Math.floor(i / 2 / landmarks), Math.floor(i / 2) % landmarks, i % 2];
    return example.landmarks_yx[landmark]![object]![axis] ?? Number.NaN;
  });
  const stat = new LocationInstability({
    filters,
    landmarks: ['first', 'second'],
    categories: ['thing'],
    // Pixels are counted from 1 in the example, for units and landmarks alike.
    origin: [example.rf_center_of_first_unit_1based, example.rf_center_of_first_unit_1based],
    step: [example.rf_stride, example.rf_stride],
    input: example.image_hw,
  });
  await stat.add({
    activations: { dims: [objects, filters, size, size], data: activations },
    landmarks: { dims: [objects, landmarks, 2], data: points },
    categories: new Array(objects).fill(0),
    numbers: Array.from({ length: objects }, (_, i) => i),
  });
  const result = stat.result();
  result.filters.forEach(({ landmarks: deviations, instability }, filter) => {
    expect(instability).toBeCloseTo(example.per_filter[filter]!, 14);
    deviations.forEach((deviation, k) => {
      expect(deviation).toBeCloseTo(example.D_fk_ddof1_top100[filter]![k]!, 14);
    });
  });
  expect(result.instability).toBeCloseTo(example.mean, 14);
});

const OPTIONS: LocationInstabilityOptions = {
  filters: 3,
  landmarks: ['head', 'tail'],
  categories: ['bird', 'cat'],
  origin: [0, 0],
  step: [8, 8],
  input: [32, 32],
};

function makeBatch(seed: number, objects: number): InstabilityBatch {
  const random = new Random(seed);
  const coarse = () => Math.round(4 * random.normal());
  return {
    activations: {
      dims: [objects, 3, 4, 4],
      data: Float32Array.from({ length: objects * 48 }, coarse),
    },
    landmarks: {
      dims: [objects, 2, 2],
      data: Float64Array.from({ length: objects * 4 }, () =>
        random.uniform() < 0.1 ? Number.NaN : 32 * random.uniform(),
      ),
    },
    categories: Array.from({ length: objects }, () => (random.uniform() < 0.5 ? 0 : 1)),
    numbers: Array.from({ length: objects }, (_, i) => i),
  };
}

function part({ activations, landmarks, categories, numbers }: InstabilityBatch, chosen: readonly number[]) {
  const rows = <T extends Float32Array | Float64Array>(data: T, width: number) =>
    chosen.flatMap((object) => [...data.subarray(object * width, (object + 1) * width)]);
  return {
    activations: {
      dims: [chosen.length, 3, 4, 4],
      data: Float32Array.from(rows(activations.data, 48)),
    },
    landmarks: { dims: [chosen.length, 2, 2], data: Float64Array.from(rows(landmarks.data, 4)) },
    categories: chosen.map((object) => categories[object]!),
    numbers: chosen.map((object) => numbers[object]!),
  };
}

describe.each(['interpretable-cnn', 'explanatory-graph'] as const)('%s', (protocol: InstabilityProtocol) => {
  const options = { ...OPTIONS, protocol };

  it('is the same for every order, split and restored state', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1000 }),
        fc.integer({ min: 1, max: 150 }),
        fc.integer({ min: 1, max: 4 }),
        async (seed, objects, shards) => {
          const batch = makeBatch(seed, objects);
          const whole = new LocationInstability(options);
          await whole.add(batch);
          const random = new Random(seed + 1);
          const home = batch.numbers.map(() => Math.floor(shards * random.uniform()));
          const parts: LocationInstability[] = [];
          for (let shard = 0; shard < shards; shard++) {
            const own = new LocationInstability(options);
            const chosen = batch.numbers.filter((object) => home[object] === shard).reverse();
            for (const object of chosen) await own.add(part(batch, [object]));
            const saved = decodeState(encodeState(own.toState()), 'state');
            parts.unshift(LocationInstability.fromState(saved, options));
          }
          const merged = new LocationInstability(options);
          for (const other of parts) merged.merge(other);
          expect(merged.result()).toEqual(whole.result());
          expect(merged.toState()).toEqual(whole.toState());
        },
      ),
      { numRuns: 25 },
    );
  });
});

it('selects pictures for each landmark, or before looking for landmarks', async () => {
  // 30 objects in which the only filter's unit lies on the landmark, and 30 stronger ones in which the landmark is not
  // seen.
  const objects = 60;
  const batch: InstabilityBatch = {
    activations: {
      dims: [objects, 1, 1, 2],
      data: Float32Array.from({ length: 2 * objects }, (_, i) => (i % 2 === 0 ? (i < objects ? 1 : 2) : 0)),
    },
    landmarks: {
      dims: [objects, 1, 2],
      data: Float64Array.from({ length: 2 * objects }, (_, i) => (i < objects ? 0 : Number.NaN)),
    },
    categories: new Array(objects).fill(0),
    numbers: Array.from({ length: objects }, (_, i) => i),
  };
  const options = { ...OPTIONS, filters: 1, landmarks: ['head'], categories: ['bird'] };
  const forEach = new LocationInstability({ ...options, protocol: 'interpretable-cnn' });
  await forEach.add(batch);
  expect(forEach.result().instability).toBe(0);
  const before = new LocationInstability({ ...options, protocol: 'explanatory-graph' });
  await before.add(batch);
  expect(before.result().instability).toBeNaN();
});

describe('refuses', () => {
  it.each<[string, Partial<InstabilityBatch>]>([
    ['activations must be', { activations: { dims: [2, 4, 1, 1], data: new Float32Array(8) } }],
    [
      'not a finite number',
      { activations: { dims: [2, 3, 1, 1], data: new Float32Array(6).fill(Number.NaN) } },
    ],
    ['landmarks must have dims', { landmarks: { dims: [2, 1, 2], data: new Float64Array(4) } }],
    ['there is no category 2', { categories: [0, 2] }],
    ['must be one for each', { numbers: [0] }],
  ])('%s', async (message, wrong) => {
    const stat = new LocationInstability(OPTIONS);
    const before = stat.toState();
    await expect(async () => stat.add({ ...makeBatch(1, 2), ...wrong })).rejects.toThrow(message);
    expect(stat.toState()).toEqual(before);
  });

  it('options that cannot be', () => {
    expect(() => new LocationInstability({ ...OPTIONS, filters: 0 })).toThrow('filters must be');
    expect(() => new LocationInstability({ ...OPTIONS, landmarks: [] })).toThrow('needs landmarks');
    const other = new LocationInstability({ ...OPTIONS, landmarks: ['head', 'leg'] });
    expect(() => new LocationInstability(OPTIONS).merge(other)).toThrow('same options');
  });
});
