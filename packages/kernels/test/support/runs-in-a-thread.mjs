// Worker thread, with { library, model, size, runs } as its data: runs a square matrix through a network that many times,
// posts 'running' when the first run is under way, and the last result.
import { parentPort, workerData } from 'node:worker_threads';
import { openRuntime } from '../../dist/runtime/index.js';

const { library, model, size, runs } = workerData;
const runtime = await openRuntime({ library, threads: 2 });
const session = await runtime.load(model);
const x = { dims: [size, size], data: new Float32Array(size * size).fill(2) };
for (let i = 0; i < runs; i++) {
  const run = session.run({ x });
  if (i === 0) parentPort.postMessage('running');
  const { y } = await run;
  if (i === runs - 1) parentPort.postMessage(Float32Array.from(y.data));
}
