import { Model } from '@unitscope/model';
import { emptyGraph, GraphBuilder } from '@unitscope/onnx';
import { Random, type Tensor } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import {
  collectTreeSamples,
  decodeTree,
  encodeTree,
  learnDecisionTree,
  parse,
  SampleCollector,
  type TreeSamples,
} from '../src/index.js';
import { randomSamples } from './support/random-samples.js';

const tensor = (dims: number[], values: number[]): Tensor => ({ dims, data: Float32Array.from(values) });

describe('pictures as a tree sees them', () => {
  it('by hand: two filters of 1 x 2 places', () => {
    const collector = new SampleCollector();
    // The third filter is dead on the positive pictures.
    collector.add(
      tensor([2, 3, 1, 2], [1, 3, 0, 2, 0, 0, 2, 2, 4, 2, 0, 0]),
      tensor([2, 3, 1, 2], [1, 1, 0, 1, 5, 5, 2, 0, 1, 1, 5, 5]),
      tensor([2], [3, 4]),
      [true, true],
    );
    collector.add(
      tensor([1, 3, 1, 2], [1, 1, 1, 1, 1, 1]),
      tensor([1, 3, 1, 2], [0, 0, 2, 2, 1, 1]),
      tensor([1], [-1]),
      [false],
    );
    const { samples, pictures, excluded, deadFilters } = collector.samples();
    expect([pictures, excluded, deadFilters]).toEqual([[0, 1, 2], [], [2]]);
    expect([...samples.scales]).toEqual([2, 2, 0]);
    expect([...samples.x]).toEqual([2, 1, 0, 2, 3, 0, 1, 1, 0]);
    // (2 / 2) * sums of the gradients: (2, 1), (2, 2), (0, 4).
    const [a, b] = [Math.sqrt(5), Math.sqrt(8)];
    expect([...samples.norms]).toEqual([a, b, 4].map((norm) => expect.closeTo(norm, 12)));
    const g = [2 / a, 1 / a, 0, 2 / b, 2 / b, 0, 0, 1, 0];
    expect([...samples.g]).toEqual(g.map((value) => expect.closeTo(value, 12)));
    expect([...samples.y]).toEqual([3 / a, 4 / b, -1 / 4].map((value) => expect.closeTo(value, 12)));
    expect(samples.b[0]).toBeCloseTo(3 / a - 5 / a, 12);
  });

  it('leaves out what has no gradient or is not finite, and says so', () => {
    const collector = new SampleCollector();
    collector.add(
      tensor([4, 1, 1, 1], [1, 1, Number.NaN, 1]),
      tensor([4, 1, 1, 1], [1, 0, 1, 2]),
      tensor([4], [1, 1, 1, 1]),
      [true, true, true, true],
    );
    const { pictures, excluded } = collector.samples();
    expect(pictures).toEqual([0, 3]);
    expect(excluded).toEqual([
      { picture: 1, reason: 'its score does not change with any filter' },
      { picture: 2, reason: 'its maps, gradients or score are not finite' },
    ]);
  });

  it('refuses what no tree can be learned from', () => {
    const collector = new SampleCollector();
    expect(() => collector.samples()).toThrow(/at least two pictures of the category.*there are none/);
    const one = tensor([1, 1, 1, 1], [1]);
    expect(() => collector.add(tensor([1, 4], [1, 1, 1, 1]), one, tensor([1], [1]), [true])).toThrow(
      /maps \[N, D, h, w\], the layer has dims \[1, 4\]/,
    );
    collector.add(one, one, tensor([1], [1]), [true]);
    expect(() => collector.samples()).toThrow(/there is one among 1 pictures/);
    const other = tensor([1, 2, 1, 1], [1, 1]);
    expect(() => collector.add(other, other, tensor([1], [1]), [true])).toThrow(/do not belong/);
  });
});

