import { Random, sizeOf } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeValues } from '../src/cases/case.js';
import { maxPoolBackwardSync, maxPoolSync, type PoolWindow, unpoolSync } from '../src/index.js';
import { resolvePooling } from '../src/pooling.js';
import { maxPoolReference } from '../src/reference/max-pool.js';
import { maxPoolBackwardReference } from '../src/reference/max-pool-backward.js';
import { signalRuleReference } from '../src/reference/signal-rule.js';

interface Pooling {
  readonly dims: readonly number[];
  readonly window: PoolWindow;
  readonly seed: number;
}

/** Any legal pooling of a small tensor: pads smaller than the kernel, a kernel that fits. */
const poolings: fc.Arbitrary<Pooling> = fc
  .record({
    planes: fc.integer({ min: 0, max: 5 }),
    kernel: fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })),
    stride: fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 })),
    dilation: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    extra: fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 40 })),
    pads: fc.array(fc.double({ min: 0, max: 0.99, noNaN: true }), { minLength: 4, maxLength: 4 }),
    ceilMode: fc.boolean(),
    seed: fc.integer({ min: 0, max: 1000 }),
  })
  .map(({ planes, kernel, stride, dilation, extra, pads, ceilMode, seed }) => {
    const [top = 0, left = 0, bottom = 0, right = 0] = pads.map((part, i) =>
      Math.floor(part * kernel[i % 2 === 0 ? 0 : 1]),
    );
    const size = (axis: 0 | 1) => (kernel[axis] - 1) * dilation[axis] + 1 + extra[axis];
    return {
      dims: [planes, size(0), size(1)],
      window: { kernel, stride, dilation, padding: [top, left, bottom, right] as const, ceilMode },
      seed,
    };
  });

const kinds = fc.constantFrom('normal', 'ties', 'nan', 'negative-infinity', 'zeros');
const signals = fc.constantFrom('normal', 'ties', 'nan');
const rules = fc.constantFrom('gradient', 'guided', 'deconvnet');
const threads = fc.integer({ min: 0, max: 5 });

describe('any pooling', () => {
  it('gives the maxima and switches of the definition', () => {
    fc.assert(
      fc.property(poolings, kinds, threads, ({ dims, window, seed }, kind, threadCount) => {
        const x = { dims, data: makeValues(kind, sizeOf(dims), seed) };
        const expected = maxPoolReference(resolvePooling(dims, window), x.data);
        const { y, switches } = maxPoolSync(x, window, { threads: threadCount });
        expect(Float64Array.from(y.data)).toEqual(expected.y);
        expect(switches.data).toEqual(expected.switches);
      }),
      { numRuns: 300 },
    );
  });

  it('unpools to its own gradient, bit for bit', () => {
    fc.assert(
      fc.property(poolings, kinds, ({ dims, window, seed }, kind) => {
        const x = { dims, data: makeValues(kind, sizeOf(dims), seed) };
        const { y, switches } = maxPoolSync(x, window);
        const dy = { dims: y.dims, data: makeValues('normal', y.data.length, seed + 1) };
        const { dx } = maxPoolBackwardSync(x, dy, window);
        const size = [dims.at(-2)!, dims.at(-1)!] as const;
        expect(unpoolSync(dy, switches, size, window).x.data).toEqual(dx.data);
      }),
      { numRuns: 300 },
    );
  });

  it('rectifies the finished sums, bit for bit', () => {
    fc.assert(
      fc.property(
        poolings,
        kinds,
        rules,
        signals,
        threads,
        ({ dims, window, seed }, kind, rule, signal, count) => {
          const x = { dims, data: makeValues(kind, sizeOf(dims), seed) };
          const { y } = maxPoolSync(x, window);
          const dy = { dims: y.dims, data: makeValues(signal, y.data.length, seed + 1) };
          const sums = maxPoolBackwardSync(x, dy, window).dx.data;
          const expected = sums.map((sum, i) => signalRuleReference(rule, sum, x.data[i]!));
          expect(maxPoolBackwardSync(x, dy, window, { rule, threads: count }).dx.data).toEqual(expected);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('unpools to the deconvnet, bit for bit', () => {
    fc.assert(
      fc.property(poolings, kinds, signals, ({ dims, window, seed }, kind, signal) => {
        const x = { dims, data: makeValues(kind, sizeOf(dims), seed) };
        const { y, switches } = maxPoolSync(x, window);
        const dy = { dims: y.dims, data: makeValues(signal, y.data.length, seed + 1) };
        const { dx } = maxPoolBackwardSync(x, dy, window, { rule: 'deconvnet' });
        const size = [dims.at(-2)!, dims.at(-1)!] as const;
        expect(unpoolSync(dy, switches, size, window, { rule: 'deconvnet' }).x.data).toEqual(dx.data);
      }),
      { numRuns: 100 },
    );
  });

  it('loses no mass in the backward pass', () => {
    fc.assert(
      fc.property(poolings, ({ dims, window, seed }) => {
        const x = { dims, data: makeValues('ties', sizeOf(dims), seed) };
        const { y } = maxPoolSync(x, window);
        // Small integers add without rounding, so the sums must agree exactly.
        const random = new Random(seed);
        const dy = { dims: y.dims, data: Float32Array.from(y.data, () => random.integer(-8, 8)) };
        const { dx } = maxPoolBackwardSync(x, dy, window);
        const sum = (data: Float32Array) => data.reduce((total, value) => total + value, 0);
        expect(sum(dx.data)).toBe(sum(dy.data));
      }),
      { numRuns: 200 },
    );
  });

  it('has the gradient that central differences give', () => {
    fc.assert(
      fc.property(poolings, ({ dims, window, seed }) => {
        const params = resolvePooling([1, ...dims.slice(1)], window);
        const random = new Random(seed);
        const x = Float64Array.from({ length: params.height * params.width }, () => random.normal());
        const dy = Float64Array.from({ length: params.outHeight * params.outWidth }, () => random.normal());
        const { dx } = maxPoolBackwardReference(params, 'none', x, dy);
        const cell = random.integer(0, x.length - 1);
        // Smaller than the distance between two of the values, all but surely: the maximum stays where it is.
        const step = 1e-7;
        const objective = (shift: number) => {
          const moved = x.slice();
          moved[cell] = moved[cell]! + shift;
          return maxPoolReference(params, moved).y.reduce((total, value, i) => total + value * dy[i]!, 0);
        };
        expect((objective(step) - objective(-step)) / (2 * step)).toBeCloseTo(dx[cell]!, 5);
      }),
      { numRuns: 100, seed: 7 },
    );
  });
});
