import { Random, UnitscopeError } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adamStep, adamStepSync, sgdStep, sgdStepSync } from '../src/index.js';

function normals(size: number, seed: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: size }, () => random.normal());
}

const f = Math.fround;
const sizes = fc.integer({ min: 0, max: 200 });
const seeds = fc.integer({ min: 0, max: 1000 });
const threads = fc.integer({ min: 0, max: 4 });

describe('a step of SGD', () => {
  const options = fc.record({
    learningRate: fc.double({ min: -1, max: 1, noNaN: true }),
    momentum: fc.double({ min: 0.1, max: 1, noNaN: true }),
    weightDecay: fc.constantFrom(0, 0.01, 0.3),
    nesterov: fc.boolean(),
  });

  it('is the float operations of its definition, bit for bit', () => {
    fc.assert(
      fc.property(sizes, seeds, threads, options, (size, seed, threadCount, step) => {
        const [gradient, weights, velocity] = [0, 1, 2].map((i) => normals(size, seed + i)) as [
          Float32Array,
          Float32Array,
          Float32Array,
        ];
        const [rate, momentum, decay] = [f(step.learningRate), f(step.momentum), f(step.weightDecay)];
        const d = gradient.map((g, i) => (step.weightDecay === 0 ? g : f(g + f(decay * weights[i]!))));
        const v = velocity.map((old, i) => f(f(momentum * old) + d[i]!));
        const u = v.map((value, i) => (step.nesterov ? f(d[i]! + f(momentum * value)) : value));
        const w = weights.map((value, i) => f(value - f(rate * u[i]!)));
        sgdStepSync({ gradient, weights, velocity }, { ...step, threads: threadCount });
        expect(velocity).toEqual(v);
        expect(weights).toEqual(w);
      }),
      { numRuns: 200 },
    );
  });

  it('finds the minimum of a parabola, sooner with momentum', async () => {
    const stepsTo = async (momentum: number, nesterov: boolean) => {
      const [weights, velocity, target] = [normals(50, 1), new Float32Array(50), normals(50, 2)];
      for (let step = 1; step <= 500; step++) {
        const gradient = weights.map((w, i) => w - target[i]!);
        await sgdStep({ gradient, weights, velocity }, { learningRate: 0.02, momentum, nesterov });
        if (weights.every((w, i) => Math.abs(w - target[i]!) < 0.01)) return step;
      }
      return Number.POSITIVE_INFINITY;
    };
    const [plain, heavy, ahead] = [
      await stepsTo(0, false),
      await stepsTo(0.8, false),
      await stepsTo(0.8, true),
    ];
    expect(plain).toBeLessThan(500);
    expect(heavy).toBeLessThan(plain);
    expect(ahead).toBeLessThan(plain);
  });

  it('spreads NaN to its own weight only', () => {
    const [gradient, weights, velocity] = [normals(20, 1), normals(20, 2), normals(20, 3)];
    gradient[7] = Number.NaN;
    sgdStepSync({ gradient, weights, velocity }, { learningRate: 0.1, momentum: 0.9 });
    expect(Array.from(weights, Number.isNaN)).toEqual(Array.from({ length: 20 }, (_, i) => i === 7));
    expect(velocity[7]).toBeNaN();
  });
});

