import { describe, expect, it } from 'vitest';
import {
  emptyGraph,
  evaluate,
  type Graph,
  GraphBuilder,
  insertAfter,
  readModel,
  writeModel,
} from '../src/index.js';

function chain(): Graph {
  const builder = new GraphBuilder(emptyGraph('chain', 18));
  const x = builder.input({ name: 'x', type: 'float32', dims: [2] });
  const a = builder.node('Relu', [x], {}, { name: 'a' });
  const b = builder.node('Neg', [a], {}, { name: 'b' });
  const c = builder.node('Add', [a, b], {}, { name: 'c' });
  for (const name of [a, c]) builder.output({ name, type: 'float32', dims: [2] });
  return builder.build();
}

describe('insertAfter', () => {
  it('makes all readers read the new value, and leaves the value as it was', () => {
    const graph = chain();
    const made = insertAfter(graph, 'a:out', (builder) => builder.node('Mul', ['a:out', builder.floats(10)]));
    const x = { dims: [2], data: Float32Array.of(1, 2) };
    const values = evaluate(made, { x }, { outputs: ['a:out', 'b:out', 'c:out'] });
    expect([...values.values()].map(({ data }) => Array.from(data))).toEqual([
      [1, 2],
      [-10, -20],
      [0, 0],
    ]);
    expect(made.nodes.map(({ name }) => name)).toEqual(['a', 'Mul', 'b', 'c']);
    expect(graph.nodes[1]!.inputs).toEqual(['a:out']);
    expect(readModel(writeModel(made)).nodes).toHaveLength(4);
  });

  it('refuses a value that no node makes', () => {
    expect(() => insertAfter(chain(), 'a:outt', () => 'x')).toThrow(
      /no value "a:outt"; did you mean "a:out"/,
    );
    expect(() => insertAfter(chain(), 'x', () => 'x')).toThrow(/no value "x"/);
  });
});
