import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

// The floor every memory-bound kernel is measured against: reading and writing 48 MiB, on as many threads.
const BYTES = 48 * 2 ** 20;
const REPEATS = 30;

const WORKER = `
  const { workerData, parentPort } = require('node:worker_threads');
  const { bytes, gate } = workerData;
  // Memory of its own: copying between shared buffers goes word by word.
  const source = new Uint8Array(bytes).fill(1);
  const target = new Uint8Array(bytes).fill(2);
  const turns = new Int32Array(gate);
  parentPort.postMessage('ready');
  for (let turn = 1; turn <= ${REPEATS}; turn++) {
    Atomics.wait(turns, 0, turn - 1);
    target.set(source);
    Atomics.add(turns, 1, 1);
    Atomics.notify(turns, 1);
  }
`;

/** GB/s of a copy on `threads` threads, bytes read and bytes written both counted: the best of 30. */
export async function copyBandwidth(threads: number): Promise<number> {
  const gate = new SharedArrayBuffer(8);
  const turns = new Int32Array(gate);
  const workers = await Promise.all(
    Array.from({ length: threads }, async () => {
      const worker = new Worker(WORKER, {
        eval: true,
        workerData: { bytes: Math.ceil(BYTES / threads), gate },
      });
      await once(worker, 'message');
      return worker;
    }),
  );
  let best = Number.POSITIVE_INFINITY;
  for (let turn = 1; turn <= REPEATS; turn++) {
    const start = performance.now();
    Atomics.store(turns, 0, turn);
    Atomics.notify(turns, 0);
    for (let done = Atomics.load(turns, 1); done < turn * threads; done = Atomics.load(turns, 1)) {
      Atomics.wait(turns, 1, done);
    }
    best = Math.min(best, performance.now() - start);
  }
  await Promise.all(workers.map((worker) => worker.terminate()));
  return (2 * BYTES) / best / 1e6;
}
