import { spearman } from '@unitscope/metrics';
import { emptyGraph, evaluate, type Graph, GraphBuilder } from '@unitscope/onnx';
import { concatBatch, Random, sliceBatch, type Tensor } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import {
  checkParameterRandomisation,
  explain,
  gradientMethod,
  methodNamed,
  randomiseLayers,
  spreadLayers,
  verdictOf,
  weightedLayers,
} from '../src/index.js';
import { Golden, goldensAreThere } from './support/goldens.js';
import { load } from './support/open-models.js';

/** conv1 - batch normalisation - relu - conv2 (a weight that is a node) - relu - MatMul and Add - Gemm (shares conv1's bias). */
function network(seed = 3, side = 24): Graph {
  const random = new Random(seed);
  const builder = new GraphBuilder(emptyGraph('layered', 18));
  const weight = (name: string, dims: readonly number[]) =>
    builder.constant({ type: 'float32', ...random.normalTensor(dims, 0.1, 0.5) }, name);
  const positive = random.normalTensor([4]).data.map((value) => Math.abs(value) + 0.5);
  let value = builder.input({ name: 'picture', type: 'float32', dims: ['N', 3, side, side] });
  value = builder.node('Conv', [value, weight('w1', [4, 3, 3, 3]), weight('b1', [4])], {}, { name: 'conv1' });
  const norm = [weight('gamma', [4]), weight('beta', [4]), weight('mean', [4])];
  const variance = builder.constant({ type: 'float32', dims: [4], data: positive }, 'variance');
  value = builder.node('BatchNormalization', [value, ...norm, variance], {}, { name: 'norm' });
  value = builder.node('Relu', [value]);
  const w2 = builder.node('Constant', [], {
    value: { type: 'float32', ...random.normalTensor([5, 4, 3, 3], 0, 0.5) },
  });
  value = builder.node('Conv', [value, w2, weight('b2', [5])], { strides: [2, 2] }, { name: 'conv2' });
  value = builder.node('Relu', [value]);
  value = builder.node('Flatten', [builder.node('GlobalAveragePool', [value])]);
  value = builder.node('MatMul', [value, weight('w3', [5, 4])], {}, { name: 'dense' });
  value = builder.node('Relu', [builder.node('Add', [value, weight('b3', [4])])]);
  value = builder.node('Gemm', [value, weight('w4', [4, 4]), 'b1'], {}, { name: 'fc' });
  builder.output({ name: value, type: 'float32', dims: ['N', 4] });
  return builder.build();
}

const numbers = (graph: Graph, name: string) => Array.from(graph.initializers.get(name)!.data, Number);
const rms = (values: readonly number[]) =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

