import { compile, gradient } from '@unitscope/autodiff';
import { miGradientSync } from '@unitscope/kernels';
import { decodeState, encodeState } from '@unitscope/metrics';
import { centralDifference, emptyGraph, evaluate, type Graph, GraphBuilder } from '@unitscope/onnx';
import { Random, type Tensor } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InterpretableLayer, maskSubgraph, type ZMode } from '../src/index.js';
import { expectClose, largestOf, randomMaps } from './support/arrays.js';
import { slowLogZ, slowLoss, slowScores } from './support/filter-loss.js';
import { alternating, constant, labelled, layerOf } from './support/layers.js';

describe('filterLoss of the paper', () => {
  it('is the loss and its gradient by finite differences, Z of the batch differentiated', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          batch: fc.integer({ min: 2, max: 4 }),
          channels: fc.integer({ min: 1, max: 3 }),
          size: fc.integer({ min: 2, max: 6 }),
          beta: fc.constantFrom(2, 4, 5),
          lambda: fc.constantFrom(1, 0.25),
          seed: fc.integer({ min: 1, max: 99 }),
        }),
        async ({ batch, channels, size, beta, lambda, seed }) => {
          const x = randomMaps([batch, channels, size, size], seed, 20);
          const layer = layerOf(x, { zMode: 'exact', beta, strength: { kind: 'constant', lambda } });
          const prior = { beta, tau: 0.5 / size ** 2, alpha: size ** 2 / (size ** 2 + 1) };
          const found = await layer.filterLoss(x, alternating(batch));
          const loss = (data: Float64Array) => slowLoss({ dims: x.dims, data }, prior);
          expectClose(found.loss.data, loss(Float64Array.from(x.data)), 1e-5, 1e-9);
          const random = new Random(seed);
          const chosen = Array.from({ length: 5 }, () => random.integer(0, x.data.length - 1));
          const differences = centralDifference(
            (data) => loss(data).reduce((sum, value) => sum + lambda * value, 0),
            Float64Array.from(x.data),
            1e-3,
            chosen,
          );
          const scale = largestOf(found.gradient.data);
          chosen.forEach((at, i) => {
            expect(Math.abs(found.gradient.data[at]! - differences[i]!)).toBeLessThanOrEqual(1e-5 * scale);
          });
        },
      ),
      { numRuns: 15, seed: 3 },
    );
  });

  it('keeps Z over batches: a batch seen twice has the Z, loss and frozen gradient it has alone', async () => {
    const x = randomMaps([3, 2, 5, 5], 4, 10);
    const layer = layerOf(x, { zMode: 'frozen', strength: constant });
    const first = await layer.filterLoss(x, alternating(3));
    const second = await layer.filterLoss(x, alternating(3));
    expectClose(second.loss.data, first.loss.data, 1e-5);
    expectClose(second.gradient.data, first.gradient.data, 1e-4, 1e-6 * largestOf(first.gradient.data));
    const other = randomMaps([3, 2, 5, 5], 5, 40);
    await layer.filterLoss(other, alternating(3));
    const third = await layer.filterLoss(x, alternating(3));
    expect(Math.abs(third.loss.data[0]! - first.loss.data[0]!)).toBeGreaterThan(
      1e-3 * Math.abs(first.loss.data[0]!),
    );
  });

  it('forgets Z two epochs after', async () => {
    const x = randomMaps([3, 2, 5, 5], 4, 10);
    const fresh = await layerOf(x, { zMode: 'frozen', strength: constant }).filterLoss(x, alternating(3));
    const layer = layerOf(x, { zMode: 'frozen', strength: constant });
    await layer.filterLoss(randomMaps([3, 2, 5, 5], 5, 40), alternating(3));
    layer.state.startEpoch(2);
    layer.state.startEpoch(3);
    expect((await layer.filterLoss(x, alternating(3))).loss.data).toEqual(fresh.loss.data);
  });

  it('weakens with the epoch and grows with the mean activation, a moving average', async () => {
    const x = randomMaps([4, 3, 4, 4], 6, 5);
    const layer = layerOf(x);
    const mean = (of: Tensor, channel: number) =>
      [0, 1, 2, 3].reduce((sum, image) => {
        const from = (image * 3 + channel) * 16;
        return sum + Math.max(...of.data.subarray(from, from + 16)) / 4;
      }, 0);
    const { strengths } = await layer.filterLoss(x, alternating(4));
    expectClose(
      strengths,
      [0, 1, 2].map((channel) => mean(x, channel)),
      1e-6,
    );
    layer.state.startEpoch(4);
    const y = randomMaps([4, 3, 4, 4], 7, 9);
    const later = await layer.filterLoss(y, alternating(4));
    expectClose(
      later.strengths,
      [0, 1, 2].map((channel) => (0.9 * mean(x, channel) + 0.1 * mean(y, channel)) / 4),
      1e-6,
    );
  });

  it('takes one template: of the part for the category, the negative one for others, none for a map of zeros', async () => {
    const x = randomMaps([4, 2, 5, 5], 9, 10);
    x.data.fill(0, 0, 25);
    const layer = layerOf(x, { strength: constant });
    const { gradient: dx, targets } = await layer.filterLoss(x, labelled([[1], [1], [0], [0]]));
    expect(Array.from(targets.data)).toEqual([1, 1, 1, 1, 0, 0, 0, 0]);
    expect(dx.data.subarray(0, 25).every((value) => value === 0)).toBe(true);
    const map = dx.data.subarray(3 * 25, 4 * 25);
    const part = x.data.subarray(3 * 25, 4 * 25);
    const peak = part.indexOf(Math.max(...part));
    // A template is 1 at its part and -1 far away.
    expect(map[peak]).toBe(Math.fround(largestOf(map) * Math.sign(map[peak]!)));
    expect(new Set(dx.data.subarray(6 * 25, 7 * 25)).size).toBe(1);
  });

  it('finds the categories of filters, and keeps those it had before a batch', async () => {
    const x = randomMaps([2, 2, 4, 4], 2);
    // Filter 0 speaks for category 1, filter 1 for category 0.
    x.data.fill(0, 0, 16);
    x.data.fill(0, 3 * 16, 4 * 16);
    const labels = labelled([
      [1, 0],
      [0, 1],
    ]);
    const layer = layerOf(x, { categories: 2 });
    const first = await layer.filterLoss(x, labels);
    expect(Array.from(first.targets.data)).toEqual([1, 1, 1, 1]);
    expect(Array.from(layer.state.categories)).toEqual([1, 0]);
    const second = await layer.filterLoss(x, labels);
    expect(Array.from(second.targets.data)).toEqual([0, 1, 1, 0]);
  });
});

