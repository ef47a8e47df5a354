import { deconvnet, gradient, guidedBackprop, withAssignments } from '@unitscope/autodiff';
import { type Engine, Model, openEngine } from '@unitscope/model';
import { centralDifference, evaluate, type Graph } from '@unitscope/onnx';
import { Random, type Tensor } from '@unitscope/tensor';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CONFIGURATIONS } from './support/engines.js';
import { slowNetwork, tinyNetwork } from './support/networks.js';

const picture = (count: number, side = 8, seed = 5) => new Random(seed).normalTensor([count, 3, side, side]);

/** dS/dpicture by central differences in double precision, S being an element of a value of one sample. */
function differences(graph: Graph, value: string, element: number, sample: Tensor): number[] {
  const scoreAt = (data: Float64Array) =>
    Number(
      evaluate(graph, { picture: { dims: sample.dims, data } }, { outputs: [value] }).get(value)!.data[
        element
      ],
    );
  const all = Array.from(sample.data, (_, i) => i);
  return [...centralDifference(scoreAt, Float64Array.from(sample.data), 1e-4, all)];
}

function worst(actual: ArrayLike<number>, expected: readonly number[]): number {
  const largest = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((value, i) => Math.abs(actual[i]! - value))) / largest;
}

const sampleOf = (batch: Tensor, i: number): Tensor => {
  const size = batch.data.length / batch.dims[0]!;
  return { dims: [1, ...batch.dims.slice(1)], data: batch.data.subarray(i * size, (i + 1) * size) };
};