describe('layers that forget', () => {
  const graph = network();

  it('are those with weights, with what belongs to each', () => {
    expect(weightedLayers(graph)).toEqual([
      { name: 'conv1', operator: 'Conv', parameters: 108 + 4 + 16 },
      { name: 'conv2', operator: 'Conv', parameters: 180 + 5 },
      { name: 'dense', operator: 'MatMul', parameters: 20 + 4 },
      { name: 'fc', operator: 'Gemm', parameters: 16 },
    ]);
  });

  it('keep their scale, lose their biases, and leave the others alone', () => {
    const changed = randomiseLayers(graph, ['conv1', 'dense'], 5);
    for (const name of ['b2', 'w4'])
      expect(changed.initializers.get(name)).toBe(graph.initializers.get(name));
    for (const name of ['b1', 'b3', 'beta', 'mean']) expect(rms(numbers(changed, name))).toBe(0);
    const drawn = numbers(changed, 'w1');
    // 108 draws: the root mean square has a deviation of 1 / sqrt(216) of itself, the correlation one of 1 / sqrt(108).
    expect(Math.abs(rms(drawn) / rms(numbers(graph, 'w1')) - 1)).toBeLessThan(4 / Math.sqrt(216));
    expect(Math.abs(spearman(drawn, numbers(graph, 'w1')))).toBeLessThan(4 / Math.sqrt(108));
    const [gamma, variance] = [numbers(graph, 'gamma'), numbers(graph, 'variance')];
    const gain = rms(gamma.map((value, c) => value / Math.sqrt(variance[c]! + 1e-5)));
    for (const [c, value] of numbers(changed, 'gamma').entries())
      expect(value / Math.sqrt(numbers(changed, 'variance')[c]! + 1e-5)).toBeCloseTo(gain, 5);
  });

  it('forget weights that a node of the graph holds', () => {
    const changed = randomiseLayers(graph, ['conv2'], 5);
    const picture = new Random(1).normalTensor([1, 3, 24, 24]);
    const scores = (of: Graph) => evaluate(of, { picture }).values().next().value!.data;
    expect(scores(changed)).not.toEqual(scores(graph));
    expect(changed.initializers.get('w1')).toBe(graph.initializers.get('w1'));
  });

  it('draw the same for the same seed, whatever else is drawn', () => {
    const alone = randomiseLayers(graph, ['conv1'], 5);
    const together = randomiseLayers(graph, ['fc', 'dense', 'conv2', 'conv1'], 5);
    expect(numbers(together, 'w1')).toEqual(numbers(alone, 'w1'));
    expect(numbers(randomiseLayers(graph, ['conv1'], 6), 'w1')).not.toEqual(numbers(alone, 'w1'));
    expect(numbers(together, 'w3')).not.toEqual(numbers(together, 'w4').slice(0, 20));
  });

  it('are refused by a name that has no weights', () => {
    expect(() => randomiseLayers(graph, ['norm'], 1)).toThrow('no layer with weights "norm"');
  });

  it('are spread evenly', () => {
    const layers = Array.from({ length: 9 }, (_, i) => ({ name: `${i}`, operator: 'Conv', parameters: 1 }));
    expect(spreadLayers(layers, 5)).toEqual(['0', '2', '4', '6', '8']);
    expect(spreadLayers(layers, 2)).toEqual(['0', '8']);
    expect(spreadLayers(layers, 1)).toEqual(['8']);
    expect(spreadLayers(layers, 20).length).toBe(9);
  });
});

describe('the check of parameters', () => {
  const batch = new Random(4).normalTensor([3, 3, 24, 24]);

  it('compares maps of networks that a float64 evaluation of the drawn graph agrees with', async () => {
    const model = await load(network());
    const maps = new Map<string, Tensor>();
    const progress: number[] = [];
    const report = await checkParameterRandomisation(model, batch, [gradientMethod], {
      layers: ['dense', 'conv1'],
      seed: 9,
      onMap: ({ order, layer, explanation }) => maps.set(`${order} ${layer}`, explanation.map),
      onProgress: ({ done, total }) => progress.push(done / total!),
    });
    const [result] = report.results;
    expect(result!.orders.cascading!.map(({ layer, forgotten }) => [layer, forgotten])).toEqual([
      ['dense', 2],
      ['conv1', 4],
    ]);
    expect(result!.orders.independent!.map(({ layer, forgotten }) => [layer, forgotten])).toEqual([
      ['dense', 1],
      ['conv1', 1],
    ]);
    expect(progress).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    // Once more by hand: the cascade down to `dense` is fc and dense, the class stays the trained network's.
    const trained = await explain(model, gradientMethod, batch);
    expect(report.target).toEqual(trained.target);
    const drawn = await load(randomiseLayers(model.graph, ['fc', 'dense'], 9));
    const after = await explain(drawn, gradientMethod, batch, { target: trained.target });
    expect(maps.get('cascading dense')).toEqual(after.map);
    const planes = (map: Tensor) =>
      Array.from({ length: 576 }, (_, i) => [0, 1, 2].reduce((sum, c) => sum + map.data[c * 576 + i]!, 0));
    const correlations = [0, 1, 2].map((n) =>
      spearman(planes(sliceBatch(after.map, n, n + 1)), planes(sliceBatch(trained.map, n, n + 1))),
    );
    const step = result!.orders.cascading![0]!;
    expect(step.similarities.map(({ signed }) => signed.rankCorrelation)).toEqual(correlations);
    expect(step.signed.rankCorrelation.mean).toBeCloseTo(correlations.reduce((a, b) => a + b) / 3, 12);
    expect(step.signed.rankCorrelation.count).toBe(3);
  });

  it('is the same for the same seed', async () => {
    const model = await load(network());
    const run = (seed: number) =>
      checkParameterRandomisation(model, batch, [gradientMethod], { orders: ['cascading'], seed });
    const first = await run(1);
    expect(await run(1)).toEqual(first);
    expect((await run(2)).results).not.toEqual(first.results);
  });

  it('refuses what it cannot check', async () => {
    const model = await load(network());
    const refused = (options: object, error: object, chosen = [gradientMethod]) =>
      expect(checkParameterRandomisation(model, batch, chosen, options)).rejects.toMatchObject(error);
    await refused({ layers: ['conv3'] }, { code: 'not-found', subject: 'conv3' });
    await refused({ layers: [] }, { code: 'wrong-use' });
    await refused({ orders: [] }, { code: 'wrong-use' });
    await refused({}, { code: 'wrong-use' }, []);
    const builder = new GraphBuilder(emptyGraph('bare', 18));
    const input = builder.input({ name: 'picture', type: 'float32', dims: ['N', 3, 24, 24] });
    const mean = builder.node('Flatten', [builder.node('GlobalAveragePool', [input])]);
    builder.output({ name: mean, type: 'float32', dims: ['N', 3] });
    const bare = await load(builder.build());
    await expect(checkParameterRandomisation(bare, batch, [gradientMethod])).rejects.toMatchObject({
      code: 'unsupported',
    });
  });

  it('ends within a step when it is aborted', async () => {
    const model = await load(network());
    const abort = new AbortController();
    let seen = 0;
    const run = checkParameterRandomisation(model, batch, [gradientMethod], {
      signal: abort.signal,
      onProgress: () => {
        if (++seen === 3) abort.abort();
      },
    });
    await expect(run).rejects.toMatchObject({ code: 'aborted' });
    expect(seen).toBe(3);
  });
});

