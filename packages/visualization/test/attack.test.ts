import { Model } from '@unitscope/model';
import { emptyGraph, type Graph, GraphBuilder } from '@unitscope/onnx';
import { Random, type Tensor } from '@unitscope/tensor';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AttackOptions, attack, compareActivations } from '../src/index.js';
import { slowAttack } from './support/slow-attack.js';

const SIDE = 5;
const CLASSES = 4;
const SCALE = { channelOrder: 'bgr', gain: [4, -3, 5], offset: [-2, 1, -2.5] } as const;

/** A smooth network, so that no sign hangs on a kink: conv - softplus - conv - softplus - mean - four scores. */
function network(seed: number): Graph {
  const random = new Random(seed);
  const builder = new GraphBuilder(emptyGraph('attacked', 18));
  const weight = (dims: readonly number[], deviation = 0.5) =>
    builder.constant({ type: 'float32', dims, data: random.normalTensor(dims, 0, deviation).data }, 'w');
  const same = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
  let value = builder.input({ name: 'input', type: 'float32', dims: ['N', 3, SIDE, SIDE] });
  value = builder.node('Conv', [value, weight([6, 3, 3, 3]), weight([6])], same, { name: 'conv1' });
  value = builder.node('Softplus', [value]);
  value = builder.node('Conv', [value, weight([5, 6, 3, 3]), weight([5])], same, { name: 'conv2' });
  const flat = builder.node('Flatten', [builder.node('Softplus', [value])], { axis: 1 });
  const scores = builder.node('Gemm', [flat, weight([5 * SIDE * SIDE, CLASSES], 0.03), weight([CLASSES])]);
  builder.output({ name: scores, type: 'float32', dims: ['N', CLASSES] });
  return builder.build();
}

/** Pictures in 0..1, as input; a third of their values at the ends of the range. */
function inputs(seed: number, count = 1): Tensor {
  const random = new Random(seed);
  const plane = SIDE * SIDE;
  const data = Float32Array.from({ length: count * 3 * plane }, (_, i) => {
    const value = Math.min(1, Math.max(0, 1.5 * random.uniform() - 0.25));
    const channel = Math.floor(i / plane) % 3;
    return value * SCALE.gain[channel]! + SCALE.offset[channel]!;
  });
  return { dims: [count, 3, SIDE, SIDE], data };
}

/** The pictures an input shows, in the order of its channels. */
function levelsOf({ data }: Tensor): number[] {
  return Array.from(data, (value, i) => {
    const channel = Math.floor(i / (SIDE * SIDE)) % 3;
    return (value - SCALE.offset[channel]!) / SCALE.gain[channel]!;
  });
}

const GRAPH = network(1);
let model: Model;
beforeAll(async () => {
  model = await Model.load(GRAPH);
});
afterAll(() => model.close());

/** float32 of values up to 5 in the units of the input, of which a picture's 1 is at least 3. */
const ROUNDING = 2e-7;

function distance(actual: readonly number[], expected: Float64Array): number {
  return Math.max(...actual.map((value, i) => Math.abs(value - expected[i]!)));
}

describe('against the papers in double precision', () => {
  const seeds = [1, 2, 3, 4, 5, 6];

  it.each(seeds)('FGSM of picture %i is exact, untargeted and targeted', async (seed) => {
    const input = inputs(seed);
    const { samples } = await attack(model, input, { scale: SCALE, method: 'fgsm' });
    const own = samples[0]!.before.index;
    const target = (own + 1) % CLASSES;
    const how = { norm: 'linf', epsilon: 0.1, stepSize: 0.1, steps: 1 } as const;
    for (const { index, sign, options } of [
      { index: own, sign: 1, options: {} },
      { index: target, sign: -1, options: { target } },
    ] as const) {
      const slow = slowAttack(GRAPH, input, SCALE, index, { ...how, sign });
      // No slope is so small that float32 could have turned its sign.
      expect(slow.certainty).toBeGreaterThan(1e-5);
      const result = await attack(model, input, { scale: SCALE, method: 'fgsm', epsilon: 0.1, ...options });
      expect(distance(levelsOf(result.input), slow.picture)).toBeLessThan(ROUNDING);
    }
  });

  it.each(seeds)('PGD of picture %i follows, under both norms', async (seed) => {
    const input = inputs(seed);
    for (const norm of ['linf', 'l2'] as const) {
      const how = { norm, epsilon: norm === 'linf' ? 0.06 : 0.3, steps: 3, randomStart: false } as const;
      const result = await attack(model, input, { ...how, scale: SCALE, stepSize: 0.5 * how.epsilon });
      const own = result.samples[0]!.before.index;
      const slow = slowAttack(GRAPH, input, SCALE, own, { ...how, stepSize: 0.5 * how.epsilon, sign: 1 });
      if (norm === 'linf') expect(slow.certainty).toBeGreaterThan(1e-6);
      // A direction, unlike a sign, takes over the float32 of the gradient.
      const tolerance = norm === 'linf' ? ROUNDING : 1e-5;
      expect(distance(levelsOf(result.input), slow.picture)).toBeLessThan(tolerance);
    }
  });
});

