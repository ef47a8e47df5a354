import type { AttributeProto, GraphProto } from 'onnx-buf';
import type { Attribute, Node } from './graph.js';
import { origins } from './origin.js';

/** The graphs inside a node: the branches of an If, the body of a Loop or Scan. */
export function subgraphsOf(node: Node): GraphProto[] {
  const graphs: GraphProto[] = [];
  for (const attribute of node.attributes.values()) {
    const message = attribute.kind === 'other' ? originOf(attribute) : undefined;
    if (message !== undefined) graphs.push(...graphsIn(message));
  }
  return graphs;
}

function originOf(attribute: Attribute): AttributeProto | undefined {
  return origins.attributes.get(attribute);
}

function graphsIn(attribute: AttributeProto): GraphProto[] {
  return attribute.g === undefined ? attribute.graphs : [attribute.g, ...attribute.graphs];
}

/**
 * Names a node reads besides its inputs: what its subgraphs use and do not make themselves. The depth of the recursion
 * is bounded by the reader, which refuses messages nested more than 100 deep.
 */
export function capturedNames(node: Node): string[] {
  const captured = new Set<string>();
  for (const graph of subgraphsOf(node)) for (const name of freeNames(graph)) captured.add(name);
  return [...captured];
}

function freeNames(graph: GraphProto): Set<string> {
  const own = new Set<string>();
  const used = new Set<string>();
  for (const input of graph.input) own.add(input.name);
  for (const initializer of graph.initializer) own.add(initializer.name);
  for (const sparse of graph.sparseInitializer) own.add(sparse.values?.name ?? '');
  for (const node of graph.node) {
    for (const output of node.output) own.add(output);
    for (const input of node.input) used.add(input);
    for (const attribute of node.attribute) {
      for (const inner of graphsIn(attribute)) for (const name of freeNames(inner)) used.add(name);
    }
  }
  for (const output of graph.output) used.add(output.name);
  const free = new Set<string>();
  for (const name of used) if (name !== '' && !own.has(name)) free.add(name);
  return free;
}