describe('a step of Adam', () => {
  const options = fc.record({
    step: fc.integer({ min: 1, max: 5000 }),
    learningRate: fc.double({ min: 0.0001, max: 0.5, noNaN: true }),
    beta1: fc.double({ min: 0, max: 0.99, noNaN: true }),
    beta2: fc.double({ min: 0.1, max: 0.9999, noNaN: true }),
    weightDecay: fc.constantFrom(0, 0.01, 0.3),
    decoupled: fc.boolean(),
  });

  it('leaves what the definition says, within float rounding, on every number of threads', () => {
    fc.assert(
      fc.property(sizes, seeds, threads, options, (size, seed, threadCount, step) => {
        const make = () => ({
          gradient: normals(size, seed),
          weights: normals(size, seed + 1),
          mean: normals(size, seed + 2),
          square: normals(size, seed + 3).map((value) => value * value),
        });
        const [one, many] = [make(), make()];
        adamStepSync(one, { ...step, threads: 1 });
        adamStepSync(many, { ...step, threads: threadCount });
        expect(many).toEqual(one);
        const { gradient, weights, mean, square } = make();
        const rate = step.learningRate / (1 - step.beta1 ** step.step);
        gradient.forEach((given, i) => {
          const decay = step.weightDecay * weights[i]!;
          const g = given + (step.decoupled ? 0 : decay);
          const m = step.beta1 * mean[i]! + (1 - step.beta1) * g;
          const v = step.beta2 * square[i]! + (1 - step.beta2) * g * g;
          // Seven roundings of terms this large; v adds up without cancelling but for g, which is squared.
          const size2 = step.beta2 * square[i]! + (1 - step.beta2) * (Math.abs(given) + Math.abs(decay)) ** 2;
          const bound = 7 * 2 ** -24 * (Math.abs(mean[i]!) + Math.abs(given) + Math.abs(decay));
          expect(Math.abs(one.mean[i]! - m)).toBeLessThanOrEqual(bound);
          expect(Math.abs(one.square[i]! - v)).toBeLessThanOrEqual(13 * 2 ** -24 * size2);
          // The weights, from the float m and v that were written: 8 roundings of what is added up.
          const kept = weights[i]! - (step.decoupled ? step.learningRate * decay : 0);
          const change =
            (rate * one.mean[i]!) / (Math.sqrt(one.square[i]! / (1 - step.beta2 ** step.step)) + 1e-8);
          const expected = kept - change;
          expect(Math.abs(one.weights[i]! - expected)).toBeLessThanOrEqual(
            8 * 2 ** -24 * (Math.abs(weights[i]!) + Math.abs(change)),
          );
        });
      }),
      { numRuns: 200 },
    );
  });

  it('takes a first step of the learning rate against the sign of the gradient', async () => {
    const gradient = normals(30, 1);
    const weights = new Float32Array(30);
    const state = { mean: new Float32Array(30), square: new Float32Array(30) };
    const { backend } = await adamStep({ gradient, weights, ...state }, { step: 1, learningRate: 0.25 });
    expect(backend).toBe('cpu');
    // Epsilon moves it by 1e-8 / |g|, and |g| is above 1e-3 here.
    weights.forEach((w, i) => {
      expect(w).toBeCloseTo(-0.25 * Math.sign(gradient[i]!), 5);
    });
  });

  it('decays alike whatever the gradient where decay is decoupled', () => {
    const weights = Float32Array.from([1, 2, -4]);
    const zero = () => new Float32Array(3);
    const arrays = { gradient: zero(), weights, mean: zero(), square: zero() };
    adamStepSync(arrays, { step: 1, learningRate: 0.5, weightDecay: 0.5, decoupled: true });
    expect(Array.from(weights)).toEqual([0.75, 1.5, -3]);
  });
});

describe('wrong arguments of a step', () => {
  const of = (size: number) => new Float32Array(size);
  const arrays = { gradient: of(4), weights: of(4), velocity: of(4) };
  const state = { gradient: of(4), weights: of(4), mean: of(4), square: of(4) };
  const rate = { learningRate: 0.1 };

  it.each([
    ['a gradient too short', () => sgdStepSync({ ...arrays, gradient: of(3) }, rate), 'gradient must have 4'],
    ['a velocity too long', () => sgdStepSync({ ...arrays, velocity: of(5) }, rate), 'velocity must have 4'],
    [
      'momentum without velocity',
      () => sgdStepSync({ gradient: of(4), weights: of(4) }, { ...rate, momentum: 0.9 }),
      'momentum needs a velocity',
    ],
    ['Nesterov without momentum', () => sgdStepSync(arrays, { ...rate, nesterov: true }), 'nesterov needs'],
    ['momentum -1', () => sgdStepSync(arrays, { ...rate, momentum: -1 }), 'momentum must be at least 0'],
    [
      'a rate of NaN',
      () => sgdStepSync(arrays, { learningRate: Number.NaN }),
      'learning_rate must be finite',
    ],
    ['weight decay -1', () => sgdStepSync(arrays, { ...rate, weightDecay: -1 }), 'weight_decay must be'],
    [
      'one array for two',
      () => sgdStepSync({ gradient: arrays.weights, weights: arrays.weights }, rate),
      'overlap',
    ],
    ['step 0', () => adamStepSync(state, { step: 0 }), 'step must be an integer from 1'],
    ['beta1 1', () => adamStepSync(state, { step: 1, beta1: 1 }), 'beta1 and beta2 must be'],
    ['epsilon -1', () => adamStepSync(state, { step: 1, epsilon: -1 }), 'epsilon must be'],
    [
      'a square too short',
      () => adamStepSync({ ...state, square: of(1) }, { step: 1 }),
      'square must have 4',
    ],
    [
      'a mean that is the square',
      () => adamStepSync({ ...state, mean: state.square }, { step: 1 }),
      'overlap',
    ],
  ])('%s', (_, action, message) => {
    expect(action).toThrow(UnitscopeError);
    expect(action).toThrow(message);
  });
});
