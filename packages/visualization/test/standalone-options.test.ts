import { Model } from '@unitscope/model';
import { emptyGraph, type Graph, GraphBuilder, readModel, writeModel } from '@unitscope/onnx';
import { Random, sliceBatch, type Tensor } from '@unitscope/tensor';
import { afterAll, describe, expect, it } from 'vitest';
import {
  compareWithExplain,
  compileExplanation,
  explain,
  gradientMethod,
  methodNamed,
  type StandaloneOptions,
} from '../src/index.js';
import { distance, runOn } from './support/runtimes.js';
import { SIDE, smallNetwork } from './support/small-network.js';
import { PIXELS, scoreOf } from './support/standalone-reference.js';

const network = smallNetwork();
const opened: Model[] = [];
const load = async (graph: Graph, inputDims?: readonly (number | string)[]) => {
  const options = { engine: 'onnxruntime-node', ...(inputDims === undefined ? {} : { inputDims }) };
  const model = await Model.load(graph, options);
  opened.push(model);
  return model;
};
const model = await load(network);
afterAll(async () => {
  for (const one of opened) await one.close();
});

const pictures = (count: number, seed = 3): Tensor => new Random(seed).normalTensor([count, 2, SIDE, SIDE]);
const graphOf = (method: string, options?: StandaloneOptions, of = model): Graph =>
  compileExplanation(of, method, options).graph;

// As in standalone.test.ts: sums of at most 54 products through four layers forward and back, rounded to 24 bits.
const ROUNDING = 8 * 54 * 2 ** -24;

