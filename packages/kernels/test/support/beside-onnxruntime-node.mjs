// Node program: the binding and the package onnxruntime-node in one process, in the order given (`ours` or `theirs` is
// loaded first). Prints what each computes for one network: node beside-onnxruntime-node.mjs ORDER LIBRARY MODEL
import { readFileSync } from 'node:fs';
import { openRuntime } from '../../dist/runtime/index.js';

const [order, library, path] = process.argv.slice(2);
const model = readFileSync(path);
const data = Float32Array.of(1, -2, 3, 4);

async function ours() {
  const runtime = await openRuntime({ library, threads: 2 });
  const session = await runtime.load(model);
  return async () => [...(await session.run({ x: { dims: [2, 2], data } })).y.data];
}

async function theirs() {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const session = await InferenceSession.create(model);
  return async () => [...(await session.run({ x: new Tensor('float32', data, [2, 2]) })).y.data];
}

const loads = order === 'ours' ? [ours, theirs] : [theirs, ours];
const runs = [];
for (const load of loads) runs.push(await load());
const results = [];
for (let times = 0; times < 3; times++) for (const run of runs) results.push(await run());
console.log(JSON.stringify(results));
