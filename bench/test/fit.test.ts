import { describe, expect, it } from 'vitest';
import { fitPowerLaw } from '../src/fit.js';

describe('fitPowerLaw', () => {
  it('finds an exact power law', () => {
    const { exponent, error, factor } = fitPowerLaw([1, 2, 5, 9].map((x) => [x, 3 * x ** 1.5]));
    expect(exponent).toBeCloseTo(1.5, 12);
    expect(error).toBeCloseTo(0, 12);
    expect(factor).toBeCloseTo(3, 12);
  });

  it('gives the standard error of the slope', () => {
    // The textbook formula, over x of the logarithms 0, 1, 2, 3, whose squared distances from their mean sum to 5.
    const points = [0, 1.1, 1.9, 3].map((y, x) => [Math.exp(x), Math.exp(y)] as const);
    const { exponent, error } = fitPowerLaw(points);
    expect(exponent).toBeCloseTo(0.98, 12);
    const residues = [0, 1.1, 1.9, 3].map((y, x) => y - 1.5 - 0.98 * (x - 1.5));
    const squares = residues.reduce((sum, residue) => sum + residue ** 2, 0);
    expect(error).toBeCloseTo(Math.sqrt(squares / 2 / 5), 12);
  });

  it('refuses too few points and values without a logarithm', () => {
    expect(() => fitPowerLaw([[1, 1]])).toThrow(/at least three points/);
    expect(() =>
      fitPowerLaw([
        [1, 1],
        [2, 0],
        [3, 1],
      ]),
    ).toThrow(/all of them positive/);
  });
});
