import { Model } from '@unitscope/model';
import { emptyGraph, type Graph, GraphBuilder } from '@unitscope/onnx';
import { Random, type Tensor } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  explain,
  gradCamMethod,
  gradient,
  guidedBackpropMethod,
  guidedGradCamMethod,
  inputTimesGradient,
  integratedGradientsMethod,
  occlusionMethod,
  quadrature,
  smoothGradMethod,
  smoothGradSquaredMethod,
  varGradMethod,
} from '../src/index.js';

const SIDE = 6;

/** Convolutions of 3x3 with an activation after each, the mean over the map, three scores. */
function smallNetwork(seed: number, activation: 'Relu' | 'Softplus' | 'Identity', layers = 2): Graph {
  const random = new Random(seed);
  const builder = new GraphBuilder(emptyGraph('small', 18));
  const weight = (dims: readonly number[]) =>
    builder.constant({ type: 'float32', dims, data: random.normalTensor(dims, 0, 0.4).data }, 'w');
  let value = builder.input({ name: 'input', type: 'float32', dims: ['N', 2, SIDE, SIDE] });
  for (let i = 0; i < layers; i++) {
    const channels = i === 0 ? 2 : 3;
    const inputs = [value, weight([3, channels, 3, 3]), weight([3])];
    value = builder.node('Conv', inputs, { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }, { name: `conv${i}` });
    value = builder.node(activation, [value], {}, { name: `act${i}` });
  }
  const mean = builder.node('GlobalAveragePool', [value]);
  const flat = builder.node('Flatten', [mean], { axis: 1 });
  const scores = builder.node('Gemm', [flat, weight([3, 3]), weight([3])]);
  builder.output({ name: scores, type: 'float32', dims: ['N', 3] });
  return builder.build();
}

const picturesOf = (seed: number, count = 2): Tensor => new Random(seed).normalTensor([count, 2, SIDE, SIDE]);

async function withNetwork<R>(graph: Graph, task: (model: Model) => Promise<R>): Promise<R> {
  const model = await Model.load(graph);
  try {
    return await task(model);
  } finally {
    await model.close();
  }
}

function expectNear(actual: Tensor, expected: Tensor, tolerance = 1e-5): void {
  expect(actual.dims).toEqual(expected.dims);
  const scale = expected.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const worst = actual.data.reduce(
    (most, value, i) => Math.max(most, Math.abs(value - expected.data[i]!)),
    0,
  );
  expect(worst).toBeLessThanOrEqual(tolerance * Math.max(scale, 1e-6));
}

describe('quadrature', () => {
  it.each([1, 2, 3, 7, 50, 200])(
    'Gauss-Legendre of %i nodes is exact for polynomials of degree 2n - 1',
    (n) => {
      const { nodes, weights } = quadrature('gauss-legendre', n);
      for (const degree of [0, 1, n, 2 * n - 1]) {
        const mean = nodes.reduce((sum, node, i) => sum + weights[i]! * node ** degree, 0);
        expect(mean * (degree + 1)).toBeCloseTo(1, 10);
      }
      expect(nodes.every((node, i) => node > (nodes[i - 1] ?? 0) && node < 1)).toBe(true);
    },
  );

  it('of the midpoint rule is exact for lines and no more', () => {
    const { nodes, weights } = quadrature('midpoint', 4);
    expect(nodes).toEqual([0.125, 0.375, 0.625, 0.875]);
    expect(weights).toEqual([0.25, 0.25, 0.25, 0.25]);
  });
});

