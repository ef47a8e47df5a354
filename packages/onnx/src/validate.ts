import { type Graph, nodeLabel } from './graph.js';
import { valuesRead } from './graph-index.js';
import { sparseNames } from './origin.js';
import { badFile, quote, type Source } from './source.js';

/** Throws `bad-file` where a value has two makers, or is read or given out and nobody makes it. */
export function checkNames(graph: Graph, source: Source): void {
  const made = new Set<string>();
  const make = (name: string, how: string) => {
    if (made.has(name))
      throw badFile(source, `the value ${quote(name)} is made twice, the second time ${how}`);
    made.add(name);
  };
  for (const input of graph.inputs) make(input.name, 'as an input of the graph');
  for (const name of graph.initializers.keys()) make(name, 'as an initializer');
  for (const name of sparseNames(graph.rest)) make(name, 'as a sparse initializer');
  for (const node of graph.nodes) {
    for (const output of node.outputs) {
      if (output !== '') make(output, `by node ${quote(nodeLabel(node))}`);
    }
  }
  for (const node of graph.nodes) {
    for (const value of valuesRead(node)) {
      if (!made.has(value)) {
        throw badFile(source, `node ${quote(nodeLabel(node))} reads ${quote(value)}, which nobody makes`);
      }
    }
  }
  for (const { name } of graph.outputs) {
    if (!made.has(name)) throw badFile(source, `the output ${quote(name)} is a value nobody makes`);
  }
}
