import { Random, sliceBatch, type Tensor, UnitscopeError, zeros } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  miGradient,
  miGradientSync,
  miLoss,
  miLossSync,
  RunningZ,
  templateScores,
  templateScoresSync,
} from '../src/index.js';
import { resolveMaps } from '../src/mutual-information.js';
import { miGradientReference } from '../src/reference/mi-gradient.js';
import { miLossReference } from '../src/reference/mi-loss.js';

function mapsOf(dims: readonly number[], seed: number, scale = 1): Tensor {
  const random = new Random(seed);
  const x = zeros(dims);
  for (let i = 0; i < x.data.length; i++) x.data[i] = Math.max(random.normal(), 0) * scale;
  return x;
}

const shapes = fc.record({
  batch: fc.integer({ min: 1, max: 5 }),
  channels: fc.integer({ min: 1, max: 11 }),
  n: fc.integer({ min: 1, max: 8 }),
  beta: fc.double({ min: 0.3, max: 20, noNaN: true }),
  seed: fc.integer({ min: 0, max: 1000 }),
});

describe('the filter loss of any maps', () => {
  it('has the gradient that central differences give', () => {
    fc.assert(
      fc.property(shapes, ({ batch, n, beta, seed }) => {
        const x = Float64Array.from(mapsOf([batch, 1, n, n], seed).data);
        const params = { batch, channels: 1, size: n, tau: 0.2, beta, alpha: 0.8 };
        const { dx } = miGradientReference(params, 'exact', x, [], undefined);
        const cell = new Random(seed).integer(0, x.length - 1);
        const step = 1e-4;
        const at = (shift: number) => {
          const moved = x.slice();
          moved[cell] = moved[cell]! + shift;
          return miLossReference(params, moved, undefined)[0]!;
        };
        expect((at(step) - at(-step)) / (2 * step)).toBeCloseTo(dx[cell]!, 7);
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  it('is not above 0, and does not depend on threads or on the filters beside it', () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 0, max: 4 }), ({ batch, channels, n, beta, seed }, threads) => {
        const x = mapsOf([batch, channels, n, n], seed, 10);
        const { loss } = miLossSync(x, { beta, threads });
        const { dx } = miGradientSync(x, { beta, threads });
        const channel = seed % channels;
        const alone = zeros([batch, 1, n, n]);
        for (let image = 0; image < batch; image++) {
          const start = (image * channels + channel) * n * n;
          alone.data.set(x.data.subarray(start, start + n * n), image * n * n);
        }
        expect(Math.max(...loss.data)).toBeLessThanOrEqual(1e-12);
        expect(miLossSync(alone, { beta }).loss.data[0]).toBe(loss.data[channel]);
        const { dx: single } = miGradientSync(alone, { beta });
        for (let image = 0; image < batch; image++) {
          const start = (image * channels + channel) * n * n;
          expect(dx.data.subarray(start, start + n * n)).toEqual(
            single.data.subarray(image * n * n, (image + 1) * n * n),
          );
        }
      }),
      { numRuns: 100 },
    );
  });

  it('does not overflow', () => {
    for (const mode of ['exact', 'frozen', 'one-template', 'released'] as const) {
      const x = mapsOf([4, 3, 6, 6], 1, 1e6);
      const targets = { dims: [4, 3], data: new Uint8Array(12).map((_, i) => i % 2) };
      const { dx } = miGradientSync(x, { mode, targets });
      expect(dx.data.every(Number.isFinite)).toBe(true);
      expect(miLossSync(x).loss.data.every(Number.isFinite)).toBe(true);
    }
  });

  it('is NaN for a filter with NaN, and for no other', () => {
    const x = mapsOf([3, 9, 4, 4], 2);
    x.data[5] = Number.NaN;
    const { loss } = miLossSync(x);
    expect(Array.from(loss.data, Number.isNaN)).toEqual(Array.from({ length: 9 }, (_, c) => c === 0));
  });
});

