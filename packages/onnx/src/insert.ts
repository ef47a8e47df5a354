import { UnitscopeError, unknownName } from '@unitscope/tensor';
import { GraphBuilder } from './builder.js';
import { type Graph, nodeLabel } from './graph.js';
import { deriveNode } from './origin.js';
import { capturedNames } from './subgraphs.js';

/**
 * The graph with nodes put in right behind a value: whatever read the value reads what `write` gives instead. The value
 * itself keeps its name and what it means, also where it is an output of the graph.
 *
 * Throws `not-found` for a name that no node makes, `unsupported` where a subgraph reads the value.
 *
 * @param write adds the nodes through the builder and gives the value that takes its place
 */
export function insertAfter(graph: Graph, value: string, write: (builder: GraphBuilder) => string): Graph {
  const at = graph.nodes.findIndex((node) => node.outputs.includes(value));
  if (at < 0) {
    const made = graph.nodes.flatMap((node) => node.outputs.filter((output) => output !== ''));
    throw unknownName('value', value, made);
  }
  const capturing = graph.nodes.find((node) => new Set(capturedNames(node)).has(value));
  if (capturing !== undefined) {
    throw new UnitscopeError(
      'unsupported',
      `nothing can be put in behind ${value}: a subgraph of ${nodeLabel(capturing)} reads it`,
      { subject: value },
    );
  }
  const builder = new GraphBuilder(graph);
  const replacement = write(builder);
  const built = builder.build();
  const nodes = graph.nodes.map((node) =>
    node.inputs.includes(value)
      ? deriveNode(node, { inputs: node.inputs.map((input) => (input === value ? replacement : input)) })
      : node,
  );
  const added = built.nodes.slice(graph.nodes.length);
  return { ...built, nodes: [...nodes.slice(0, at + 1), ...added, ...nodes.slice(at + 1)] };
}
