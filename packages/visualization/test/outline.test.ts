import { describe, expect, it } from 'vitest';
import { outlineMask } from '../src/index.js';

const picture = { width: 4, height: 3, channels: 3, data: new Uint8Array(36).fill(200) } as const;

/** The red level of every pixel. */
const reds = (data: Uint8Array) => Array.from({ length: 12 }, (_, i) => data[3 * i]);

describe('a mask on a picture', () => {
  it('is outlined inside its edge, everything outside is dimmed', () => {
    const mask = [1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0];
    const { data } = outlineMask(picture, mask, { color: [9, 8, 7], outside: 0.25 });
    // Only the middle pixel has neighbours of the mask on all sides.
    expect(reds(data)).toEqual([9, 9, 9, 50, 9, 200, 9, 50, 9, 9, 9, 50]);
    expect([...data.subarray(0, 3)]).toEqual([9, 8, 7]);
  });

  it('leaves the picture it was given alone, and takes grey ones', () => {
    const grey = { width: 2, height: 1, channels: 1, data: Uint8Array.of(100, 50) } as const;
    const { channels, data } = outlineMask(grey, [0, 0]);
    expect(channels).toBe(3);
    expect([...data]).toEqual([50, 50, 50, 25, 25, 25]);
    expect([...grey.data]).toEqual([100, 50]);
  });

  it('must be of its size', () => {
    expect(() => outlineMask(picture, [1])).toThrow('a mask of 1 pixels does not fit 4x3');
  });
});