describe('PGD', () => {
  const options: fc.Arbitrary<AttackOptions & { readonly batch: number }> = fc.record({
    norm: fc.constantFrom('linf', 'l2'),
    epsilon: fc.double({ min: 0.001, max: 0.9, noNaN: true }),
    stepSize: fc.double({ min: 0.001, max: 2, noNaN: true }),
    steps: fc.integer({ min: 1, max: 4 }),
    seed: fc.nat(100),
    randomStart: fc.boolean(),
    batch: fc.nat(100),
  });

  it('never leaves the ball nor the range of pictures, and says so truly', async () => {
    await fc.assert(
      fc.asyncProperty(options, async ({ batch, ...given }) => {
        const before = inputs(batch, 3);
        const { input, pictures, samples, perturbation } = await attack(model, before, {
          ...given,
          scale: SCALE,
        });
        const [old, now] = [levelsOf(before), levelsOf(input)];
        const size = now.length / 3;
        expect(Math.min(...now)).toBeGreaterThanOrEqual(-ROUNDING);
        expect(Math.max(...now)).toBeLessThanOrEqual(1 + ROUNDING);
        expect(pictures.after.data.every((value) => value >= 0 && value <= 1)).toBe(true);
        samples.forEach(({ norms }, n) => {
          const difference = now
            .slice(n * size, (n + 1) * size)
            .map((value, i) => value - old[n * size + i]!);
          const linf = Math.max(...difference.map(Math.abs));
          const l2 = Math.hypot(...difference);
          expect(given.norm === 'linf' ? linf : l2).toBeLessThanOrEqual(
            given.epsilon! + ROUNDING * Math.sqrt(size),
          );
          expect(norms.linf).toBeCloseTo(linf, 5);
          expect(norms.l2).toBeCloseTo(l2, 5);
          const own = perturbation.data.subarray(n * size, (n + 1) * size);
          expect(Math.max(...difference.map((value, i) => Math.abs(value - own[i]!)))).toBeLessThan(
            2 * ROUNDING,
          );
        });
      }),
      { numRuns: 40, seed: 2 },
    );
  });

  it('is the same for the same seed, whatever the batch, and another for another', async () => {
    const batch = inputs(7, 3);
    const how = { scale: SCALE, epsilon: 0.2, steps: 2, seed: 5 } as const;
    const [first, again] = [await attack(model, batch, how), await attack(model, batch, how)];
    expect(again.input.data).toEqual(first.input.data);
    const size = batch.data.length / 3;
    const alone = await attack(
      model,
      { dims: [1, 3, SIDE, SIDE], data: batch.data.slice(2 * size, 3 * size) },
      how,
    );
    expect(alone.input.data).toEqual(first.input.data.slice(2 * size));
    const other = await attack(model, batch, { ...how, seed: 6 });
    expect(other.input.data).not.toEqual(first.input.data);
  });

  it('raises the loss of the class, and reaches another or a target within a wide ball', async () => {
    const batch = inputs(11, 3);
    const away = await attack(model, batch, { scale: SCALE, epsilon: 0.5, steps: 20 });
    away.samples.forEach(({ before, after, success, changedAt }) => {
      expect(success).toBe(true);
      expect(after.index).not.toBe(before.index);
      expect(changedAt).toBeGreaterThanOrEqual(0);
    });
    const target = (away.samples[0]!.before.index + 2) % CLASSES;
    const towards = await attack(model, batch, { scale: SCALE, epsilon: 0.9, steps: 30, target });
    expect(towards.samples.map(({ after }) => after.index)).toEqual([target, target, target]);
    towards.samples.forEach((sample) => {
      expect(sample.target!.after.probability).toBeGreaterThan(sample.target!.before.probability);
    });
  });

  it('still moves where the network is sure beyond float32', async () => {
    const sure = network(1);
    const [name] = sure.outputs;
    const maker = sure.nodes.find(({ outputs }) => outputs[0] === name!.name)!;
    const initializers = new Map(sure.initializers);
    for (const input of maker.inputs.slice(1)) {
      const { data, ...rest } = initializers.get(input)!;
      initializers.set(input, { ...rest, data: Float32Array.from(data as Float32Array, (w) => 300 * w) });
    }
    const steep = await Model.load({ ...sure, initializers });
    const { samples, notes } = await attack(steep, inputs(3), { scale: SCALE, epsilon: 0.9, steps: 30 });
    expect(samples[0]!.before.probability).toBe(1);
    expect([samples[0]!.success, notes]).toEqual([true, []]);
    await steep.close();
  });

  it('reports every step and ends within one when it is told to', async () => {
    const stop = new AbortController();
    const seen: number[] = [];
    const run = attack(model, inputs(1), {
      scale: SCALE,
      steps: 1000,
      signal: stop.signal,
      onProgress: ({ step, steps, classes }) => {
        expect([steps, classes.length]).toEqual([1000, 1]);
        seen.push(step);
        if (step === 3) stop.abort();
      },
    });
    await expect(run).rejects.toMatchObject({ code: 'aborted' });
    expect(seen).toEqual([0, 1, 2, 3]);
  });
});

