import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Model } from '@unitscope/model';
import { emptyGraph, GraphBuilder } from '@unitscope/onnx';
import { Random, sliceBatch, type Tensor, UnitscopeError } from '@unitscope/tensor';
import fc from 'fast-check';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { iterateLayer, startLayer } from '../src/explanatory-graph/learn-layer.js';
import {
  graphParameters,
  learnExplanatoryGraph,
  mirrorBatch,
  type PictureSource,
  PlaceDeviations,
  type PrepareOptions,
  parsePictures,
  prepareFeatures,
  prepareMaps,
  removeFeatures,
} from '../src/index.js';

// Graphs are learned here: on a machine that does other things besides that takes its time.
vi.setConfig({ testTimeout: 120_000 });

const folder = mkdtempSync(join(tmpdir(), 'unitscope-features-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function failure(action: () => Promise<unknown>): Promise<string> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof UnitscopeError)) throw error;
    return `${error.code}: ${error.message}`;
  }
  throw new Error('nothing was thrown');
}

describe('the deviation of places', () => {
  it('is the definition’s, however pictures come in batches', () => {
    const cases = fc.record({
      pictures: fc.integer({ min: 1, max: 8 }),
      filters: fc.integer({ min: 1, max: 3 }),
      cut: fc.integer({ min: 0, max: 8 }),
      offset: fc.constantFrom(0, 1, -1000),
      seed: fc.integer({ min: 0, max: 1000 }),
    });
    fc.assert(
      fc.property(cases, ({ pictures, filters, cut, offset, seed }) => {
        const maps = new Random(seed).normalTensor([pictures, filters, 2, 3], offset);
        const [whole, parts] = [new PlaceDeviations([filters, 2, 3]), new PlaceDeviations([filters, 2, 3])];
        whole.add(maps);
        const at = Math.min(cut, pictures);
        parts.add(sliceBatch(maps, 0, at));
        parts.add(sliceBatch(maps, at, pictures));
        expect(parts).toEqual(whole);
        const size = filters * 6;
        const slow = Array.from({ length: size }, (_, i) => {
          const values = Array.from({ length: pictures }, (__, p) => maps.data[p * size + i]!);
          const mean = values.reduce((sum, value) => sum + value, 0) / pictures;
          return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / pictures);
        });
        const scale = whole.scale();
        for (let filter = 0; filter < filters; filter++) {
          const own = slow.slice(6 * filter, 6 * filter + 6);
          const least = 0.01 * Math.sqrt(own.reduce((sum, value) => sum + value * value, 0) / 6);
          for (const [i, value] of own.entries())
            expect(scale.data[6 * filter + i]!).toBeCloseTo(Math.max(least, value), 5);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('is guarded where a place, or a whole filter, does not vary', () => {
    const deviations = new PlaceDeviations([2, 1, 2]);
    deviations.add({ dims: [2, 2, 1, 2], data: Float32Array.of(5, 1, 3, 3, 5, 3, 3, 3) });
    const scale = deviations.scale();
    expect(scale.data[1]).toBe(1);
    expect(scale.data[0]).toBeCloseTo(0.01 * Math.sqrt(0.5), 8);
    expect(Array.from(scale.data.subarray(2))).toEqual([0, 0]);
    const maps = { dims: [1, 2, 1, 2], data: Float32Array.of(1, 4, 9, 9) };
    expect(Array.from(prepareMaps(maps, scale, { quantised: false }).data.subarray(1))).toEqual([4, -1, -1]);
  });
});

describe('prepared maps', () => {
  const ones = (dims: readonly number[], value = 1): Tensor => ({
    dims,
    data: new Float32Array(dims.reduce((size, side) => size * side, 1)).fill(value),
  });

  it('are divided where active, and -1 elsewhere', () => {
    const maps = { dims: [1, 1, 2, 2], data: Float32Array.of(-3, 0, 1, 6) };
    expect(Array.from(prepareMaps(maps, ones([1, 2, 2], 2), { quantised: false }).data)).toEqual([
      -1, -1, 0.5, 3,
    ]);
  });

  it('have 256 levels when quantised, none farther than half a level', () => {
    const maps = new Random(3).normalTensor([1, 1, 40, 40]);
    const exact = prepareMaps(maps, ones([1, 40, 40]), { quantised: false }).data;
    const rounded = prepareMaps(maps, ones([1, 40, 40]), { quantised: true }).data;
    const step = (Math.max(...exact) + 1) / 255;
    expect(new Set(rounded).size).toBeLessThanOrEqual(256);
    exact.forEach((value, i) => {
      // Half a level below zero counts as inactive.
      const isInactive = rounded[i] === -1;
      if (isInactive) expect(value).toBeLessThan(step);
      else expect(Math.abs(value - rounded[i]!)).toBeLessThanOrEqual(step / 2 + 1e-6);
    });
  });

  it('must fit, and be finite', () => {
    expect(() => prepareMaps(ones([1, 2, 2, 2]), ones([1, 2, 2]), { quantised: false })).toThrow(
      /maps must be/,
    );
    const broken = ones([1, 1, 2, 2], Number.NaN);
    expect(() => prepareMaps(broken, ones([1, 2, 2]), { quantised: false })).toThrow(/activation 0 is NaN/);
  });
});

const example = fileURLToPath(
  new URL('../../../../shared/spec/explanatory_graph_step.json', import.meta.url),
);
const there = existsSync(example);
if (!there) console.warn(`the explanatory graph's worked example is skipped: there is no ${example}`);

describe.skipIf(!there)('the worked example', () => {
  it('is one iteration of the top layer', async () => {
    const golden = JSON.parse(readFileSync(example, 'utf8'));
    const maps: Tensor = {
      dims: [2, 1, 8, 8],
      data: Float32Array.from(golden.feature_maps_inactive_is_minus1.flat(2)),
    };
    const geometry = { name: 'l', filters: 1, height: 8, width: 8, stride: [1, 1], centre: [0, 0] } as const;
    const { range, smoothing } = {
      range: golden.config.maxRange / 2,
      smoothing: golden.config.map_delta / 8,
    };
    const parameters = graphParameters({
      flip: false,
      range,
      smoothing,
      tau: golden.config.validTau,
      eta: golden.config.eta,
      initialSigma: golden.config.init_delta,
    });
    const state = startLayer(geometry, 2, 2, parameters, 0);
    expect(Array.from(state.sigma.data)).toEqual(golden.deform0);
    state.coord.data.set(golden.coord_1based.flat().map((value: number) => value - 1));
    const scale = { dims: [1, 8, 8], data: new Float32Array(64).fill(1) };
    await iterateLayer(state, {
      features: {
        input: [8, 8],
        layers: [{ ...geometry, scale }],
        pictures: 2,
        chunks: [0, 1].map((start) => ({ start, count: 1 })),
        mirrored: false,
        read: async (_, chunk) => sliceBatch(maps, chunk, chunk + 1),
      },
      layer: 0,
      parameters,
      upper: undefined,
      mirrored: new Uint8Array(2),
      kernel: {},
      signal: undefined,
    });
    golden.coord_after.flat().forEach((value: number, i: number) => {
      expect(state.coord.data[i]! + 1).toBeCloseTo(value, 6);
    });
    golden.deform_after.forEach((value: number, i: number) => {
      expect(state.sigma.data[i]).toBeCloseTo(value, 9);
    });
    const scores: number[] = golden.per_image.flatMap((image: { score: number[] }) => image.score);
    scores.forEach((value, i) => {
      expect(state.score.data[i]).toBeCloseTo(value, 6);
    });
    const [first, second]: number[] = golden.sum_P;
    expect(state.strength.data[0]! / state.strength.data[1]!).toBeCloseTo(first! / second!, 6);
  });
});

/** Two convolutions, the second behind a pooling. */
function network() {
  const random = new Random(7);
  const builder = new GraphBuilder(emptyGraph('two', 18));
  const weight = (dims: readonly number[], name: string) =>
    builder.constant({ type: 'float32', dims, data: random.normalTensor(dims, 0, 0.5).data }, name);
  const input = builder.input({ name: 'picture', type: 'float32', dims: ['N', 3, 16, 16] });
  const pads = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
  const low = builder.node('Conv', [input, weight([4, 3, 3, 3], 'w1')], pads, { name: 'low' });
  const relu = builder.node('Relu', [low], {}, { name: 'relu' });
  const pool = builder.node('MaxPool', [relu], { kernel_shape: [2, 2], strides: [2, 2] }, { name: 'pool' });
  const top = builder.node('Conv', [pool, weight([3, 4, 3, 3], 'w2')], pads, { name: 'top' });
  const mean = builder.node('GlobalAveragePool', [top], {}, { name: 'mean' });
  const flat = builder.node('Flatten', [mean], { axis: 1 }, { name: 'flat' });
  builder.output({ name: flat, type: 'float32', dims: ['N', 3] });
  return builder.build();
}

describe('features on the disk', async () => {
  const model = await Model.load(network());
  afterAll(() => model.close());
  const all = new Random(5).normalTensor([10, 3, 16, 16]);
  /** The pictures three at a time, of which every fourth cannot be used; failing before picture `failing`. */
  const sourceOf = (failing = Number.POSITIVE_INFINITY): PictureSource =>
    async function* source(done) {
      for (let start = done; start < 10; start += 3) {
        if (start >= failing) throw new UnitscopeError('bad-file', 'the disk is gone');
        const end = Math.min(10, start + 3);
        const numbers = Array.from({ length: end - start }, (_, i) => start + i).filter((i) => i % 4 !== 3);
        const data = Float32Array.from(numbers.flatMap((i) => Array.from(sliceBatch(all, i, i + 1).data)));
        const skipped = [3, 7]
          .filter((i) => i >= start && i < end)
          .map((number) => ({ number, id: `${number}.png`, reason: 'it is broken' }));
        yield { skipped, inputs: { dims: [numbers.length, 3, 16, 16], data }, numbers, done: end };
      }
    };
  const optionsFor = (name: string): PrepareOptions => ({
    folder: join(folder, name),
    identity: 'these',
    layers: ['top', 'low'],
    pictures: sourceOf(),
    mirrored: true,
    quantised: false,
  });

  it('are the network’s, of pictures and of mirror images', async () => {
    const features = await prepareFeatures(model, optionsFor('plain'));
    expect(features).toMatchObject({
      input: [16, 16],
      pictures: 8,
      mirrored: true,
      numbers: [0, 1, 2, 4, 5, 6, 8, 9],
    });
    expect(features.chunks).toEqual([
      { start: 0, count: 3 },
      { start: 3, count: 2 },
      { start: 5, count: 2 },
      { start: 7, count: 1 },
    ]);
    const used = {
      dims: [8, 3, 16, 16],
      data: Float32Array.from(features.numbers.flatMap((i) => Array.from(sliceBatch(all, i, i + 1).data))),
    };
    for (const turned of [false, true]) {
      const maps = await model.activations(['top', 'low'], turned ? mirrorBatch(used) : used);
      for (const [layer, { name, scale, stride }] of features.layers.entries()) {
        const expected = prepareMaps(maps.get(name)!, scale, { quantised: false });
        const read = await Promise.all(
          features.chunks.map((_, chunk) => features.read(layer, chunk, turned)),
        );
        const joined = read.flatMap(({ data }) => Array.from(data));
        const difference = expected.data.reduce(
          (most, value, i) => Math.max(most, Math.abs(value - joined[i]!)),
          0,
        );
        // The network runs other batches here.
        expect(difference).toBeLessThan(1e-4);
        expect(stride).toEqual(layer === 0 ? [2, 2] : [1, 1]);
      }
    }
    // What is read of mirrored pictures differs: that they never do is a known defect of public code.
    expect(await features.read(0, 0, true)).not.toEqual(await features.read(0, 0, false));
  });

  it('are gone on with after an error, to the same bits', async () => {
    const whole = optionsFor('whole');
    const features = await prepareFeatures(model, whole);
    const stopped = optionsFor('stopped');
    for (const failing of [3, 6, 9]) {
      // The deviations are measured first, of pictures that are all there.
      const options = { ...stopped, pictures: sourceOf(failing), negatives: sourceOf() };
      expect(await failure(() => prepareFeatures(model, options))).toBe('bad-file: the disk is gone');
    }
    const resumed = await prepareFeatures(model, { ...stopped, negatives: sourceOf() });
    expect(resumed.numbers).toEqual(features.numbers);
    expect(resumed.skipped.map(({ id }) => id)).toEqual(['3.png', '7.png']);
    expect(resumed.skipped).toEqual(features.skipped);
    const maps = readdirSync(whole.folder).filter((name) => name.endsWith('.npy'));
    expect(readdirSync(stopped.folder).filter((name) => name.endsWith('.npy'))).toEqual(maps);
    expect(maps).toHaveLength(16);
    for (const name of maps)
      expect(readFileSync(join(stopped.folder, name)).equals(readFileSync(join(whole.folder, name)))).toBe(
        true,
      );
    // Nothing is run any more when all is there.
    const broken = { ...whole, pictures: sourceOf(0) };
    expect((await prepareFeatures(model, broken)).pictures).toBe(8);
    await removeFeatures(whole.folder);
    expect(existsSync(whole.folder)).toBe(false);
  });

  it('stop when they are told to', async () => {
    const stop = new AbortController();
    const options = { ...optionsFor('aborted'), signal: stop.signal, onProgress: () => stop.abort() };
    expect(await failure(() => prepareFeatures(model, options))).toMatch(/^aborted: /);
    expect((await prepareFeatures(model, optionsFor('aborted'))).pictures).toBe(8);
  });

  it('are refused of other pictures, damaged, of layers without maps, and of none', async () => {
    const options = optionsFor('refused');
    const features = await prepareFeatures(model, options);
    const line = await failure(() => prepareFeatures(model, { ...options, identity: 'others' }));
    expect(line).toMatch(/^wrong-use: .*scale\.npz belongs to another run/);
    writeFileSync(join(options.folder, 'layer0-chunk1.npy'), 'no array');
    expect(await failure(() => features.read(0, 1, false))).toMatch(/^bad-file: .*layer0-chunk1\.npy/);
    rmSync(join(options.folder, 'layer0-chunk1.npy'));
    expect(await failure(() => features.read(0, 1, false))).toMatch(/^bad-file: cannot read maps/);
    writeFileSync(join(options.folder, 'chunks.npz'), 'no state');
    expect(await failure(() => prepareFeatures(model, options))).toMatch(/^bad-file: .*chunks\.npz/);
    expect(await failure(() => prepareFeatures(model, { ...optionsFor('x'), layers: ['flat'] }))).toMatch(
      /^unsupported: layer flat gives no maps/,
    );
    expect(
      await failure(() => prepareFeatures(model, { ...optionsFor('x'), layers: ['top', 'top'] })),
    ).toMatch(/^wrong-use: layer top is named twice/);
    const nothing: PictureSource = async function* source() {};
    expect(await failure(() => prepareFeatures(model, { ...optionsFor('y'), pictures: nothing }))).toMatch(
      /^bad-input: there are no pictures/,
    );
  });

  it('make a graph that the network’s pictures are parsed by', async () => {
    const features = await prepareFeatures(model, optionsFor('learned'));
    const graph = await learnExplanatoryGraph(features, { parameters: { iterations: 3 } });
    const picture = sliceBatch(all, 3, 4);
    const parse = await parsePictures(model, graph, picture);
    const turned = await parsePictures(model, graph, mirrorBatch(picture));
    // The mirror image is the same thing the other way round: what is found in it is found, mirrored.
    expect(parse.mirrored[0]! + turned.mirrored[0]!).toBe(1);
    for (const [i, { pixel, score }] of parse.layers.entries()) {
      score.data.forEach((value, node) => {
        expect(turned.layers[i]!.score.data[node]).toBeCloseTo(value, 4);
      });
      pixel.data.forEach((value, at) => {
        const other = turned.layers[i]!.pixel.data[at]!;
        expect(at % 2 === 0 ? other : 15 - other).toBeCloseTo(value, 3);
      });
    }
  });
});
