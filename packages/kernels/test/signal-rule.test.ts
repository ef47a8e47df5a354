import { describe, expect, it } from 'vitest';
import { maxPoolBackwardSync, maxPoolSync, type SignalRule, unpoolSync } from '../src/index.js';

const backends = ['cpu', 'reference'] as const;

/** 5 x 5 cells of which all windows of 3 x 3 hold the middle, which holds their maximum. */
function planeWithMiddle(middle: number) {
  const data = new Float32Array(25).fill(-2);
  data[12] = middle;
  return { dims: [5, 5], data };
}

/** What the middle gets from these signals of the windows. */
function middleOf(
  rule: SignalRule,
  middle: number,
  signals: readonly number[],
  backend: 'cpu' | 'reference',
) {
  const side = Math.sqrt(signals.length);
  const dy = { dims: [side, side], data: Float32Array.from(signals) };
  const window = { kernel: 3, stride: side === 2 ? 2 : 1 };
  const { dx } = maxPoolBackwardSync(planeWithMiddle(middle), dy, window, { rule, backend });
  const others = dx.data.filter((_, cell) => cell !== 12);
  expect(others).toEqual(new Float32Array(24));
  return dx.data[12];
}

describe.each(backends)('signal rules on %s', (backend) => {
  // Rectified one by one the signals would sum to 4.5 and to 9.
  it.each([
    ['windows at stride 2', [3, -5, 1, 0.5], -0.5],
    ['windows at stride 1', [4, -1, -8, 2, -3, 1, 1, 1, 0], -3],
  ])('add the signals of overlapping %s first', (_, signals, sum) => {
    expect(middleOf('none', 1, signals, backend)).toBe(sum);
    expect(middleOf('gradient', 1, signals, backend)).toBe(sum);
    expect(middleOf('guided', 1, signals, backend)).toBe(0);
    expect(middleOf('deconvnet', 1, signals, backend)).toBe(0);
    const opposite = signals.map((signal) => -signal);
    expect(middleOf('guided', 1, opposite, backend)).toBe(-sum);
    expect(middleOf('deconvnet', 1, opposite, backend)).toBe(-sum);
  });

  it.each([0, -0, -1, Number.NaN])('let nothing through where x is %f, but in the deconvnet', (middle) => {
    const signals = [1, 2, 3, 4];
    expect(middleOf('none', middle, signals, backend)).toBe(10);
    expect(middleOf('gradient', middle, signals, backend)).toBe(0);
    expect(middleOf('guided', middle, signals, backend)).toBe(0);
    expect(middleOf('deconvnet', middle, signals, backend)).toBe(10);
  });

  it('keep a NaN of the signal, but where x closes the ReLU', () => {
    const signals = [1, Number.NaN, 3, 4];
    for (const rule of ['gradient', 'guided', 'deconvnet'] as const) {
      expect(middleOf(rule, 1, signals, backend)).toBeNaN();
    }
    expect(middleOf('gradient', -1, signals, backend)).toBe(0);
    expect(middleOf('guided', -1, signals, backend)).toBe(0);
  });

  it('rectify an unpooled reconstruction', () => {
    const { switches } = maxPoolSync(planeWithMiddle(1), { kernel: 3, stride: 2 });
    const y = { dims: [2, 2], data: Float32Array.of(3, -5, 1, 0.5) };
    const unpooled = (rule: 'none' | 'deconvnet') =>
      unpoolSync(y, switches, [5, 5], { kernel: 3, stride: 2 }, { rule, backend }).x.data[12];
    expect(unpooled('none')).toBe(-0.5);
    expect(unpooled('deconvnet')).toBe(0);
  });
});
