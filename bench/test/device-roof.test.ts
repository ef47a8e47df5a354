import { describe, expect, it } from 'vitest';
import { DeviceRoof } from '../src/device-roof.js';

describe('DeviceRoof', () => {
  it.each([1, 12, 1000, 999_999])('moves about %i bytes', (bytes) => {
    const roof = new DeviceRoof('cpu', bytes);
    // Whole elements of 12 bytes, at least one.
    expect(Math.abs(roof.bytes - Math.max(bytes, 12))).toBeLessThanOrEqual(6);
    expect(Number.isFinite(roof.pass())).toBe(true);
    roof.free();
    expect(() => roof.pass()).toThrow('has been freed');
  });
});