/** conv 3x3 -> ReLU -> Gemm of two scores; y = <g, x> + b exactly from the ReLU up. */
function network() {
  const random = new Random(4);
  const builder = new GraphBuilder(emptyGraph('tree', 18));
  const input = builder.input({ name: 'input', type: 'float32', dims: ['N', 1, 4, 4] });
  const floats = (dims: number[]) =>
    builder.floats(
      Array.from({ length: dims.reduce((a, b) => a * b) }, () => random.normal()),
      dims,
    );
  const conv = builder.node('Conv', [input, floats([3, 1, 3, 3])], { pads: [1, 1, 1, 1] }, { name: 'conv' });
  const relu = builder.node('Relu', [conv], {}, { name: 'relu' });
  const flat = builder.node('Flatten', [relu], { axis: 1 });
  const scores = builder.node('Gemm', [flat, floats([48, 2]), floats([2])], {}, { name: 'scores' });
  builder.output({ name: scores, type: 'float32', dims: ['N', 2] });
  return builder.build();
}

describe('pictures run through a network', () => {
  const random = new Random(9);
  const batch: Tensor = {
    dims: [6, 1, 4, 4],
    data: Float32Array.from({ length: 96 }, () => random.normal()),
  };
  const positive = [true, true, true, true, false, false];

  it('are those of its maps and gradients, of any batch and of either score', async () => {
    const model = await Model.load(network());
    const options = { layer: 'relu', target: 1 };
    const whole = await collectTreeSamples(model, [{ batch, positive }], options);
    const parts = [0, 1, 2].map((i) => ({
      batch: { dims: [2, 1, 4, 4], data: batch.data.subarray(32 * i, 32 * (i + 1)) },
      positive: positive.slice(2 * i, 2 * i + 2),
    }));
    const seen: number[] = [];
    const again = await collectTreeSamples(model, parts, { ...options, onProgress: (n) => seen.push(n) });
    expect(seen).toEqual([2, 4, 6]);
    expectSamples(again.samples, whole.samples);
    const outputs = Object.values(await model.run(batch))[0]!;
    const scores = [...whole.samples.y].map((value, n) => value * whole.samples.norms[n]!);
    expect(scores).toEqual([0, 1, 2, 3, 4, 5].map((n) => expect.closeTo(Number(outputs.data[2 * n + 1]), 4)));
    // A tree sees new pictures in its own units.
    const some = await collectTreeSamples(model, parts.slice(2), {
      ...options,
      scales: whole.samples.scales,
    });
    const filters = whole.samples.filters;
    expect([...some.samples.x]).toEqual([...whole.samples.x.subarray(4 * filters)]);
    await model.close();
  });

  it('are refused at a layer without maps', async () => {
    const model = await Model.load(network());
    await expect(collectTreeSamples(model, [], { layer: 'scores' })).rejects.toThrow(
      /scores has dims .* name a convolutional layer/,
    );
    await model.close();
  });
});

describe('a tree in a file', () => {
  it('is the same when it is read again', async () => {
    const samples = randomSamples({ positives: 8, negatives: 3, filters: 4, seed: 6 });
    const tree = await learnDecisionTree(samples, { neighbours: 4 });
    const read = decodeTree(encodeTree(tree), 'tree.npz');
    expect(read).toEqual(tree);
    for (const n of [0, 5, 9]) expect(parse(read, samples, n)).toEqual(parse(tree, samples, n));
  });

  it('is refused when it is something else', async () => {
    const samples = randomSamples({ positives: 3, negatives: 1, filters: 2, seed: 6 });
    const tree = await learnDecisionTree(samples);
    const spoilt = [
      { ...tree, top: [99] },
      { ...tree, nodes: tree.nodes.map((node) => ({ ...node, children: [node.id] })) },
      { ...tree, scales: new Float64Array(5) },
    ];
    for (const wrong of spoilt) {
      expect(() => decodeTree(encodeTree(wrong), 'tree.npz')).toThrow(
        expect.objectContaining({ code: 'bad-file', message: expect.stringContaining('tree.npz') }),
      );
    }
    expect(() => decodeTree(Uint8Array.of(1, 2, 3), 'tree.npz')).toThrow(/tree\.npz/);
  });
});

function expectSamples(got: TreeSamples, expected: TreeSamples): void {
  for (const key of ['x', 'g', 'y', 'b', 'norms', 'scales'] as const)
    expect([...got[key]]).toEqual([...expected[key]].map((value) => expect.closeTo(value, 5)));
  expect(got.positive).toEqual(expected.positive);
}
