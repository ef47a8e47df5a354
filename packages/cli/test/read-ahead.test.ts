import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAhead } from '../src/passes/read-ahead.js';

/** Counts up, noting what was made and whether it was ended. */
function source(length: number, failAt = Number.POSITIVE_INFINITY) {
  const seen = { made: 0, ended: 0 };
  async function* items() {
    try {
      for (let i = 0; i < length; i++) {
        await Promise.resolve();
        if (i === failAt) throw new Error(`no ${i}`);
        seen.made++;
        yield i;
      }
    } finally {
      seen.ended++;
    }
  }
  return { seen, items: items() };
}

describe('reading ahead', () => {
  it('gives the same items, the next one being made while one is used, and no more', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(8), async (length) => {
        const { seen, items } = source(length);
        const got: number[] = [];
        for await (const item of readAhead(items)) {
          got.push(item);
          // Long enough for everything that could be made.
          await new Promise(setImmediate);
          expect(seen.made).toBe(Math.min(item + 2, length));
        }
        expect(got).toEqual(Array.from({ length }, (_, i) => i));
        expect(seen.ended).toBe(1);
      }),
    );
  });

  it('fails where the stream does, after what came before', async () => {
    const { seen, items } = source(5, 2);
    const got: number[] = [];
    const reading = (async () => {
      for await (const item of readAhead(items)) {
        got.push(item);
        await new Promise(setImmediate);
      }
    })();
    await expect(reading).rejects.toThrow('no 2');
    expect(got).toEqual([0, 1]);
    expect(seen.ended).toBe(1);
  });

  it('ends the stream when the reader stops', async () => {
    const { seen, items } = source(5);
    for await (const item of readAhead(items)) if (item === 1) break;
    expect(seen.ended).toBe(1);
    expect(seen.made).toBeLessThanOrEqual(3);
  });
});
