import {
  centralDifference,
  emptyGraph,
  evaluate,
  type Graph,
  GraphBuilder,
  pruneGraph,
} from '@unitscope/onnx';
import { Random, type Tensor, type TensorData } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type CompiledTraining,
  compileTraining,
  lowerGraph,
  type TrainingOptions,
  trainableParameters,
} from '../src/index.js';
import { relativeError, runOnRuntime } from './support/check-rule.js';
import { referenceOperators } from './support/reference-operators.js';

interface Sizes {
  readonly channels: number;
  readonly classes: number;
  readonly groups: number;
}

/** Convolution, batch normalization, ReLU, a residual block, pooling, dropout and a linear layer, all with parameters. */
function network({ channels, classes, groups }: Sizes, seed = 3): Graph {
  const random = new Random(seed);
  const builder = new GraphBuilder(emptyGraph('trained', 18));
  const weight = (name: string, dims: number[], mean = 0, deviation = 0.5) =>
    builder.constant({ type: 'float32', dims, data: random.normalTensor(dims, mean, deviation).data }, name);
  const ones = (name: string, dims: number[]) =>
    builder.constant({ type: 'float32', dims, data: new Float32Array(dims[0]!).fill(1) }, name);
  const input = builder.input({ name: 'input', type: 'float32', dims: ['N', 3, 6, 6] });
  const stem = builder.node(
    'Conv',
    [input, weight('stem.w', [channels, 3, 3, 3]), weight('stem.b', [channels])],
    {
      pads: [1, 1, 1, 1],
    },
  );
  const statistics = [weight('bn.mean', [channels]), ones('bn.variance', [channels])];
  const normal = builder.node('BatchNormalization', [
    stem,
    weight('bn.scale', [channels], 1, 0.2),
    weight('bn.bias', [channels]),
    ...statistics,
  ]);
  // A smooth activation: differences must not step over a kink.
  const active = builder.node('Softplus', [normal], {}, { name: 'act' });
  const inner = builder.node('Conv', [active, weight('inner.w', [channels, channels / groups, 3, 3])], {
    pads: [1, 1, 1, 1],
    group: groups,
  });
  const joined = builder.node('Softplus', [builder.node('Add', [inner, active])], {}, { name: 'joined' });
  const reduced = builder.node('Conv', [joined, weight('down.w', [channels, channels, 3, 3])], {
    strides: [2, 2],
    pads: [1, 1, 1, 1],
  });
  const pooled = builder.node('Flatten', [builder.node('AveragePool', [reduced], { kernel_shape: [3, 3] })]);
  const dropped = builder.node('Dropout', [pooled, builder.floats(0.25)]);
  const product = builder.node('MatMul', [dropped, weight('fc.w', [channels, classes])]);
  const scores = builder.node('Add', [product, weight('fc.b', [classes])], {}, { name: 'scores' });
  builder.output({ name: scores, type: 'float32', dims: ['N', classes] });
  return builder.build();
}

type AnyFeeds = Record<string, Tensor<TensorData>>;

/** Everything a compiled step is fed with. */
function feedsFor(graph: Graph, compiled: CompiledTraining, count: number, seed = 8): AnyFeeds {
  const random = new Random(seed);
  const feeds: AnyFeeds = { input: random.normalTensor([count, 3, 6, 6]) };
  for (const { name, dims } of compiled.graph.inputs) {
    const initializer = graph.initializers.get(name);
    if (initializer !== undefined) feeds[name] = { dims: initializer.dims, data: initializer.data };
    else if (name === compiled.weights.name) {
      feeds[name] = {
        dims: [count],
        data: Float32Array.from({ length: count }, () => random.uniform() / count),
      };
    } else if (name === compiled.labels.name) {
      const classes = Number(graph.outputs[0]!.dims![1]);
      feeds[name] =
        compiled.labels.type === 'int64'
          ? {
              dims: [count],
              data: BigInt64Array.from({ length: count }, () => BigInt(random.integer(0, classes - 1))),
            }
          : {
              dims: [count, classes],
              data: Float32Array.from({ length: count * classes }, () => random.integer(-1, 1)),
            };
    } else if (compiled.dropouts.some((dropout) => dropout.input === name)) {
      const full = [count, ...dims!.slice(1).map(Number)];
      const size = full.reduce((product, dim) => product * dim, 1);
      feeds[name] = { dims: full, data: Float32Array.from({ length: size }, () => random.integer(0, 1) * 2) };
    }
  }
  return feeds;
}