describe('a running Z', () => {
  const x = mapsOf([7, 5, 6, 6], 9, 20);
  const whole = templateScoresSync(x).scores;

  it('over parts, merged and restored, is that of the whole batch', () => {
    const first = new RunningZ(5, 37);
    first.add(sliceBatch(whole, 0, 3));
    const second = new RunningZ(5, 37);
    second.add(sliceBatch(whole, 3, 4));
    second.add(sliceBatch(whole, 4, 7));
    first.merge(RunningZ.fromState(structuredClone(second.toState())));
    first.merge(new RunningZ(5, 37));
    expect(first.images).toBe(7);
    const logZ = first.logZ(7);
    const own = miGradientSync(x, { mode: 'frozen' }).dx.data;
    const given = miGradientSync(x, { mode: 'frozen', logZ }).dx.data;
    const top = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    // log Z is rounded to float32, relative to numbers of about 5.
    own.forEach((value, i) => {
      expect(Math.abs(given[i]! - value)).toBeLessThanOrEqual(1e-5 * top);
    });
    const losses = miLossSync(x, { logZ }).loss.data;
    miLossSync(x).loss.data.forEach((value, channel) => {
      expect(Math.abs(losses[channel]! - value)).toBeLessThanOrEqual(1e-5);
    });
  });

  it('scales with the number of images', () => {
    const z = new RunningZ(5, 37);
    z.add(whole);
    z.logZ(14).data.forEach((value, i) => {
      expect(value).toBeCloseTo(z.logZ(7).data[i]! + Math.log(2), 5);
    });
  });

  it('refuses what does not fit', () => {
    expect(() => new RunningZ(5, 37).logZ(7)).toThrow('before the first batch');
    expect(() => new RunningZ(4, 37).add(whole)).toThrow('scores must have dims [7, 4, 37]');
    expect(() => new RunningZ(4, 37).merge(new RunningZ(5, 37))).toThrow('cannot be merged');
    const state = { ...new RunningZ(2, 5).toState(), sum: new Float64Array(9) };
    expect(() => RunningZ.fromState(state)).toThrow('must hold 2 x 5');
  });
});

describe('wrong arguments of the filter loss', () => {
  const x = zeros([2, 3, 4, 4]);
  const codeOf = (action: () => unknown): string => {
    try {
      action();
    } catch (error) {
      if (error instanceof UnitscopeError) return `${error.code}: ${error.message}`;
      throw error;
    }
    return 'nothing was thrown';
  };

  it.each([
    [
      'maps that are not square',
      () => templateScoresSync(zeros([2, 3, 4, 5])),
      'bad-input: x must be square',
    ],
    ['too few axes', () => miLossSync(zeros([3, 4, 4])), 'bad-input: x must be square'],
    ['too little data', () => miLossSync({ ...x, data: new Float32Array(5) }), 'bad-input: x must have dims'],
    ['maps without cells', () => miLossSync(zeros([2, 3, 0, 0])), 'bad-input: x must be square'],
    [
      'maps too large',
      () => templateScoresSync(zeros([1, 1, 257, 257])),
      'unsupported: templateScores: maps of 257',
    ],
    ['tau 0', () => miLossSync(x, { tau: 0 }), 'wrong-use: miLoss: tau and beta'],
    ['beta NaN', () => miLossSync(x, { beta: Number.NaN }), 'wrong-use: miLoss: tau and beta'],
    ['alpha 2', () => miLossSync(x, { alpha: 2 }), 'wrong-use: miLoss: alpha must be'],
    [
      'no targets',
      () => miGradientSync(x, { mode: 'one-template' }),
      'wrong-use: the mode one-template needs',
    ],
    [
      'targets of other dims',
      () => miGradientSync(x, { mode: 'released', targets: { dims: [6], data: new Uint8Array(6) } }),
      'bad-input: targets must have dims [2, 3]',
    ],
    [
      'slopes of other dims',
      () =>
        miGradientSync(x, {
          mode: 'released',
          targets: { dims: [2, 3], data: new Uint8Array(6) },
          slopes: zeros([2]),
        }),
      'bad-input: slopes must have dims [3]',
    ],
    [
      'logZ of other dims',
      () => miLossSync(x, { logZ: zeros([3, 16]) }),
      'bad-input: logZ must have dims [3, 17]',
    ],
    [
      'exact with logZ',
      () => miGradientSync(x, { logZ: zeros([3, 17]) }),
      'wrong-use: miGradient: log_z is a constant',
    ],
    [
      'an output too short',
      () => templateScoresSync(x, { into: { scores: new Float32Array(3) } }),
      'bad-input: scores to write to must have 102',
    ],
    ['an input as output', () => miGradientSync(x, { into: { dx: x.data } }), 'x and dx overlap'],
    // @ts-expect-error: what a caller without types could pass
    ['an unknown mode', () => miGradientSync(x, { mode: 'exakt' }), 'did you mean "exact"?'],
  ])('%s', (_, action, message) => {
    expect(codeOf(action)).toContain(message);
  });

  it('takes the paper’s tau, beta and alpha by default', () => {
    expect(resolveMaps(x, {})).toMatchObject({ tau: 0.5 / 16, beta: 4, alpha: 16 / 17 });
  });

  it('rejects the promise as well', async () => {
    await expect(miLoss(x, { tau: -1 })).rejects.toMatchObject({ code: 'wrong-use' });
    await expect(miGradient(x, { beta: 0 })).rejects.toMatchObject({ code: 'wrong-use' });
    expect((await templateScores(x)).backend).toBe('cpu');
  });
});