describe.each(CONFIGURATIONS)('on $engine, lowering $lowering:', ({ engine: name, lowering }) => {
  let loads = 0;
  /** The real engine, with a count of the graphs it has loaded. */
  let engine: Engine;
  beforeAll(async () => {
    const real = await openEngine(name);
    engine = {
      name: real.name,
      versions: real.versions,
      lowerings: real.lowerings,
      load: (graph, options) => {
        loads++;
        return real.load(graph, options);
      },
      close: () => real.close(),
    };
  });
  afterAll(() => engine.close());

  const open: Model[] = [];
  async function load(graph: Graph, options: Parameters<typeof Model.load>[1] = {}): Promise<Model> {
    const model = await Model.load(graph, { engine, lowering, ...options });
    open.push(model);
    return model;
  }
  afterEach(() => Promise.all(open.splice(0).map((model) => model.close())));

  describe('Pullback of a class', () => {
    const graph = tinyNetwork();
    let model: Model;
    beforeAll(async () => {
      model = await Model.load(graph, { engine, lowering });
    });
    afterAll(() => model.close());

    it('is the derivative of the score', async () => {
      const batch = picture(2);
      const pullback = await model.pullback({ kind: 'class' });
      const { signal, score, target, position } = await pullback.run(batch, [3, 1]);
      expect([signal.dims, score!.dims, target, position]).toEqual([[2, 3, 8, 8], [2], [3, 1], undefined]);
      const logits = evaluate(graph, { picture: batch }).get('fc:out')!;
      [3, 1].forEach((chosen, i) => {
        expect(score!.data[i]).toBeCloseTo(Number(logits.data[i * 5 + chosen]), 4);
        const expected = differences(graph, 'fc:out', chosen, sampleOf(batch, i));
        expect(worst(sampleOf(signal, i).data, expected)).toBeLessThan(1e-4);
      });
    });

    it('explains the probability too', async () => {
      const batch = picture(1);
      const pullback = await model.pullback({ kind: 'class', score: 'probability' });
      const { signal, score } = await pullback.run(batch, 2);
      expect(score!.data[0]).toBeCloseTo(
        Number(evaluate(graph, { picture: batch }).get('softmax:out')!.data[2]),
        5,
      );
      expect(worst(signal.data, differences(graph, 'softmax:out', 2, batch))).toBeLessThan(1e-4);
    });

    it('takes the highest class of each sample by default', async () => {
      const batch = new Random(6).normalTensor([12, 3, 8, 8], 0, 4);
      let different = 0;
      for (let seed = 1; seed <= 5; seed++) {
        const each = await load(tinyNetwork({ seed }));
        const logits = (await each.run(batch))['fc:out']!.data;
        const expected = Array.from({ length: 12 }, (_, i) => {
          const row = Array.from(logits.slice(i * 5, i * 5 + 5), Number);
          return row.indexOf(Math.max(...row));
        });
        different = Math.max(different, new Set(expected).size);
        expect((await (await each.pullback({ kind: 'class' })).run(batch)).target).toEqual(expected);
      }
      expect(different).toBeGreaterThan(1);
    });

    it('runs in parts with the targets that belong to them', async () => {
      const batch = picture(5);
      const targets = [0, 1, 2, 3, 4];
      const parts = await load(graph, { batchSize: 2 });
      const [whole, cut] = await Promise.all(
        [model, parts].map(async (one) => (await one.pullback({ kind: 'class' })).run(batch, targets)),
      );
      expect(cut!.target).toEqual(targets);
      expect(worst(cut!.signal.data, [...whole!.signal.data])).toBeLessThan(1e-6);
      expect(worst(cut!.score!.data, [...whole!.score!.data])).toBeLessThan(1e-6);
    });

    it('goes back to a layer and gives activations besides', async () => {
      const batch = picture(2);
      const pullback = await model.pullback(
        { kind: 'class' },
        { wrt: 'last-conv', outputs: ['last-conv', 'fc'] },
      );
      const { signal, outputs } = await pullback.run(batch, 1);
      const activations = await model.activations(['conv2', 'fc'], batch);
      expect(signal.dims).toEqual([2, 5, 2, 2]);
      expect(
        worst(outputs.get('last-conv')!.data, Array.from(activations.get('conv2')!.data, Number)),
      ).toBeLessThan(1e-6);
      expect(outputs.get('fc')!.dims).toEqual([2, 5]);
      // fc's weight spread over the four positions where the ReLU lets through: every sample has equal signals there.
      const weights = graph.initializers.get('w3')!.data;
      const conv2 = activations.get('conv2')!.data;
      const expected = Array.from(conv2, (value, i) => {
        const channel = Math.floor(i / 4) % 5;
        return Number(value) > 0 ? Number(weights[channel * 5 + 1]) / 4 : 0;
      });
      expect(worst(signal.data, expected)).toBeLessThan(1e-6);
    });

    it('tells its rules, which the method chooses', async () => {
      const rules = async (composite: typeof gradient) => {
        const pullback = await model.pullback({ kind: 'class' }, { composite });
        expect(pullback.method).toBe(composite.name);
        const { plan } = await pullback.run(picture(1));
        return plan.find(({ node }) => node === 'relu')!.rule;
      };
      const chosen = [await rules(gradient), await rules(guidedBackprop), await rules(deconvnet)];
      expect(new Set(chosen).size).toBe(3);
    });

    it('loads one graph for all classes, and one for each objective and method', async () => {
      const fresh = await load(graph);
      loads = 0;
      const batch = picture(1);
      for (const target of [0, 1, 2, 'top1'] as const)
        await (await fresh.pullback({ kind: 'class' })).run(batch, target);
      expect(loads).toBe(1);
      await (await fresh.pullback({ kind: 'class' }, { composite: guidedBackprop })).run(batch, 0);
      await (await fresh.pullback({ kind: 'unit', layer: 'relu' })).run(batch, 0);
      await (await fresh.pullback({ kind: 'unit', layer: 'relu:out' })).run(batch, 3);
      expect(loads).toBe(3);
      // The same name with other rules is another method.
      await (await fresh.pullback({ kind: 'class' }, { composite: withAssignments(guidedBackprop, []) })).run(
        batch,
        0,
      );
      expect(loads).toBe(4);
    });

    it('holds no more sessions than its bound, and still runs every one', async () => {
      const fresh = await load(graph);
      const batch = picture(1);
      loads = 0;
      const pullbacks = [];
      for (let i = 0; i < 20; i++) {
        pullbacks.push(await fresh.pullback({ kind: 'class' }, { composite: withAssignments(gradient, []) }));
      }
      const first = await pullbacks[0]!.run(batch, 2);
      for (const pullback of pullbacks) await pullback.run(batch, 2);
      expect(loads).toBe(20);
      const again = await pullbacks[0]!.run(batch, 2);
      expect(loads).toBe(21);
      expect(again.signal).toEqual(first.signal);
    });
  });

  describe('Pullback of a unit', () => {
    const graph = tinyNetwork();
    const batch = picture(2);

    it('is the derivative of the activation at a position', async () => {
      const model = await load(graph);
      const pullback = await model.pullback({ kind: 'unit', layer: 'relu', position: 'given' });
      const activation = (await model.activations(['relu'], batch)).get('relu')!;
      const at = { channel: 2, position: [3, 5] } as const;
      const element = 2 * 64 + 3 * 8 + 5;
      const { signal, score, target, position } = await pullback.run(batch, [at, at]);
      expect([target, position]).toEqual([
        [2, 2],
        [at.position, at.position],
      ]);
      expect(score!.data[1]).toBeCloseTo(Number(activation.data[4 * 64 + element]), 5);
      [0, 1].forEach((i) => {
        const expected = differences(graph, 'relu:out', element, sampleOf(batch, i));
        const got = [...sampleOf(signal, i).data];
        if (expected.every((value) => value === 0)) expect(got.every((value) => value === 0)).toBe(true);
        else expect(worst(got, expected)).toBeLessThan(1e-4);
      });
    });

    it('finds where the unit is strongest', async () => {
      const model = await load(graph);
      const { score, position, target } = await (await model.pullback({ kind: 'unit', layer: 'conv' })).run(
        batch,
        [1, 3],
      );
      const { data } = (await model.activations(['conv'], batch)).get('conv')!;
      expect(target).toEqual([1, 3]);
      [1, 3].forEach((channel, i) => {
        const map = Array.from(data, Number).slice((i * 4 + channel) * 64, (i * 4 + channel + 1) * 64);
        const index = map.indexOf(Math.max(...map));
        expect(position![i]).toEqual([Math.floor(index / 8), index % 8]);
        expect(score!.data[i]).toBeCloseTo(map[index]!, 5);
      });
    });

    it('takes the mean over the map', async () => {
      const model = await load(graph);
      const pullback = await model.pullback({ kind: 'unit', layer: 'conv2', position: 'mean' });
      const { signal, score, target, position } = await pullback.run(batch, 4);
      expect([target, position]).toEqual([[4, 4], undefined]);
      const { data } = (await model.activations(['conv2'], batch)).get('conv2')!;
      const mean = [16, 17, 18, 19].reduce((sum, i) => sum + Number(data[i]) / 4, 0);
      expect(score!.data[0]).toBeCloseTo(mean, 5);
      expect(signal.dims).toEqual([2, 3, 8, 8]);
    });
  });

  describe('Pullback of a seed', () => {
    it('carries any signal back, linearly', async () => {
      const model = await load(tinyNetwork());
      const batch = picture(2);
      const pullback = await model.pullback({ kind: 'seed', layer: 'fc' });
      const seedOf = (values: readonly number[]) => ({
        dims: [2, 5],
        data: Float32Array.from([...values, ...values]),
      });
      const { signal, score, target } = await pullback.run(batch, seedOf([0, 1, 0, -2, 0]));
      expect([score, target]).toEqual([undefined, undefined]);
      const ofClass = await model.pullback({ kind: 'class' });
      const [one, three] = await Promise.all([ofClass.run(batch, 1), ofClass.run(batch, 3)]);
      const expected = Array.from(one.signal.data, (value, i) => value - 2 * three.signal.data[i]!);
      expect(worst(signal.data, expected)).toBeLessThan(1e-5);
      const short = { dims: [1, 5], data: new Float32Array(5) };
      await expect(pullback.run(batch, short)).rejects.toThrow('the seed must be float32 [2, 5], got [1, 5]');
      await expect(pullback.run(batch, 1)).rejects.toThrow('got none');
      await expect(ofClass.run(batch, short)).rejects.toMatchObject({ code: 'wrong-use' });
    });
  });

  describe('Pullback of a linear objective', () => {
    const graph = tinyNetwork();
    const layers = ['relu', 'conv2', 'fc'];
    const dims: readonly (readonly number[])[] = [
      [2, 4, 8, 8],
      [2, 5, 2, 2],
      [2, 5],
    ];
    const coefficients = new Map(
      layers.map((layer, i) => [layer, new Random(20 + i).normalTensor(dims[i]!)] as const),
    );

    it('is the derivative of the sum over several layers, one on the way to another', async () => {
      const model = await load(graph);
      const batch = picture(2);
      const pullback = await model.pullback({ kind: 'linear', layers });
      const { signal, score, target } = await pullback.run(batch, coefficients);
      expect([target, score!.dims]).toEqual([undefined, [2]]);
      const values = layers.map((layer) => model.layer(layer).value);
      for (const sample of [0, 1]) {
        const one = sampleOf(batch, sample);
        const sumAt = (data: Float64Array) => {
          const found = evaluate(graph, { picture: { dims: one.dims, data } }, { outputs: values });
          return layers.reduce((sum, layer, i) => {
            const given = sampleOf(coefficients.get(layer)!, sample).data;
            const value = found.get(values[i]!)!.data;
            return sum + given.reduce((part, c, j) => part + c * Number(value[j]), 0);
          }, 0);
        };
        const start = Float64Array.from(one.data);
        const all = Array.from(start, (_, i) => i);
        expect(
          worst(sampleOf(signal, sample).data, [...centralDifference(sumAt, start, 1e-4, all)]),
        ).toBeLessThan(1e-4);
        expect(Math.abs(score!.data[sample]! - sumAt(start))).toBeLessThan(
          1e-4 * Math.max(1, Math.abs(sumAt(start))),
        );
      }
    });

    it('refuses what does not fit, in one line', async () => {
      const model = await load(graph);
      const pullback = await model.pullback({ kind: 'linear', layers });
      const batch = picture(2);
      await expect(pullback.run(batch, 1)).rejects.toThrow(
        'the coefficients of relu must be float32 [2, 4, 8, 8], got none',
      );
      const short = new Map(coefficients).set('fc', { dims: [1, 5], data: new Float32Array(5) });
      await expect(pullback.run(batch, short)).rejects.toThrow(
        'the coefficients of fc must be float32 [2, 5], got [1, 5]',
      );
      await expect(model.pullback({ kind: 'linear', layers: ['fc', 'fc:out'] })).rejects.toThrow(
        'named twice',
      );
      await expect(model.pullback({ kind: 'linear', layers: [] })).rejects.toThrow('at least one value');
      const ofClass = await model.pullback({ kind: 'class' });
      await expect(ofClass.run(batch, coefficients)).rejects.toMatchObject({ code: 'wrong-use' });
    });
  });

  describe('Pullback of a network that takes any size', () => {
    it('is compiled for the size of the picture', async () => {
      const graph = tinyNetwork({ dims: ['N', 3, 'h', 'w'] });
      const model = await load(graph);
      const pullback = await model.pullback({ kind: 'class' });
      expect(() => pullback.compiled).toThrow('takes pictures of any size');
      for (const side of [8, 11, 8]) {
        const batch = picture(1, side);
        const { signal } = await pullback.run(batch, 0);
        expect(worst(signal.data, differences(graph, 'fc:out', 0, batch))).toBeLessThan(1e-4);
        expect(pullback.compiled.graph.inputs.map(({ name }) => name)).toContain('picture');
      }
      const sized = await load(graph, { inputDims: ['N', 3, 8, 8] });
      expect((await sized.pullback({ kind: 'class' })).compiled.plan.length).toBeGreaterThan(5);
    });

    it('runs sample by sample where the file fixes the batch', async () => {
      const model = await load(tinyNetwork({ dims: [1, 3, 8, 8] }));
      const free = await load(tinyNetwork());
      const batch = picture(3);
      const [one, all] = await Promise.all(
        [model, free].map(async (each) => (await each.pullback({ kind: 'class' })).run(batch, [0, 1, 2])),
      );
      expect(one!.target).toEqual([0, 1, 2]);
      expect(worst(one!.signal.data, [...all!.signal.data])).toBeLessThan(1e-6);
    });
  });

  describe('what a pullback refuses', () => {
    it('names that do not exist', async () => {
      const model = await load(tinyNetwork());
      await expect(model.pullback({ kind: 'unit', layer: 'rellu' })).rejects.toThrow('did you mean "relu"?');
      await expect(model.pullback({ kind: 'class' }, { wrt: 'conv9' })).rejects.toMatchObject({
        code: 'not-found',
      });
      await expect(model.pullback({ kind: 'class', output: 'fc:ot' })).rejects.toThrow(
        'did you mean "fc:out"?',
      );
      await expect((await model.pullback({ kind: 'class' })).run(picture(1), 5)).rejects.toThrow(
        'no class 5; the network has the classes 0 to 4',
      );
    });

    it('an objective that does not depend on the layer', async () => {
      const model = await load(tinyNetwork());
      const backwards = model.pullback({ kind: 'unit', layer: 'conv' }, { wrt: 'conv2' });
      await expect(backwards).rejects.toMatchObject({ code: 'unsupported' });
    });

    it('a batch that does not fit', async () => {
      const model = await load(tinyNetwork());
      const pullback = await model.pullback({ kind: 'class' });
      await expect(pullback.run(picture(1, 9))).rejects.toMatchObject({ code: 'bad-input' });
      await expect(pullback.run(picture(1), 0, { signal: AbortSignal.abort() })).rejects.toMatchObject({
        code: 'aborted',
      });
      await model.close();
      await expect(pullback.run(picture(1))).rejects.toMatchObject({ code: 'wrong-use' });
    });

    it('can be aborted in the middle', async () => {
      const model = await load(slowNetwork(128, 30), { batchSize: 2 });
      const pullback = await model.pullback({ kind: 'class' });
      const batch = { dims: [40, 128], data: new Float32Array(40 * 128).fill(1) };
      const stop = new AbortController();
      const run = pullback.run(batch, 0, { signal: stop.signal, onProgress: () => stop.abort() });
      await expect(run).rejects.toMatchObject({ code: 'aborted' });
      expect((await pullback.run(batch, 0)).signal.dims).toEqual([40, 128]);
    });
  });
});