describe('a strength by magnitude', () => {
  it.each(['paper', 'released'] as const)('is what it says, %s', async (reading) => {
    const x = randomMaps([6, 3, 5, 5], 3, 4);
    const layer = layerOf(x, { reading, strength: { kind: 'magnitude', magnitude: 0.5 } });
    layer.state.startEpoch(2);
    const labels = labelled([[1], [0], [1], [1], [0], [0]]);
    const { gradient: dx } = await layer.filterLoss(x, labels);
    for (let channel = 0; channel < 3; channel++) {
      const peak = (image: number) =>
        largestOf(dx.data.subarray((image * 3 + channel) * 25, (image * 3 + channel + 1) * 25));
      const mean = (images: readonly number[]) =>
        images.reduce((sum, image) => sum + peak(image), 0) / images.length;
      expect(mean([0, 2, 3])).toBeCloseTo(0.5 / (2 * 6), 6);
      expect(mean([1, 4, 5])).toBeCloseTo(0.5 / (2 * 6), 6);
    }
  });
});

describe('filterLoss of the released code', () => {
  it('is the kernel of what the code adds, where no mean is negative', async () => {
    // Activations of about 1 have strengths that hardly differ, so all v are positive.
    const x = randomMaps([5, 4, 6, 6], 8);
    const labels = labelled([[1], [1], [0], [1], [0]]);
    const layer = layerOf(x, { reading: 'released', slopeRate: 0 });
    layer.state.startEpoch(3);
    const { gradient: dx, targets } = await layer.filterLoss(x, labels);
    const kernel = miGradientSync(x, { mode: 'released', targets, magnitude: 1e-6 / 3 }).dx.data;
    expectClose(
      dx.data.map((value) => value * 5),
      kernel,
      1e-5,
      1e-6 * largestOf(kernel),
    );
  });

  it('moves slopes towards what the spread asks for, weighed by the strengths', async () => {
    // One cell in the middle and its four neighbours: all mass at a distance of 0 or 1.
    const data = new Float32Array(2 * 49);
    for (const image of [0, 1]) {
      data[image * 49 + 24] = 2;
      for (const at of [17, 23, 25, 31]) data[image * 49 + at] = 0.5;
    }
    const x = { dims: [2, 1, 7, 7], data };
    const layer = layerOf(x, { reading: 'released', slopeRate: 0.25 });
    await layer.filterLoss(x, labelled([[1], [0]]));
    // The spread is sqrt(2 / 4), 3 over it is above 3.
    expectClose(layer.state.slopes, [2 + 0.25 * (3 - 2)], 1e-6);
  });
});

