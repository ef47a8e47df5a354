// A process that runs a network and never closes anything.
import { openEngine } from '@unitscope/model';
import { emptyGraph, GraphBuilder } from '@unitscope/onnx';

const builder = new GraphBuilder(emptyGraph('double', 18));
const x = builder.input({ name: 'x', type: 'float32', dims: [1] });
builder.output({ name: builder.node('Add', [x, x], {}, { name: 'y' }), type: 'float32', dims: [1] });
const session = await (await openEngine(process.argv[2])).load(builder.build());
const results = await session.run({ x: { dims: [1], data: Float32Array.of(1) } });
console.log(results['y:out'].data[0]);
