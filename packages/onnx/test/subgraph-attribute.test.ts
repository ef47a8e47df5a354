import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import {
  cutGraph,
  emptyGraph,
  type Graph,
  GraphBuilder,
  readModel,
  renameValues,
  subgraphAttribute,
  writeModel,
} from '../src/index.js';
import { runGraph } from './upgrade-runtime.js';

/** x + 3·weight, by a Loop whose body reads a weight outside. */
function looped(): Graph {
  const body = new GraphBuilder(emptyGraph('body', 18));
  body.input({ name: 'i', type: 'int64', dims: [] });
  const going = body.input({ name: 'going', type: 'bool', dims: [] });
  const before = body.input({ name: 'before', type: 'float32', dims: [2] });
  body.output({ name: body.node('Identity', [going], {}, { name: 'on' }), type: 'bool', dims: [] });
  body.output({
    name: body.node('Add', [before, 'weight'], {}, { name: 'next' }),
    type: 'float32',
    dims: [2],
  });
  const builder = new GraphBuilder(emptyGraph('looped', 18));
  const x = builder.input({ name: 'x', type: 'float32', dims: [2] });
  builder.constant({ type: 'float32', dims: [2], data: Float32Array.of(1, 10) }, 'weight');
  builder.constant({ type: 'float32', dims: [1], data: Float32Array.of(7) }, 'unused');
  builder.append({
    name: 'loop',
    operator: 'Loop',
    domain: '',
    inputs: [builder.ints(3, [], 'turns'), '', x],
    outputs: ['sum'],
    attributes: new Map([['body', subgraphAttribute('body', body.build())]]),
  });
  builder.output({ name: 'sum', type: 'float32', dims: [2] });
  return builder.build();
}

describe('a graph as an attribute', () => {
  it('is run, reading a weight of the graph around it', async () => {
    const x = new ort.Tensor('float32', Float32Array.of(0.5, -1), [2]);
    const outputs = await runGraph(readModel(writeModel(looped())), { x });
    expect(Array.from(outputs.get('sum')!.data, Number)).toEqual([3.5, 29]);
  });

  it('counts what it reads as read by its node', () => {
    const cut = cutGraph(looped(), { outputs: ['sum'] });
    expect([...cut.initializers.keys()].sort()).toEqual(['turns', 'weight']);
    expect(() => renameValues(looped(), new Map([['weight', 'w']]))).toThrow(
      /weight cannot be renamed: a subgraph of loop \(Loop\) reads it/,
    );
  });

  it('is the same when read and written again', () => {
    const bytes = writeModel(looped());
    const read = readModel(bytes);
    expect(Buffer.compare(writeModel({ ...read, name: 'looped' }), bytes)).toBe(0);
  });
});
