// A process that ends while ONNX Runtime is at work.
import { openEngine } from '@unitscope/model';
import { emptyGraph, GraphBuilder } from '@unitscope/onnx';

const size = 256;
const builder = new GraphBuilder(emptyGraph('slow', 18));
let value = builder.input({ name: 'x', type: 'float32', dims: [256, size] });
const weight = builder.constant({ type: 'float32', dims: [size, size], data: new Float32Array(size * size) });
for (let i = 0; i < 200; i++) value = builder.node('MatMul', [value, weight]);
builder.output({ name: value, type: 'float32', dims: [256, size] });
const session = await (await openEngine(process.argv[2])).load(builder.build());
const feeds = { x: { dims: [256, size], data: new Float32Array(256 * size) } };
await session.run(feeds);
session.run(feeds);
setImmediate(() => process.exit(3));
