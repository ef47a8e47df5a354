import { setImmediate as nextTurn } from 'node:timers/promises';
import { markAsUntransferable } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { lendMemory, releaseData } from '../src/index.js';

it('an array that is released has no memory any more, nor has another over the same', async () => {
  const data = new Float32Array(1000);
  const view = data.subarray(10, 20);
  releaseData(data);
  expect([data.length, view.length]).toEqual([0, 0]);
  // Once more is no mistake, and later ones go the same way.
  releaseData(data);
  await nextTurn();
  const later = new Int32Array(10);
  releaseData(later);
  expect(later.length).toBe(0);
});

it('shared memory stays', () => {
  const shared = new Float32Array(new SharedArrayBuffer(8));
  releaseData(shared);
  expect(shared.length).toBe(2);
});

it('memory that may not leave its thread stays', () => {
  const bound = new Float32Array(2);
  markAsUntransferable(bound.buffer);
  releaseData(bound);
  expect(bound.length).toBe(2);
});

it('memory that is lent goes back as its lender says', () => {
  const data = new Float32Array(2);
  const returned: ArrayBuffer[] = [];
  lendMemory(data.buffer, (memory) => {
    returned.push(memory);
    structuredClone(memory, { transfer: [memory] });
  });
  releaseData(data);
  releaseData(data);
  expect(returned).toEqual([data.buffer]);
  expect(data.length).toBe(0);
});