describe('the verdict', () => {
  const mean = { mean: 0, interval: 0, count: 0 };
  const means = { rankCorrelation: mean, structuralSimilarity: mean, orientedGradients: mean };
  const stepOf = (forgotten: number, correlations: readonly number[]) => ({
    layer: `${forgotten}`,
    forgotten,
    signed: means,
    absolute: means,
    similarities: correlations.map((rankCorrelation) => {
      const signed = { rankCorrelation, structuralSimilarity: 0, orientedGradients: 0 };
      return { signed, absolute: signed };
    }),
  });

  it('is of the steps down to half of the layers', () => {
    const steps = [stepOf(1, [0.9, 0.8]), stepOf(3, [0.7, 0.8]), stepOf(4, [-1, -1])];
    const verdict = verdictOf(steps, 7)!;
    expect(verdict).toMatchObject({ outcome: 'fails', threshold: 0.5 });
    expect(verdict.similarity).toMatchObject({ mean: expect.closeTo(0.8, 12), count: 2 });
    expect(verdictOf(steps, 8)!.outcome).toBe('passes');
  });

  it('is undecided where the interval has the threshold in it, none without a step', () => {
    expect(verdictOf([stepOf(1, [0.1, 0.2, 0.15])], 2)!.outcome).toBe('passes');
    expect(verdictOf([stepOf(1, [0.9, 0.2, 0.3])], 2)!.outcome).toBe('undecided');
    expect(verdictOf([stepOf(1, [0.6])], 2)!.outcome).toBe('fails');
    expect(verdictOf([stepOf(1, [Number.NaN])], 2)!.outcome).toBe('undecided');
    expect(verdictOf([stepOf(3, [0.1])], 4)).toBeUndefined();
  });
});

describe.skipIf(!goldensAreThere())('on a trained network', () => {
  it('the gradient passes and guided backpropagation fails', { timeout: 120_000 }, async () => {
    const golden = new Golden('trained_resnet20_cifar');
    const model = await load(golden.model);
    const pictures = golden.manifest.images!.map((_, n) => golden.input(`img${n}.input`));
    expect(pictures.length).toBe(6);
    const chosen = ['gradient', 'guided-backprop'].map((name) => methodNamed(name));
    const report = await checkParameterRandomisation(model, concatBatch(pictures), chosen, {
      orders: ['cascading'],
      layers: spreadLayers(weightedLayers(model.graph), 7),
    });
    const [gradient, guided] = report.results;
    expect(gradient!.verdict!.outcome).toBe('passes');
    expect(gradient!.verdict!.similarity.mean).toBeLessThan(0.2);
    expect(guided!.verdict!.outcome).toBe('fails');
    expect(guided!.verdict!.similarity.mean).toBeGreaterThan(0.7);
  });
});
