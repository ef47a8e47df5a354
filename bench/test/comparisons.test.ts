import { describe, expect, it } from 'vitest';
import { firstOutside } from '../src/comparisons.js';
import { type ComparisonRow, judge, ofCopy } from '../src/problems/problem.js';

describe('firstOutside', () => {
  const least = Float64Array.of(1, 2, 3);
  const most = Float64Array.of(1, 2.5, 3);

  it('is undefined where everything lies between', () => {
    expect(firstOutside('y', Float32Array.of(1, 2.25, 3), least, most)).toBeUndefined();
    expect(firstOutside('y', BigInt64Array.of(1n, 2n, 3n), least, most)).toBeUndefined();
  });

  it.each([
    [Float32Array.of(1, 2.75, 3), 'y[1] is 2.75, torch allows 2 to 2.5'],
    [Float32Array.of(1, 2, Number.NaN), 'y[2] is NaN, torch allows 3 to 3'],
    [Float32Array.of(1, 2), 'y has 2 elements, torch 3'],
  ])('names the first that does not', (actual, message) => {
    expect(firstOutside('y', actual, least, most)).toBe(message);
  });
});

describe('judge', () => {
  const timing = (name: string, min: number) => ({ name, median: 2 * min, min, rounds: 3 });
  const row: ComparisonRow = {
    kernel: 'unpool',
    name: 'large',
    threads: 1,
    bytes: 1,
    ours: timing('unitscope', 4),
    copy: timing('copy', 3),
    read: timing('read', 2),
  };

  it('compares with the fastest rounds', () => {
    expect(judge(ofCopy(0.7), row)).toEqual({
      text: 'at least 0.7 of the copy rate',
      value: 0.75,
      met: true,
    });
    expect(judge(ofCopy(0.8), row)?.met).toBe(false);
    const few = {
      text: 'at most 2 reads',
      atMost: 2,
      value: ({ ours, read }: ComparisonRow) => ours.min / read.min,
    };
    expect(judge(few, row)?.met).toBe(true);
  });

  it('says nothing of other thread counts, or without what it is measured against', () => {
    expect(judge({ ...ofCopy(0.7), threads: 2 }, row)).toBeUndefined();
    const peer = { text: 'faster', atLeast: 1, value: ({ peer: torch }: ComparisonRow) => torch?.min };
    expect(judge(peer, row)).toBeUndefined();
    expect(judge(undefined, row)).toBeUndefined();
  });
});