const run = (graph: Graph, feeds: AnyFeeds) => evaluate(graph, feeds, { operators: referenceOperators });

/** Compares the gradient of every parameter with differences of the loss, in float64. */
function expectGradients(graph: Graph, compiled: CompiledTraining, feeds: AnyFeeds, components = 4): void {
  const values = run(compiled.graph, feeds);
  const forward = pruneGraph({ ...compiled.graph, outputs: [info(compiled.loss)] });
  const random = new Random(4);
  for (const [name, output] of compiled.gradients) {
    const { dims, data } = values.get(output)!;
    const parameter = graph.initializers.get(name)!;
    expect(dims).toEqual(parameter.dims);
    const chosen = Array.from({ length: components }, () => random.integer(0, data.length - 1));
    const loss = (x: Float64Array) => {
      const changed: AnyFeeds = { ...feeds, [name]: { dims: parameter.dims, data: x } };
      return run(forward, changed).get(compiled.loss)!.data[0]!;
    };
    const differences = centralDifference(
      loss,
      Float64Array.from(parameter.data as Float32Array),
      1e-5,
      chosen,
    );
    // A gradient of exactly 0, as of a bias before a normalization by batch, is known to rounding only.
    const scale = data.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-2);
    chosen.forEach((index, i) => {
      expect(Math.abs(data[index]! - differences[i]!), `${name}[${index}]`).toBeLessThanOrEqual(1e-6 * scale);
    });
  }
}

const compiledFor = (graph: Graph, options: Partial<TrainingOptions> = {}) => {
  const value = graph.outputs[0]!.name;
  return compileTraining(graph, {
    loss: { kind: 'softmax', value },
    parameters: trainableParameters(graph, value),
    ...options,
  });
};

