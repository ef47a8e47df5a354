import { compileTraining, trainableParameters } from '@unitscope/autodiff';
import { type Engine, Model, openEngine } from '@unitscope/model';
import { evaluate, type Graph } from '@unitscope/onnx';
import type { Tensor, TensorData } from '@unitscope/tensor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  adam,
  type Optimizer,
  type Samples,
  sgd,
  Trainer,
  type TrainerOptions,
  type TrainingBatch,
  type TrainingTerm,
} from '../src/index.js';
import { smallNetwork } from './support/networks.js';
import { corners } from './support/toy.js';

const engines = new Map<string, Engine>();
beforeAll(async () => {
  for (const name of ['native', 'onnxruntime-node']) {
    const engine = await openEngine(name).catch(() => undefined);
    if (engine === undefined) console.warn(`skipped on ${name}: it cannot be used here`);
    else engines.set(name, engine);
  }
});
afterAll(async () => {
  for (const engine of engines.values()) await engine.close();
});

async function batchOf(samples: Samples, numbers: readonly number[]): Promise<TrainingBatch> {
  const [channels, height, width] = samples.dims;
  const size = channels * height * width;
  const data = new Float32Array(numbers.length * size);
  for (const [i, index] of numbers.entries())
    await samples.read(index, data.subarray(i * size, (i + 1) * size));
  return {
    inputs: { dims: [numbers.length, ...samples.dims], data },
    labels: numbers.map((index) => samples.labels[index]!),
  };
}

/** The parameters after steps of an optimizer written out in float64, with the gradients of the float64 evaluator. */
function reference(
  graph: Graph,
  optimizer: Optimizer,
  batch: TrainingBatch,
  { rate, steps, weightDecay }: { rate: number; steps: number; weightDecay: number },
): Map<string, Float64Array> {
  const value = graph.outputs[0]!.name;
  const parameters = trainableParameters(graph, value);
  const compiled = compileTraining(graph, { loss: { kind: 'softmax', value }, parameters });
  const count = batch.inputs.dims[0]!;
  const names = parameters;
  const weights = new Map(
    names.map((name) => [name, Float64Array.from(graph.initializers.get(name)!.data as Float32Array)]),
  );
  const zeros = () => new Map(names.map((name) => [name, new Float64Array(weights.get(name)!.length)]));
  const [first, second] = [zeros(), zeros()];
  for (let step = 1; step <= steps; step++) {
    const feeds: Record<string, Tensor<TensorData>> = {
      input: batch.inputs,
      [compiled.labels.name]: { dims: [count], data: BigInt64Array.from(batch.labels as number[], BigInt) },
      [compiled.weights.name]: { dims: [count], data: new Float32Array(count).fill(1 / count) },
    };
    for (const { name } of compiled.graph.inputs) {
      const own = graph.initializers.get(name);
      if (own !== undefined) feeds[name] = { dims: own.dims, data: weights.get(name) ?? own.data };
    }
    const values = evaluate(compiled.graph, feeds);
    for (const name of names) {
      const gradient = values.get(compiled.gradients.get(name)!)!.data;
      const [w, m, v] = [weights.get(name)!, first.get(name)!, second.get(name)!];
      for (let i = 0; i < w.length; i++) {
        const g = gradient[i]! + weightDecay * w[i]!;
        if (optimizer.kind === 'sgd') {
          m[i] = optimizer.momentum * m[i]! + g;
          w[i]! -= rate * (optimizer.nesterov ? g + optimizer.momentum * m[i]! : m[i]!);
        } else {
          const { beta1, beta2, epsilon } = optimizer;
          m[i] = beta1 * m[i]! + (1 - beta1) * g;
          v[i] = beta2 * v[i]! + (1 - beta2) * g * g;
          w[i]! -=
            ((rate / (1 - beta1 ** step)) * m[i]!) / (Math.sqrt(v[i]! / (1 - beta2 ** step)) + epsilon);
        }
      }
    }
  }
  return weights;
}

function floats(graph: Graph, name: string): Float32Array {
  return graph.initializers.get(name)!.data as Float32Array;
}