/** A convolution, a ReLU, the mask, another convolution and the mean: two scores. */
function network(options: { readonly reading?: 'paper' | 'released' } = {}): Graph {
  const random = new Random(12);
  const builder = new GraphBuilder(emptyGraph('small', 18));
  const weight = (dims: readonly number[], name: string) =>
    builder.constant({ type: 'float32', ...random.normalTensor(dims, 0, 0.6) }, name);
  const input = builder.input({ name: 'input', type: 'float32', dims: ['N', 2, 8, 8] });
  const conv = builder.node('Conv', [input, weight([4, 2, 3, 3], 'w1'), weight([4], 'b1')], {});
  const maps = builder.node('Relu', [conv], {}, { name: 'maps' });
  const { masked } = maskSubgraph(builder, maps, { channels: 4, height: 6, width: 6 }, options);
  const above = builder.node('Conv', [masked, weight([3, 4, 3, 3], 'w2')], {});
  const squashed = builder.node('Tanh', [above]);
  const flat = builder.node('Flatten', [builder.node('GlobalAveragePool', [squashed])]);
  const scores = builder.node('Gemm', [flat, weight([3, 2], 'w3')], {}, { name: 'scores' });
  builder.output({ name: scores, type: 'float32', dims: ['N', 2] });
  return builder.build();
}

describe('the total gradient (Eq 10)', () => {
  it.each(['exact', 'frozen'] as const)(
    'of softmax loss and filter losses is that of finite differences down to the picture, Z %s',
    async (zMode: ZMode) => {
      const graph = network();
      const x = new Random(5).normalTensor([3, 2, 8, 8], 0, 2);
      const labels = [0, 1, 1];
      const lambda = 30;
      const layer = new InterpretableLayer(
        { channels: 4, height: 6, width: 6 },
        { zMode, strength: { kind: 'constant', lambda } },
      );
      const prior = { beta: 4, tau: 0.5 / 36, alpha: 36 / 37 };
      const forward = (data: Float64Array) =>
        evaluate(graph, { input: { dims: x.dims, data } }, { outputs: ['maps:out', 'scores:out'] });
      const values = forward(Float64Array.from(x.data));
      const maps = values.get('maps:out')!;
      const single = { dims: maps.dims, data: Float32Array.from(maps.data) };
      const logZ = slowLogZ(slowScores(maps, prior));
      const classification = (scores: Float64Array) =>
        labels.reduce((sum, label, i) => {
          const [a, b] = [scores[2 * i]!, scores[2 * i + 1]!];
          return sum + (Math.log(Math.exp(a) + Math.exp(b)) - scores[2 * i + label]!) / labels.length;
        }, 0);
      const total = (data: Float64Array) => {
        const found = forward(data);
        const losses = slowLoss(found.get('maps:out')!, prior, zMode === 'frozen' ? logZ : undefined);
        return (
          classification(found.get('scores:out')!.data) + lambda * losses.reduce((sum, loss) => sum + loss, 0)
        );
      };

      // dL/dy of the softmax loss, to the maps, plus the filter losses, to the picture.
      const scores = values.get('scores:out')!.data;
      const slope = Float64Array.from(scores, (score, at) => {
        const [a, b] = [scores[at - (at % 2)]!, scores[at - (at % 2) + 1]!];
        const chosen = labels[Math.floor(at / 2)] === at % 2 ? 1 : 0;
        return (Math.exp(score) / (Math.exp(a) + Math.exp(b)) - chosen) / labels.length;
      });
      const signalTo = (from: string, to: string, seed: Float64Array, dims: readonly number[]) => {
        const compiled = compile(graph, {
          objective: { kind: 'seed', value: from },
          wrt: [to],
          composite: gradient,
        });
        const feeds = { input: x, [compiled.targetInput]: { dims, data: seed } };
        return evaluate(compiled.graph, feeds).get(compiled.signals.get(to)!)!.data;
      };
      const atMaps = signalTo('scores:out', 'maps:out', slope, [3, 2]);
      const filters = (await layer.filterLoss(single, labelled([[1], [0], [1]]))).gradient.data;
      const share = largestOf(filters) / largestOf(atMaps);
      expect(share).toBeGreaterThan(0.01);
      const sum = atMaps.map((value, at) => value + filters[at]!);
      const found = signalTo('maps:out', 'input', sum, maps.dims);
      const random = new Random(2);
      const chosen = Array.from({ length: 12 }, () => random.integer(0, x.data.length - 1));
      const differences = centralDifference(total, Float64Array.from(x.data), 1e-6, chosen);
      const scale = largestOf(found);
      chosen.forEach((at, i) => {
        expect(Math.abs(found[at]! - differences[i]!)).toBeLessThanOrEqual(2e-6 * scale);
      });
    },
  );
});