it.each<readonly [string, AttackOptions, string, RegExp]>([
  ['an epsilon of nothing', { epsilon: 0 }, 'wrong-use', /epsilon must be a number above 0, got 0/],
  ['an epsilon in grey levels', { epsilon: 8 }, 'wrong-use', /more than the whole range/],
  ['no steps', { steps: 0 }, 'wrong-use', /steps must be a positive integer/],
  ['a step of nothing', { stepSize: 0 }, 'wrong-use', /step size must be/],
  ['steps of fgsm', { method: 'fgsm', steps: 3 }, 'wrong-use', /fgsm is one step/],
  ['fgsm under l2', { method: 'fgsm', norm: 'l2' }, 'wrong-use', /under l2 take pgd/],
  ['a class that is not there', { target: 4 }, 'not-found', /no class 4; .* 0 to 3/],
  ['targets of other pictures', { target: [1, 2] }, 'wrong-use', /2 targets are given for 1 pictures/],
  ['a seed that is none', { seed: 0.5 }, 'wrong-use', /seed must be/],
  ['pictures of another range', { scale: { ...SCALE, gain: [1, 1, 1] } }, 'bad-input', /range of pictures/],
])('refuses %s', async (_, options, code, message) => {
  await expect(attack(model, inputs(1), { scale: SCALE, ...options })).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  });
});

describe('what changed in a layer', () => {
  it('is ranked by units and summed up by places', async () => {
    const [before, after] = [inputs(1, 2), inputs(2, 2)];
    const changes = await compareActivations(model, 'conv2', before, after);
    const maps = async (batch: Tensor) => (await model.activations(['conv2'], batch)).get('conv2')!;
    const [old, now] = [(await maps(before)).data, (await maps(after)).data];
    const plane = SIDE * SIDE;
    changes.forEach(({ units, places }, n) => {
      expect(units.map(({ unit }) => unit).sort()).toEqual([0, 1, 2, 3, 4]);
      units.forEach(({ unit, maximum, mean, change }, rank) => {
        const start = (n * 5 + unit) * plane;
        const [first, second] = [old, now].map((data) => [...data.subarray(start, start + plane)]);
        expect([maximum.before, maximum.after]).toEqual([Math.max(...first!), Math.max(...second!)]);
        const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
        expect(mean.before).toBeCloseTo(sum(first!) / plane, 6);
        expect(mean.after).toBeCloseTo(sum(second!) / plane, 6);
        expect(change).toBeCloseTo(sum(first!.map((value, i) => Math.abs(second![i]! - value))) / plane, 6);
        expect(change).toBeLessThanOrEqual(units[rank - 1]?.change ?? change);
      });
      places.data.forEach((value, i) => {
        const terms = Array.from(
          { length: 5 },
          (_, unit) => now[(n * 5 + unit) * plane + i]! - old[(n * 5 + unit) * plane + i]!,
        );
        expect(value).toBeCloseTo(Math.hypot(...terms), 5);
      });
    });
  });

  it('is nothing between equal batches; a layer without maps is refused', async () => {
    const batch = inputs(1);
    const [same] = await compareActivations(model, 'conv1', batch, batch);
    expect([same!.units.map(({ unit }) => unit), Math.max(...same!.places.data)]).toEqual([
      [0, 1, 2, 3, 4, 5],
      0,
    ]);
    const scores = GRAPH.outputs[0]!.name;
    await expect(compareActivations(model, scores, batch, batch)).rejects.toMatchObject({
      code: 'wrong-use',
    });
    await expect(compareActivations(model, 'conv1', batch, inputs(1, 2))).rejects.toMatchObject({
      code: 'bad-input',
    });
  });
});