describe('integrated gradients', () => {
  it('add up to the change of the score, from any baseline', async () => {
    const networks = fc.record({ seed: fc.nat(1000), baseline: fc.double({ min: -1, max: 1, noNaN: true }) });
    await fc.assert(
      fc.asyncProperty(networks, ({ seed, baseline }) =>
        withNetwork(smallNetwork(seed, 'Softplus'), async (model) => {
          const result = await explain(model, integratedGradientsMethod({ baseline }), picturesOf(seed));
          for (const { sum, score, baselineScore, difference } of result.completeness!) {
            expect(difference).toBeCloseTo(sum - (score - baselineScore), 10);
            expect(Math.abs(difference)).toBeLessThan(1e-4 * Math.max(1, Math.abs(score)));
          }
          expect(result.notes).toEqual([]);
        }),
      ),
      { numRuns: 8 },
    );
  });

  it('of a linear network are input times gradient', async () => {
    await withNetwork(smallNetwork(3, 'Identity'), async (model) => {
      const batch = picturesOf(5);
      const { map } = await explain(model, integratedGradientsMethod({ steps: 3 }), batch);
      expectNear(map, (await inputTimesGradient(model, batch)).map);
    });
  });

  it('have a note where too few steps miss the change of the score', async () => {
    await withNetwork(smallNetwork(11, 'Relu', 3), async (model) => {
      const batch = { dims: [1, 2, SIDE, SIDE], data: picturesOf(2, 1).data.map((value) => 40 * value) };
      const method = integratedGradientsMethod({ quadrature: { nodes: [0.001], weights: [1] } });
      const { notes } = await explain(model, method, batch);
      expect(notes).toEqual([expect.stringContaining('misses the change of the score by more than 5 %')]);
    });
  });

  it('do not depend on the batch, nor on how it is cut', async () => {
    const graph = smallNetwork(4, 'Relu');
    const batch = picturesOf(6, 5);
    const method = integratedGradientsMethod({ steps: 7 });
    const whole = await withNetwork(graph, (model) => explain(model, method, batch));
    const model = await Model.load(graph, { batchSize: 3 });
    expectNear((await explain(model, method, batch)).map, whole.map);
    await model.close();
  });

  it('refuse less than a step and a baseline that does not fit', async () => {
    expect(() => integratedGradientsMethod({ steps: 0 })).toThrow(
      'steps must be a whole number of at least 1, got 0',
    );
    await withNetwork(smallNetwork(1, 'Relu'), async (model) => {
      const baseline: Tensor = { dims: [1, 2, 3, 3], data: new Float32Array(18) };
      const wrong = explain(model, integratedGradientsMethod({ baseline }), picturesOf(1));
      await expect(wrong).rejects.toMatchObject({
        code: 'bad-input',
        message: 'the baseline must have dims [1, 2, 6, 6], got [1, 2, 3, 3]',
      });
      const colors = explain(model, integratedGradientsMethod({ baseline: [1, 2, 3] }), picturesOf(1));
      await expect(colors).rejects.toMatchObject({ code: 'wrong-use' });
    });
  });
});