describe('Trainer', () => {
  it.each([
    ['sgd', sgd({ momentum: 0, weightDecay: 0.01 })],
    ['momentum', sgd({ momentum: 0.9, weightDecay: 0.01 })],
    ['nesterov', sgd({ momentum: 0.9, nesterov: true, weightDecay: 0.01 })],
    // The gradients are of a size at which epsilon does not decide.
    ['adam', adam({ weightDecay: 0.01 })],
  ])('makes the steps of %s, on every engine', async (_, optimizer) => {
    const graph = smallNetwork(4, 1, 0);
    const batch = await batchOf(corners(8), [0, 1, 2, 3, 4, 5]);
    const rate = optimizer.kind === 'adam' ? 0.001 : 0.05;
    for (const engine of engines.values()) {
      const trainer = await Trainer.create(graph, { learningRate: rate, optimizer, engine });
      for (let i = 0; i < 3; i++) await trainer.step(batch);
      const wanted = reference(graph, optimizer, batch, { rate, steps: 3, weightDecay: 0.01 });
      const trained = trainer.graph();
      for (const [name, weights] of wanted) {
        const found = floats(trained, name);
        const moved = weights.reduce(
          (most, w, i) => Math.max(most, Math.abs(w - floats(graph, name)[i]!)),
          0,
        );
        const error = weights.reduce((most, w, i) => Math.max(most, Math.abs(found[i]! - w)), 0);
        expect(error, `${engine.name} ${name}`).toBeLessThanOrEqual(2e-4 * moved);
      }
      await trainer.close();
    }
  });

  it('lowers the loss, and gives a network of standard operators with the same scores', async () => {
    const samples = corners(32);
    const graph = smallNetwork();
    const trainer = await Trainer.create(graph, { learningRate: 0.05 });
    const batch = await batchOf(samples, [...samples.labels.keys()]);
    const losses: number[] = [];
    for (let i = 0; i < 25; i++) losses.push((await trainer.step(batch)).loss);
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 4);
    const trained = trainer.graph();
    expect([...trained.opsets.keys()]).toEqual(['']);
    const model = await Model.load(trained);
    const wanted = await model.run(batch.inputs);
    const found = await trainer.scores(batch.inputs);
    const { data } = wanted[trained.outputs[0]!.name]!;
    expect(found.dims).toEqual([32, 4]);
    found.data.forEach((value, i) => {
      expect(value).toBeCloseTo(Number(data[i]), 4);
    });
    expect(floats(graph, 'bn.mean').every((value) => value === 0)).toBe(true);
    expect(floats(trained, 'bn.mean').some((value) => value !== 0)).toBe(true);
    await model.close();
    await trainer.close();
  });

  it('gives each parameter its factors, and leaves others alone', async () => {
    const graph = smallNetwork();
    const options: TrainerOptions = {
      learningRate: 0.1,
      optimizer: sgd({ momentum: 0 }),
      batchNormalization: 'frozen',
      parameters: ['fc.*', 'conv.weight'],
      dropout: false,
    };
    const batch = await batchOf(corners(8), [0, 1, 2, 3]);
    const change = async (factors: TrainerOptions['factors'] = []) => {
      const trainer = await Trainer.create(graph, { ...options, factors });
      await trainer.step(batch);
      const after = trainer.graph();
      await trainer.close();
      return (name: string) => floats(after, name).map((value, i) => value - floats(graph, name)[i]!);
    };
    const plain = await change();
    const changed = await change([
      { parameters: 'fc.bias', rate: 2 },
      { parameters: 'fc.*', rate: 0 },
    ]);
    plain('fc.bias').forEach((value, i) => {
      expect(changed('fc.bias')[i]).toBeCloseTo(2 * value, 6);
    });
    expect(changed('fc.weight').every((value) => value === 0)).toBe(true);
    expect(changed('conv.weight')).toEqual(plain('conv.weight'));
    expect(plain('bn.scale').every((value) => value === 0)).toBe(true);
  });

  it('trains a single logistic score, and several at once', async () => {
    for (const classes of [1, 4]) {
      const samples = corners(24, 2, classes === 1 ? 2 : 4);
      const trainer = await Trainer.create(smallNetwork(classes), { learningRate: 0.02, loss: 'logistic' });
      const batch = await batchOf(samples, [...samples.labels.keys()]);
      const first = (await trainer.step(batch)).loss;
      for (let i = 0; i < 20; i++) await trainer.step(batch);
      expect((await trainer.step(batch)).loss).toBeLessThan(first / 2);
      const unknown = { dims: [24, classes], data: new Float32Array(24 * classes) };
      expect((await trainer.step({ ...batch, labels: unknown })).loss).toBe(0);
      await trainer.close();
    }
  });

  it('goes on from a state bit by bit', async () => {
    const batch = await batchOf(corners(16), [...Array(16).keys()]);
    const create = () => Trainer.create(smallNetwork(), { learningRate: 0.05, seed: 3 });
    const [straight, stopped] = [await create(), await create()];
    for (let i = 0; i < 6; i++) await straight.step(batch);
    for (let i = 0; i < 3; i++) await stopped.step(batch);
    const state = stopped.state();
    await stopped.step(batch);
    await stopped.close();
    const resumed = await create();
    resumed.restore(state);
    for (let i = 0; i < 3; i++) await resumed.step(batch);
    expect(resumed.hash()).toBe(straight.hash());
    expect(resumed.steps).toBe(6);
    await straight.close();
    await resumed.close();
  });

  it('lets a term write into the graph, feeds it, tells it its outputs and keeps its state', async () => {
    const seen: number[] = [];
    let mean = 0;
    const term: TrainingTerm = {
      name: 'shrink',
      injections: [
        {
          value: 'act:out',
          emit: ({ value, signal, emit, builder, input, output }) => {
            const strength = input('shrink/strength', 'float32', []);
            const average = emit('ReduceMean', [value, builder.ints([0, 1, 2, 3])], { keepdims: 0 });
            output('shrink/mean', average, 'float32', []);
            return emit('Add', [signal, emit('Mul', [value, strength])]);
          },
        },
      ],
      feeds: ({ step, labels }) => {
        expect(labels).toHaveLength(16);
        return { 'shrink/strength': { dims: [], data: Float32Array.of(step <= 10 ? 1e-3 : 0) } };
      },
      observe: (outputs) => {
        mean = Number(outputs.get('shrink/mean')!.data[0]);
        seen.push(mean);
      },
      state: () => new Map([['mean', Float32Array.of(mean)]]),
      restore: (state) => {
        mean = state.get('mean')![0]!;
      },
    };
    const batch = await batchOf(corners(16), [...Array(16).keys()]);
    const trainer = await Trainer.create(smallNetwork(4, 1, 0), { learningRate: 0.05, terms: [term] });
    for (let i = 0; i < 10; i++) await trainer.step(batch);
    expect(seen).toHaveLength(10);
    expect(seen.at(-1)).toBeLessThan(seen[0]!);
    const state = trainer.state();
    expect(state.arrays.get('term/shrink/mean')).toEqual(Float32Array.of(seen.at(-1)!));
    mean = 0;
    trainer.restore(state);
    expect(mean).toBe(Math.fround(seen.at(-1)!));
    await trainer.close();
  });

  it('says that training diverges, at which step and learning rate, and what to do', async () => {
    const batch = await batchOf(corners(16), [...Array(16).keys()]);
    const trainer = await Trainer.create(smallNetwork(4, 1, 0), {
      learningRate: 1e30,
      batchNormalization: 'frozen',
    });
    const run = async () => {
      for (let i = 0; i < 10; i++) await trainer.step(batch);
    };
    await expect(run()).rejects.toThrow(
      /diverged: the loss is (NaN|infinite) at step \d+, learning rate 1e\+30; lower/,
    );
    await trainer.close();
  });

  it('names what is wrong with options, batches and labels', async () => {
    const graph = smallNetwork();
    const create = (options: Partial<TrainerOptions> = {}) =>
      Trainer.create(graph, { learningRate: 0.1, ...options });
    await expect(create({ parameters: ['fc.wieght'] })).rejects.toThrow(
      /no parameter "fc.wieght"; did you mean "fc.weight"/,
    );
    await expect(create({ learningRate: Number.NaN })).rejects.toThrow(/learning rate/);
    await expect(create({ factors: [{ parameters: '*', rate: -1 }] })).rejects.toThrow(
      /factor of .* must be 0 or more/,
    );
    await expect(create({ scores: 'act:out' })).rejects.toThrow(/act:out has dims .* must be \[N, K\]/);
    expect(() => sgd({ momentum: 1 })).toThrow(/momentum must be/);
    expect(() => adam({ beta1: -1 })).toThrow(/beta1 must be/);
    const trainer = await create();
    const batch = await batchOf(corners(8), [0, 1, 2]);
    await expect(trainer.step({ ...batch, labels: [0, 1] })).rejects.toThrow(/3 samples have 2 labels/);
    await expect(trainer.step({ ...batch, labels: [0, 1, 4] })).rejects.toThrow(/no category 4; there are 4/);
    const wide = { dims: [3, 3, 8, 4], data: batch.inputs.data.subarray(0, 288) };
    await expect(trainer.step({ ...batch, inputs: wide })).rejects.toThrow(
      /takes \[N, 3, 8, 8\], got \[3, 3, 8, 4\]/,
    );
    const before = trainer.hash();
    await expect(trainer.step(batch, { signal: AbortSignal.abort() })).rejects.toThrow(/abort|interrupt/i);
    expect(trainer.hash()).toBe(before);
    const { arrays } = trainer.state();
    expect(() => trainer.restore({ step: 1, arrays: new Map([...arrays].slice(1)) })).toThrow(/another run/);
    await trainer.close();
    await expect(trainer.step(batch)).rejects.toThrow(/closed/);
  });
});