describe('an explanation as a file', () => {
  it('leaves the network as it is', () => {
    const before = writeModel(network);
    graphOf('guided-grad-cam');
    expect(Buffer.compare(before, writeModel(network))).toBe(0);
  });

  it.each(['max', 'mean'] as const)(
    'explains channels of a layer (%s), in every step the same unit',
    async (position) => {
      const unit = { layer: 'grouped', position };
      const batch = pictures(3);
      const feeds = { picture: batch, target: [0n, 5n, 2n] };
      const { map, score, chosen } = await runOn('web', graphOf('gradient', { unit }), feeds);
      for (const [n, channel] of [0, 5, 2].entries()) {
        const one = sliceBatch(batch, n, n + 1);
        const expected = await explain(model, gradientMethod, one, { unit: { ...unit, channel } });
        const actual = map!.data.slice(n * PIXELS, (n + 1) * PIXELS);
        expect(distance(actual, expected.map.data)).toBeLessThan(ROUNDING);
        expect(distance([score!.data[n]!], expected.score)).toBeLessThan(ROUNDING);
        const [y = 0, x = 0] = expected.position?.[0] ?? [];
        expect(chosen!.data[n]).toBe(position === 'mean' ? channel : channel * 9 + y * 3 + x);
      }
      // Without noise every step sees the picture itself.
      const smooth = await runOn('node', graphOf('smoothgrad', { unit, samples: 2, noise: 0 }), feeds);
      expect(distance(smooth['map']!.data, map!.data)).toBeLessThan(ROUNDING);
      const near = await compareWithExplain(model, compileExplanation(model, 'deconvnet', { unit }));
      expect(near).toMatchObject({ silent: false, scores: undefined });
      expect(near.map).toBeLessThan(ROUNDING);
    },
  );

  it.each([
    ['smoothgrad', { samples: 2 }, 2],
    ['gradient', {}, 'top1'],
    ['integrated-gradients', { steps: 2, unit: { layer: 'grouped' } }, 4],
  ] as const)('has no input for a target that is fixed: %s', async (method, options, target) => {
    const free = graphOf(method, options);
    const standalone = compileExplanation(model, method, { ...options, target });
    expect(standalone.graph.inputs.map(({ name }) => name)).toEqual(['picture']);
    expect(standalone.record.target).toBe(target);
    const picture = pictures(3);
    const aim = target === 'top1' ? -1n : BigInt(target);
    const expected = await runOn('node', free, { picture, target: [aim, aim, aim] });
    for (const runtime of ['node', 'web'] as const) {
      const { map, chosen } = await runOn(runtime, standalone.graph, { picture });
      expect(chosen).toEqual(expected['chosen']);
      expect(distance(map!.data, expected['map']!.data)).toBeLessThan(ROUNDING);
    }
    expect((await compareWithExplain(model, standalone)).map).toBeLessThan(ROUNDING);
  });

  it('keeps a batch axis the file fixes', async () => {
    const fixed = await load(smallNetwork(2));
    const standalone = compileExplanation(fixed, 'smoothgrad', { samples: 2 });
    expect(standalone.graph.inputs.map(({ dims }) => dims)).toEqual([[2, 2, SIDE, SIDE], [2]]);
    const feeds = { picture: pictures(2), target: [-1n, 1n] };
    const free = await runOn('node', graphOf('smoothgrad', { samples: 2 }), feeds);
    const { map } = await runOn('web', standalone.graph, feeds);
    expect(distance(map!.data, free['map']!.data)).toBeLessThan(ROUNDING);
    expect((await compareWithExplain(fixed, standalone)).map).toBeLessThan(ROUNDING);
  });

  it('takes the size that an open network was loaded with', async () => {
    const open = { ...network, inputs: [{ ...network.inputs[0]!, dims: ['N', 2, 'h', 'w'] }] };
    const sized = await load(open, ['N', 2, SIDE, SIDE]);
    const feeds = { picture: pictures(2), target: [0n, 1n] };
    const expected = await runOn('node', graphOf('grad-cam'), feeds);
    expect(await runOn('node', graphOf('grad-cam', {}, sized), feeds)).toEqual(expected);
  });

  it('has a map of zeros where Grad-CAM finds nothing for a class, and for a class there is not', async () => {
    const weights = network.initializers.get('w4')!;
    const data = Float32Array.from(weights.data as Float32Array, (_, i) => (i % 3 === 1 ? 0 : 1));
    const initializers = new Map(network.initializers).set('w4', { ...weights, data });
    const flat = await load({ ...network, initializers });
    for (const [graph, target] of [
      [graphOf('grad-cam', {}, flat), 1n],
      [graphOf('guided-backprop'), 3n],
    ] as const) {
      const { map, score } = await runOn('node', graph, { picture: pictures(1), target: [target] });
      expect(new Set(map!.data)).toEqual(new Set([0]));
      expect(score!.data).toHaveLength(1);
    }
    const { map, silent } = await compareWithExplain(
      flat,
      compileExplanation(flat, 'grad-cam', { target: 1 }),
    );
    expect([map, silent]).toEqual([0, true]);
  });

  it('adds up to the difference of the scores with integrated gradients', async () => {
    const graph = graphOf('integrated-gradients', { steps: 400, baseline: 0.1 });
    const { map, score, chosen } = await runOn('node', graph, { picture: pictures(1, 9), target: [-1n] });
    const sum = map!.data.reduce((total, value) => total + value, 0);
    const baseline = scoreOf(new Float64Array(PIXELS).fill(Math.fround(0.1)), chosen!.data[0]!);
    // The gradient jumps at kinks, each of which a step of 1/400 misses by half at most.
    expect(Math.abs(sum - (score!.data[0]! - baseline))).toBeLessThan(5e-3 * Math.abs(sum));
  });

  it('holds the weights of a last convolution once, which the backward pass alone needs flipped', async () => {
    const builder = new GraphBuilder(emptyGraph('conv', 18));
    const weight = (dims: readonly number[]) =>
      builder.constant({ type: 'float32', ...new Random(1).normalTensor(dims) });
    const input = builder.input({ name: 'picture', type: 'float32', dims: ['N', 2, SIDE, SIDE] });
    const relu = builder.node('Relu', [builder.node('Conv', [input, weight([5, 2, 3, 3])])]);
    const scores = builder.node('Conv', [builder.node('GlobalAveragePool', [relu]), weight([7, 5, 1, 1])]);
    builder.output({ name: builder.node('Flatten', [scores]), type: 'float32', dims: ['N', 7] });
    const all = await load(builder.build());
    for (const method of ['gradient', 'integrated-gradients']) {
      const { initializers } = graphOf(method, {}, all);
      const sizes = [...initializers.values()].filter(({ dims }) => dims.length === 4);
      expect(sizes.map(({ data }) => data.length).sort(), method).toEqual([35, 90]);
    }
  });

  it('draws other noise by another seed', async () => {
    const feeds = { picture: pictures(1), target: [0n] };
    const maps: (readonly number[])[] = [];
    for (const seed of [1, 1, 2]) {
      maps.push((await runOn('node', graphOf('smoothgrad', { samples: 2, seed }), feeds))['map']!.data);
    }
    expect(maps[1]).toEqual(maps[0]);
    expect(distance(maps[2]!, maps[0]!)).toBeGreaterThan(1e-3);
  });

  it('says that the method has nothing to rectify where there is no ReLU', async () => {
    const nodes = network.nodes.map((node) =>
      node.operator === 'Relu' ? { ...node, operator: 'Sigmoid' } : node,
    );
    const smooth = await load({ ...network, nodes });
    for (const method of ['guided-backprop', 'deconvolution']) {
      const { record } = compileExplanation(smooth, method);
      expect(record.notes.at(-1)).toMatch(/the network has no ReLU.*the map is the gradient/);
      const { notes } = await explain(smooth, methodNamed(method), pictures(1));
      expect(record.notes).toEqual(notes);
    }
    expect(compileExplanation(smooth, 'gradient').record.notes).toEqual([]);
  });

  it('is told from what explains otherwise', async () => {
    // The map of another method, and of another network.
    const { record } = compileExplanation(model, 'deconvnet');
    const wrong = await compareWithExplain(model, { record, graph: graphOf('gradient') });
    expect(wrong.map).toBeGreaterThan(0.05);
    const other = await load(readModel(writeModel({ ...network, name: 'another' })));
    await expect(compareWithExplain(other, compileExplanation(model, 'gradient'))).rejects.toMatchObject({
      code: 'wrong-use',
      message: expect.stringMatching(/another network/),
    });
  });

  it('refuses to be compared once it is aborted', async () => {
    const signal = AbortSignal.abort();
    await expect(
      compareWithExplain(model, compileExplanation(model, 'gradient'), { signal }),
    ).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('what cannot be a file', () => {
  const wrong = (method: string, options: StandaloneOptions, of = model) => {
    try {
      compileExplanation(of, method, options);
    } catch (error) {
      return error;
    }
    return undefined;
  };
  it.each<[string, string, StandaloneOptions, RegExp]>([
    [
      'a method there is not',
      'grad-cam++',
      {},
      /no method that a file can hold "grad-cam\+\+"; did you mean "grad-cam"/,
    ],
    ['a method of many forward passes', 'occlusion', {}, /no method that a file can hold "occlusion"/],
    [
      'a parameter of another method',
      'gradient',
      { steps: 5 },
      /gradient has no steps; it takes no parameters/,
    ],
    ['and of another still', 'grad-cam', { noise: 0.1 }, /grad-cam has no noise; it takes layer/],
    ['no steps', 'integrated-gradients', { steps: 0 }, /steps must be a whole number of at least 1, got 0/],
    ['too many steps', 'integrated-gradients', { steps: 1e5 }, /steps must be at most 10000, got 100000/],
    [
      'half a sample',
      'smoothgrad',
      { samples: 1.5 },
      /samples must be a whole number of at least 1, got 1.5/,
    ],
    ['negative noise', 'smoothgrad', { noise: -1 }, /noise must be a number of at least 0, got -1/],
    ['noise that is no number', 'smoothgrad', { noise: Number.NaN }, /noise must be a number.*got NaN/],
    [
      'a baseline beyond float32',
      'integrated-gradients',
      { baseline: 1e39 },
      /the baseline must be finite in float32, got 1e\+39/,
    ],
    [
      'a baseline of other channels',
      'integrated-gradients',
      { baseline: [0, 0, 0] },
      /one for each of 2 channels, got 0, 0, 0/,
    ],
    [
      'a negative seed',
      'smoothgrad',
      { seed: -1 },
      /seed must be a whole number from 0 to 4294967295, got -1/,
    ],
    [
      'a layer that makes no map',
      'grad-cam',
      { layer: 'scores' },
      /scores has dims \[N, 3\], Grad-CAM needs a layer with maps/,
    ],
    [
      'the highest channel',
      'gradient',
      { unit: { layer: 'grouped' }, target: 'top1' },
      /top1 is for classes/,
    ],
  ])('is refused: %s', (_, method, options, line) => {
    expect(wrong(method, options)).toMatchObject({ code: 'wrong-use', message: expect.stringMatching(line) });
  });

  it.each<[string, string, StandaloneOptions, RegExp]>([
    ['layer of Grad-CAM', 'grad-cam', { layer: 'lst' }, /no layer "lst"; did you mean "last"/],
    ['layer', 'gradient', { unit: { layer: 'grouped2' } }, /no layer "grouped2"/],
    ['class', 'gradient', { target: 3 }, /no class 3; the network has the classes 0 to 2/],
    ['channel', 'gradient', { unit: { layer: 'grouped' }, target: 6 }, /no unit 6; .* 0 to 5/],
  ])('is refused: a %s there is not', (_, method, options, line) => {
    expect(wrong(method, options)).toMatchObject({ code: 'not-found', message: expect.stringMatching(line) });
  });

  const named = (name: string): Graph => ({
    ...network,
    inputs: [{ ...network.inputs[0]!, name }],
    nodes: network.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map((input) => (input === 'picture' ? name : input)),
    })),
  });
  const exotic = {
    ...network,
    nodes: network.nodes.map((node) => (node.name === 'relu2' ? { ...node, operator: 'Bernoulli' } : node)),
  };
  const maps = {
    ...network,
    outputs: [{ name: network.nodes[4]!.outputs[0]!, type: 'float32' as const, dims: undefined }],
  };
  const open = { ...network, inputs: [{ ...network.inputs[0]!, dims: ['N', 2, 'h', 'w'] }] };
  it.each<[string, Graph, string, RegExp]>([
    ['pictures of any size', open, 'wrong-use', /pictures of any size.*--size H,W/],
    [
      'an input with the name of a value of the file',
      named('scores'),
      'unsupported',
      /input is called "scores".*rename it/,
    ],
    ['an operator without a rule', exotic, 'unsupported', /relu2 \(Bernoulli\)/],
    ['scores that are maps', maps, 'unsupported', /class scores must be \[N, K\]; explain a unit/],
  ])('is refused: a network with %s', async (_, graph, code, line) => {
    expect(wrong('gradient', {}, await load(graph))).toMatchObject({
      code,
      message: expect.stringMatching(line),
    });
  });
});