describe('compileTraining', () => {
  it('has the gradient of the loss for every parameter, for every size, loss and mode', () => {
    fc.assert(
      fc.property(
        fc.record({
          channels: fc.constantFrom(4, 8),
          groups: fc.constantFrom(1, 2, 4),
          classes: fc.integer({ min: 2, max: 5 }),
          kind: fc.constantFrom('softmax' as const, 'logistic' as const),
          batchNormalization: fc.constantFrom('batch' as const, 'frozen' as const),
          dropout: fc.boolean(),
          count: fc.integer({ min: 2, max: 4 }),
          seed: fc.integer({ min: 0, max: 99 }),
        }),
        ({ kind, batchNormalization, dropout, count, seed, ...sizes }) => {
          const graph = network(sizes, seed);
          const value = graph.outputs[0]!.name;
          const compiled = compiledFor(graph, { loss: { kind, value }, batchNormalization, dropout });
          expect(compiled.dropouts).toHaveLength(dropout ? 1 : 0);
          expectGradients(graph, compiled, feedsFor(graph, compiled, count, seed));
        },
      ),
      { numRuns: 8, seed: 5 },
    );
  }, 30_000);

  it('gives the same numbers on ONNX Runtime', async () => {
    const graph = network({ channels: 8, classes: 4, groups: 1 });
    const compiled = compiledFor(graph, { dropout: true });
    const feeds = feedsFor(graph, compiled, 3);
    const exact = run(compiled.graph, feeds);
    const floats = Object.fromEntries(
      Object.entries(feeds).map(([name, { dims, data }]) => [name, { dims, data }]),
    );
    for (const [name, { data }] of await runOnRuntime(lowerGraph(compiled.graph), floats)) {
      const wanted = exact.get(name)!.data;
      // Its gradient is 0: what comes before a normalization by batch is shifted away.
      if (name === compiled.gradients.get('stem.b')) continue;
      expect(relativeError(data, wanted), name).toBeLessThanOrEqual(2e-5);
    }
  });

  it('computes the losses as they are defined', () => {
    const graph = network({ channels: 4, classes: 3, groups: 1 });
    const value = graph.outputs[0]!.name;
    for (const kind of ['softmax', 'logistic'] as const) {
      const compiled = compiledFor(graph, {
        loss: { kind, value },
        batchNormalization: 'frozen',
        outputs: [value],
      });
      const feeds = feedsFor(graph, compiled, 5);
      const values = run(compiled.graph, feeds);
      const scores = evaluate(graph, { input: feeds.input! }).get(value)!.data;
      expect(relativeError(values.get(value)!.data, scores)).toBeLessThanOrEqual(1e-14);
      const labels = feeds[compiled.labels.name]!.data;
      const weights = feeds[compiled.weights.name]!.data;
      let wanted = 0;
      for (let i = 0; i < 5; i++) {
        const row = Array.from(scores.subarray(3 * i, 3 * i + 3));
        const loss =
          kind === 'softmax'
            ? Math.log(row.reduce((sum, y) => sum + Math.exp(y), 0)) - row[Number(labels[i])]!
            : row.reduce((sum, y, k) => {
                const c = Number(labels[3 * i + k]);
                return sum + Math.abs(c) * Math.log(1 + Math.exp(-c * y));
              }, 0);
        wanted += Number(weights[i]) * loss;
      }
      expect(values.get(compiled.loss)!.data[0]).toBeCloseTo(wanted, 12);
    }
  });

  it('normalizes by the batch, and moves the running statistics as ONNX says', () => {
    const graph = network({ channels: 4, classes: 3, groups: 1 });
    const compiled = compiledFor(graph, { outputs: ['act:out', 'Conv:out'] });
    const feeds = feedsFor(graph, compiled, 3);
    const values = run(compiled.graph, feeds);
    const before = values.get('Conv:out')!.data;
    const after = values.get('act:out')!.data;
    const floats = (name: string) => graph.initializers.get(name)!.data as Float32Array;
    for (let channel = 0; channel < 4; channel++) {
      const place = (sample: number, at: number) => (sample * 4 + channel) * 36 + at;
      const cells = [0, 1, 2].flatMap((sample) => Array.from({ length: 36 }, (_, at) => place(sample, at)));
      const mean = cells.reduce((sum, at) => sum + before[at]!, 0) / cells.length;
      const variance = cells.reduce((sum, at) => sum + (before[at]! - mean) ** 2, 0) / cells.length;
      for (const at of cells.slice(0, 5)) {
        const scaled =
          ((before[at]! - mean) / Math.sqrt(variance + Math.fround(1e-5))) * floats('bn.scale')[channel]!;
        expect(after[at]).toBeCloseTo(Math.log1p(Math.exp(scaled + floats('bn.bias')[channel]!)), 9);
      }
      const [newMean, newVariance] = compiled.statistics.map(
        ({ updated }) => values.get(updated)!.data[channel],
      );
      expect(newMean).toBeCloseTo(0.9 * floats('bn.mean')[channel]! + 0.1 * mean, 6);
      expect(newVariance).toBeCloseTo(0.9 * floats('bn.variance')[channel]! + 0.1 * variance, 6);
    }
  });

  it('takes injections at a value: in-graph terms with inputs and outputs of their own', () => {
    const graph = network({ channels: 4, classes: 3, groups: 1 });
    // The gradient of strength / 2 * sum of x^2, added to the signal.
    const compiled = compiledFor(graph, {
      injections: [
        {
          value: 'joined:out',
          emit: ({ value, signal, emit, input, output }) => {
            const strength = input('strength', 'float32', []);
            const term = emit('Mul', [value, strength]);
            output('term', term, 'float32', undefined);
            return emit('Add', [signal, term]);
          },
        },
      ],
    });
    expect(compiled.outputs).toEqual(['term']);
    const feeds = { ...feedsFor(graph, compiled, 2), strength: { dims: [], data: Float32Array.of(0.25) } };
    const values = run(
      { ...compiled.graph, outputs: [...compiled.graph.outputs, info('joined:out')] },
      feeds,
    );
    const gradient = values.get(compiled.gradients.get('inner.w')!)!;
    const total = (x: Float64Array) => {
      const changed: AnyFeeds = { ...feeds, 'inner.w': { dims: gradient.dims, data: x } };
      const found = run(
        { ...compiled.graph, outputs: [...compiled.graph.outputs, info('joined:out')] },
        changed,
      );
      const squares = found.get('joined:out')!.data.reduce((sum, value) => sum + value * value, 0);
      return found.get(compiled.loss)!.data[0]! + (0.25 / 2) * squares;
    };
    const weights = Float64Array.from(graph.initializers.get('inner.w')!.data as Float32Array);
    const differences = centralDifference(total, weights, 1e-5, [0, 17, 100]);
    [0, 17, 100].forEach((at, i) => {
      expect(gradient.data[at]).toBeCloseTo(differences[i]!, 6);
    });
    expect(values.get('term')!.dims).toEqual([2, 4, 6, 6]);
  });

  it('trains a part and leaves the rest as it is, folded', () => {
    const graph = network({ channels: 4, classes: 3, groups: 1 });
    const compiled = compiledFor(graph, { parameters: ['fc.w', 'fc.b'] });
    expect(compiled.graph.nodes.map(({ operator }) => operator)).not.toContain('BatchNormalization');
    expect(compiled.statistics).toEqual([]);
    expectGradients(graph, compiled, feedsFor(graph, compiled, 2), 3);
  });

  it('sums the gradients of a parameter that is used twice', () => {
    const builder = new GraphBuilder(emptyGraph('tied', 18));
    const input = builder.input({ name: 'input', type: 'float32', dims: ['N', 3] });
    const data = new Random(2).normalTensor([3, 3]).data;
    const weight = builder.constant({ type: 'float32', dims: [3, 3], data }, 'w');
    const hidden = builder.node('Tanh', [builder.node('Gemm', [input, weight])]);
    const scores = builder.node('Gemm', [hidden, weight], { transB: 1 });
    builder.output({ name: scores, type: 'float32', dims: ['N', 3] });
    const graph = builder.build();
    const compiled = compiledFor(graph);
    const feeds = feedsFor(graph, compiled, 2);
    feeds.input = new Random(6).normalTensor([2, 3]);
    expectGradients(graph, compiled, feeds, 9);
  });

  it('names what cannot be trained', () => {
    const graph = network({ channels: 4, classes: 3, groups: 1 });
    expect(() => compiledFor(graph, { parameters: ['fc.q'] })).toThrow(/no parameter "fc.q".*fc\.[wb]/);
    expect(() => compiledFor(graph, { loss: { kind: 'softmax', value: 'act:out' } })).toThrow(
      /act:out does not depend on/,
    );
    expect(() =>
      compiledFor(graph, { loss: { kind: 'softmax', value: 'joined:out' }, parameters: ['stem.w'] }),
    ).toThrow(/joined:out has dims .* must be \[N, K\]/);
    expect(() => compiledFor(graph, { parameters: ['bn.mean'] })).toThrow(/statistics/);
    const injections = [{ value: 'act:out', emit: ({ signal }: { signal: string }) => signal }];
    expect(() => compiledFor(graph, { parameters: ['fc.w'], injections })).toThrow(
      /does not depend on act:out/,
    );
  });
});

describe('trainableParameters', () => {
  it('lists weights, biases and scales, no statistics and no ratios', () => {
    const graph = network({ channels: 4, classes: 3, groups: 1 });
    expect(trainableParameters(graph, graph.outputs[0]!.name)).toEqual([
      'stem.w',
      'stem.b',
      'bn.scale',
      'bn.bias',
      'inner.w',
      'down.w',
      'fc.w',
      'fc.b',
    ]);
  });
});

function info(name: string) {
  return { name, type: 'float32' as const, dims: undefined };
}