describe('over noisy copies', () => {
  it('a linear network has its gradient, and no variance', async () => {
    await withNetwork(smallNetwork(8, 'Identity'), async (model) => {
      const batch = picturesOf(1);
      const { map } = await gradient(model, batch);
      expectNear((await explain(model, smoothGradMethod({ samples: 3 }), batch)).map, map);
      const squared = { dims: map.dims, data: map.data.map((value) => value * value) };
      expectNear((await explain(model, smoothGradSquaredMethod({ samples: 3 }), batch)).map, squared);
      const variance = (await explain(model, varGradMethod({ samples: 3 }), batch)).map;
      expect(Math.max(...variance.data)).toBeLessThan(1e-6 * Math.max(...squared.data));
    });
  });

  it('is what single copies give, averaged', async () => {
    await withNetwork(smallNetwork(9, 'Relu'), async (model) => {
      const batch = picturesOf(2, 1);
      const given = new Random(3).normalTensor([4, 2, SIDE, SIDE], 0, 0.7);
      const { target } = await gradient(model, batch);
      const length = batch.data.length;
      const mean = new Float64Array(length);
      for (let copy = 0; copy < 4; copy++) {
        const data = batch.data.map((value, i) => value + given.data[copy * length + i]!);
        const { map } = await explain(model, guidedBackpropMethod, { dims: batch.dims, data }, { target });
        for (let i = 0; i < length; i++) mean[i]! += map.data[i]! / 4;
      }
      const method = smoothGradMethod({ given, base: guidedBackpropMethod });
      const result = await explain(model, method, batch);
      expectNear(result.map, { dims: batch.dims, data: Float32Array.from(mean) });
      expect(result.parameters).toEqual({ samples: 4, base: 'guided-backprop', noise: 'given' });
    });
  });

  it('is the same for a seed, whatever the batch, and another for another', async () => {
    await withNetwork(smallNetwork(9, 'Relu'), async (model) => {
      const batch = picturesOf(2, 3);
      const second = { dims: [1, 2, SIDE, SIDE], data: batch.data.slice(72, 144) };
      const of = async (seed: number, pictures: Tensor) =>
        (await explain(model, smoothGradMethod({ samples: 4, seed }), pictures)).map;
      const whole = await of(1, batch);
      expectNear(await of(1, second), { dims: second.dims, data: whole.data.slice(72, 144) });
      expect((await of(2, batch)).data).not.toEqual(whole.data);
    });
  });

  it('refuses noise that cannot be', async () => {
    expect(() => smoothGradMethod({ noise: -1 })).toThrow('noise must be a number of at least 0, got -1');
    expect(() => varGradMethod({ samples: 1.5 })).toThrow('samples must be a whole number');
    await withNetwork(smallNetwork(1, 'Relu'), async (model) => {
      const given = new Random(1).normalTensor([2, 1, SIDE, SIDE]);
      const wrong = explain(model, smoothGradMethod({ given }), picturesOf(1));
      await expect(wrong).rejects.toMatchObject({ code: 'bad-input' });
    });
  });
});

describe('Grad-CAM', () => {
  it('has its last convolution, and is zero where nothing speaks for the class', async () => {
    await withNetwork(smallNetwork(5, 'Relu'), async (model) => {
      const batch = picturesOf(7, 3);
      const named = await explain(model, gradCamMethod({ layer: 'conv1' }), batch);
      const { map, form } = await explain(model, gradCamMethod(), batch);
      expect([map.dims, form]).toEqual([[3, 1, SIDE, SIDE], 'magnitude']);
      expect(map.data).toEqual(named.map.data);
      expect(Math.min(...map.data)).toBeGreaterThanOrEqual(0);
    });
  });

  it('guided: guided backpropagation times the map', async () => {
    await withNetwork(smallNetwork(5, 'Relu'), async (model) => {
      const batch = picturesOf(7);
      const cam = await explain(model, gradCamMethod(), batch);
      const guided = await explain(model, guidedBackpropMethod, batch);
      const { map } = await explain(model, guidedGradCamMethod(), batch);
      const plane = SIDE * SIDE;
      const product = guided.map.data.map(
        (value, i) => value * cam.map.data[Math.floor(i / (2 * plane)) * plane + (i % plane)]!,
      );
      expectNear(map, { dims: batch.dims, data: product });
    });
  });

  it('refuses layers without maps, and networks without a convolution', async () => {
    await withNetwork(smallNetwork(5, 'Relu'), async (model) => {
      const flat = model.layers.find(({ operator }) => operator === 'Flatten')!;
      const wrong = explain(model, gradCamMethod({ layer: flat.name }), picturesOf(1));
      await expect(wrong).rejects.toMatchObject({
        code: 'wrong-use',
        message: expect.stringContaining('maps'),
      });
    });
    const builder = new GraphBuilder(emptyGraph('flat', 18));
    const input = builder.input({ name: 'x', type: 'float32', dims: ['N', 4] });
    const weights = builder.floats([1, 2, 3, 4, 5, 6, 7, 8], [4, 2]);
    builder.output({ name: builder.node('MatMul', [input, weights]), type: 'float32', dims: ['N', 2] });
    await withNetwork(builder.build(), async (model) => {
      const wrong = explain(model, gradCamMethod(), { dims: [1, 4], data: new Float32Array(4) });
      await expect(wrong).rejects.toMatchObject({ code: 'not-found' });
    });
  });
});

