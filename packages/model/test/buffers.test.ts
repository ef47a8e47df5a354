import { describe, expect, it } from 'vitest';
import { BufferPool } from '../src/onnxruntime-node/buffers.js';

describe('BufferPool', () => {
  it('copies any kind of view and uses a buffer again that has come back', () => {
    const pool = new BufferPool(1000);
    const whole = Float32Array.of(1, 2, 3, 4);
    const copy = pool.copy(whole.subarray(1, 3));
    expect(copy).toEqual(Float32Array.of(2, 3));
    expect(copy.buffer).not.toBe(whole.buffer);
    expect(pool.copy(BigInt64Array.of(5n))).toEqual(BigInt64Array.of(5n));
    pool.give(copy.buffer as ArrayBuffer);
    expect(pool.bytes).toBe(8);
    const again = pool.copy(BigInt64Array.of(7n));
    expect(again).toEqual(BigInt64Array.of(7n));
    expect(again.buffer).toBe(copy.buffer);
    expect(pool.bytes).toBe(0);
  });

  it('keeps no more than its bound, the newest first', () => {
    const pool = new BufferPool(20);
    const buffers = [new ArrayBuffer(8), new ArrayBuffer(8), new ArrayBuffer(8)];
    for (const buffer of buffers) pool.give(buffer);
    expect(pool.bytes).toBe(16);
    expect(pool.copy(new Uint8Array(8)).buffer).toBe(buffers[1]);
    pool.give(new ArrayBuffer(100));
    expect(pool.bytes).toBe(8);
    pool.clear();
    expect(pool.bytes).toBe(0);
  });
});
