// Node program that ends, as its first argument says, by `exit` in the middle of a long run, or by `itself` when all its
// work is done, sessions not released: node ends-in-a-run.mjs WAY LIBRARY MODEL SIZE
import { readFileSync } from 'node:fs';
import { openRuntime } from '../../dist/runtime/index.js';

const [way, library, path, size] = process.argv.slice(2);
const runtime = await openRuntime({ library, threads: 2 });
const session = await runtime.load(readFileSync(path));
const x = { dims: [Number(size), Number(size)], data: new Float32Array(Number(size) ** 2) };
const runs = [session.run({ x }), session.run({ x })];
if (way === 'exit') setImmediate(() => process.exit(7));
await Promise.all(runs);
console.log('done');
