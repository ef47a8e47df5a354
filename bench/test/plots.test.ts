import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plotKernels } from '../src/plots/kernels.js';
import { logAxis, spread, text } from '../src/plots/svg.js';

describe('spread', () => {
  it('keeps labels apart, within the ends, and in order', () => {
    const places = fc.array(fc.double({ min: -50, max: 150, noNaN: true }), { maxLength: 10 });
    fc.assert(
      fc.property(places, (wanted) => {
        const spreadOut = spread(wanted, 10, 0, 100);
        const order = [...wanted.keys()].sort((a, b) => wanted[a]! - wanted[b]!);
        const sorted = order.map((i) => spreadOut[i]!);
        for (let i = 1; i < sorted.length; i++)
          expect(sorted[i]! - sorted[i - 1]!).toBeGreaterThanOrEqual(10 - 1e-9);
        if (sorted.length > 0) {
          expect(sorted[0]).toBeGreaterThanOrEqual(-1e-9);
          expect(sorted.at(-1)).toBeLessThanOrEqual(100);
        }
      }),
    );
  });

  it('leaves labels where they are wanted when they have room', () => {
    expect(spread([70, 10, 40], 10, 0, 100)).toEqual([70, 10, 40]);
  });
});

describe('logAxis', () => {
  it('places powers of ten at equal distances', () => {
    const { place, ticks } = logAxis(0.1, 1000, 0, 400);
    expect(ticks).toEqual([0.1, 1, 10, 100, 1000]);
    for (const [i, tick] of ticks.entries()) expect(place(tick)).toBeCloseTo(100 * i, 9);
  });

  it('marks more where there are few', () => {
    expect(logAxis(1, 30, 0, 100).ticks).toEqual([1, 2, 5, 10, 20]);
  });
});

describe('text', () => {
  it('is text, whatever it holds', () => {
    expect(text([0, 0], '<a> & b')).toContain('>&lt;a&gt; &amp; b</text>');
  });
});

describe('plotKernels', () => {
  const result = {
    bench: 'kernels',
    date: '2026-01-02T03:04:05Z',
    machine: { cpu: 'a processor', isa: 'avx2', cuda: 'not run: none' },
    rounds: 3,
    failures: [],
    comparisons: [],
  } as const;
  const base = { backend: 'cpu', median: 2, min: 1, bytes: 1e6, rate: 1, copy: 2, ofCopy: 0.5 } as const;
  const moving = [1, 2].map((threads) => ({ ...base, kernel: 'unpool', name: 'large', threads }));
  const arithmetic = { flops: 1e8, rate: 100, peak32: 200, peak64: 100 };
  const computing = [1, 2].map((threads) => ({
    ...base,
    kernel: 'matmul',
    name: 'large',
    threads,
    arithmetic,
  }));

  it('has a roofline only of kernels that count their operations', () => {
    expect(Object.keys(plotKernels({ ...result, rows: moving }))).toEqual(['copy-rate.svg']);
    expect(Object.keys(plotKernels({ ...result, rows: computing }))).toEqual(['roofline.svg']);
    expect(plotKernels({ ...result, rows: [] })).toEqual({});
  });

  it('shows a bar for the case and the share of the roof', () => {
    const plots = plotKernels({ ...result, rows: [...moving, ...computing] });
    expect(plots['copy-rate.svg']!.match(/<rect /g)).toHaveLength(2);
    expect(plots['copy-rate.svg']).toContain('>0.50</text>');
    // 100 operations a byte: below the arithmetic roof of 200, not the one of the copy.
    expect(plots['roofline.svg']).toContain('matmul 100.0 GFLOP/s, 50 % of its roof');
  });
});