describe('occlusion', () => {
  it('is the mean fall of the score over the windows that cover a pixel', async () => {
    await withNetwork(smallNetwork(6, 'Relu'), async (model) => {
      const batch = picturesOf(3, 1);
      const target = 1;
      const scoreOf = async (pictures: Tensor) => (await gradient(model, pictures, { target })).score[0]!;
      const [window, stride, baseline] = [3, 2, 0.5];
      const plain = await scoreOf(batch);
      const sums = new Array<number>(SIDE * SIDE).fill(0);
      const counts = new Array<number>(SIDE * SIDE).fill(0);
      // Windows begin at 0, 2 and 4; the last is cut at the edge.
      for (let top = 0; top < 6; top += stride) {
        for (let left = 0; left < 6; left += stride) {
          const inside = (pixel: number) => {
            const [y, x] = [Math.floor(pixel / SIDE), pixel % SIDE];
            return y >= top && y < top + window && x >= left && x < left + window;
          };
          const data = batch.data.map((value, i) => (inside(i % (SIDE * SIDE)) ? baseline : value));
          const fall = plain - (await scoreOf({ dims: batch.dims, data }));
          for (let pixel = 0; pixel < SIDE * SIDE; pixel++) {
            if (!inside(pixel)) continue;
            sums[pixel]! += fall;
            counts[pixel]!++;
          }
        }
      }
      const method = occlusionMethod({ window: [window, window], stride: [stride, stride], baseline });
      const { map, plan } = await explain(model, method, batch, { target });
      const data = Float32Array.from(sums, (sum, pixel) => sum / counts[pixel]!);
      expectNear(map, { dims: [1, 1, SIDE, SIDE], data });
      expect(plan).toEqual([]);
    });
  });

  it('explains units and probabilities', async () => {
    await withNetwork(smallNetwork(6, 'Relu'), async (model) => {
      const batch = picturesOf(3);
      const unit = { layer: 'act0', channel: 1 };
      const direct = await explain(model, gradCamMethod({ layer: 'conv0' }), batch, { unit });
      const covered = await explain(model, occlusionMethod(), batch, { unit });
      expect(covered.position).toEqual(direct.position);
      expect(covered.score).toEqual(direct.score);
      const options = { score: 'probability' } as const;
      const [{ score }, reference] = [
        await explain(model, occlusionMethod(), batch, options),
        await gradient(model, batch, options),
      ];
      for (const [n, value] of score.entries()) expect(value).toBeCloseTo(reference.score[n]!, 5);
    });
  });

  it('refuses windows that do not fit and strides that leave gaps', async () => {
    await withNetwork(smallNetwork(6, 'Relu'), async (model) => {
      const large = explain(model, occlusionMethod({ window: [7, 2] }), picturesOf(1));
      await expect(large).rejects.toThrow('a window of 7x2 does not fit a picture of 6x6');
      const gaps = explain(model, occlusionMethod({ window: [2, 2], stride: [3, 1] }), picturesOf(1));
      await expect(gaps).rejects.toThrow('leaves pixels that no window of 2x2 covers');
    });
  });
});

it('methods of many passes report every picture, and stop when they are told to', async () => {
  await withNetwork(smallNetwork(6, 'Relu'), async (model) => {
    const seen: (readonly [number, number | undefined])[] = [];
    const onProgress = ({ done, total }: { done: number; total: number | undefined }) =>
      seen.push([done, total]);
    await explain(model, integratedGradientsMethod({ steps: 9 }), picturesOf(1), { onProgress });
    expect(seen.at(-1)).toEqual([18, 18]);
    expect(seen.every(([done], i) => done > (seen[i - 1]?.[0] ?? 0))).toBe(true);
    const controller = new AbortController();
    const stopped = explain(model, smoothGradMethod({ samples: 1000 }), picturesOf(1), {
      signal: controller.signal,
      onProgress: ({ done }) => {
        if (done > 20) controller.abort();
      },
    });
    await expect(stopped).rejects.toMatchObject({ code: 'aborted' });
  });
});