describe('the state of a layer', () => {
  it.each(['paper', 'released'] as const)('goes on with the same bits, %s', async (reading) => {
    const make = () =>
      new InterpretableLayer({ channels: 3, height: 5, width: 5 }, { reading, categories: 2 });
    const batch = (seed: number) =>
      [
        randomMaps([4, 3, 5, 5], seed, 3),
        labelled([
          [1, 0],
          [0, 1],
          [1, 1],
          [0, 0],
        ]),
      ] as const;
    const whole = make();
    const cut = make();
    for (const seed of [1, 2]) for (const layer of [whole, cut]) await layer.filterLoss(...batch(seed));
    const resumed = make();
    resumed.restore(decodeState(encodeState(cut.toState()), 'layer'));
    for (const layer of [whole, resumed]) layer.state.startEpoch(2);
    for (const seed of [3, 4, 5]) {
      const [a, b] = [await whole.filterLoss(...batch(seed)), await resumed.filterLoss(...batch(seed))];
      expect(b).toEqual(a);
    }
    expect(encodeState(resumed.toState())).toEqual(encodeState(whole.toState()));
  });

  it('is refused by a layer of another shape or other options', () => {
    const saved = encodeState(new InterpretableLayer({ channels: 3, height: 5, width: 5 }).toState());
    const refuses = (layer: InterpretableLayer, line: RegExp) =>
      expect(() => layer.restore(decodeState(saved, 'layer.npz'))).toThrow(line);
    refuses(new InterpretableLayer({ channels: 4, height: 5, width: 5 }), /layer\.npz.* of another layer/);
    refuses(new InterpretableLayer({ channels: 3, height: 5, width: 5 }, { beta: 3 }), /other options/);
  });
});

describe('what an interpretable layer refuses', () => {
  const shape = { channels: 2, height: 4, width: 4 };

  it.each([
    [{ alpha: 1 }, /alpha cannot be 1/],
    [{ tau: 0 }, /tau cannot be 0/],
    [{ beta: Number.NaN }, /beta cannot be NaN/],
    [{ categories: 0 }, /categories cannot be 0/],
    [{ slopeRate: 0.1 }, /"released" only/],
    [{ categories: 2, densities: [0.5] }, /one for each of 2 categories/],
    [{ strength: { kind: 'activation', scale: -1 } }, /scale cannot be -1/],
  ] as const)('options that cannot be: %j', (options, line) => {
    expect(() => new InterpretableLayer(shape, options)).toThrow(line);
  });

  it('maps and labels that do not fit, having learned nothing', async () => {
    const layer = new InterpretableLayer(shape);
    const x = randomMaps([2, 2, 4, 4], 1);
    const before = encodeState(layer.toState());
    await expect(layer.filterLoss(randomMaps([2, 3, 4, 4], 1), alternating(2))).rejects.toThrow(
      /maps must be/,
    );
    await expect(layer.filterLoss(x, alternating(3))).rejects.toThrow(/labels must be \[2, 1\]/);
    x.data[40] = Number.NaN;
    await expect(layer.filterLoss(x, alternating(2))).rejects.toThrow(
      /picture 1 and filter 0 is not finite; lower the learning rate/,
    );
    expect(encodeState(layer.toState())).toEqual(before);
    const wide = new InterpretableLayer({ channels: 2, height: 4, width: 5 });
    await expect(wide.forward(randomMaps([1, 2, 4, 5], 1))).rejects.toThrow(/square maps/);
    expect(() => layer.state.startEpoch(0)).toThrow(/epochs count from 1/);
  });
});
