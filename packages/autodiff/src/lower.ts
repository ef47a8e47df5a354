import { type Dim, type Graph, GraphBuilder, type Node, nodeLabel } from '@unitscope/onnx';
import { UnitscopeError } from '@unitscope/tensor';
import { inferWithInputs } from './canonize.js';
import { UNITSCOPE_DOMAIN } from './native-operator.js';
import { nativeOperators } from './registry.js';

/**
 * Rewrites every operator of the domain `unitscope` into standard ones, so that any ONNX Runtime runs the graph.
 *
 * @param inputDims dims to take for graph inputs instead of those in the file
 */
export function lowerGraph(graph: Graph, inputDims?: Readonly<Record<string, readonly Dim[]>>): Graph {
  if (!graph.nodes.some((node) => node.domain === UNITSCOPE_DOMAIN)) return graph;
  const shapes = inferWithInputs(graph, inputDims);
  // The builder knows every name of the graph, so the lowered nodes, which it appends, take fresh ones.
  const builder = new GraphBuilder(graph);
  const replaced = new Map<string, string>();
  const resolve = (value: string) => replaced.get(value) ?? value;
  const lowered = new Map<Node, readonly [start: number, end: number]>();
  let count = graph.nodes.length;
  for (const original of graph.nodes) {
    if (original.domain !== UNITSCOPE_DOMAIN) continue;
    const operator = nativeOperators.get(original.operator);
    const node = { ...original, inputs: original.inputs.map(resolve) };
    if (operator?.lower === undefined) {
      throw new UnitscopeError('unsupported', `${nodeLabel(node)} has no form in standard operators`, {
        subject: node.operator,
        alternatives: [...nativeOperators.keys()],
      });
    }
    const start = count;
    const outputs = operator.lower({
      node,
      builder,
      dims: (value) => {
        const dims = shapes.dims(value);
        if (dims !== undefined) return dims;
        throw new UnitscopeError(
          'unsupported',
          `${nodeLabel(node)}: the dims of ${value} cannot be inferred`,
        );
      },
      emit: (name, inputs, attributes = {}) => {
        count++;
        return builder.node(name, inputs, attributes, { name: `${node.name}/${name}` });
      },
      emitMany: (name, inputs, outputCount, attributes = {}) => {
        count++;
        return builder.nodes(name, inputs, outputCount, attributes, { name: `${node.name}/${name}` });
      },
    });
    lowered.set(original, [start, count]);
    for (const [i, output] of original.outputs.entries()) replaced.set(output, outputs[i]!);
  }
  const built = builder.build();
  const nodes = graph.nodes.flatMap((node) => {
    const range = lowered.get(node);
    if (range !== undefined) return built.nodes.slice(range[0], range[1]);
    return node.inputs.some((input) => replaced.has(input))
      ? [{ ...node, inputs: node.inputs.map(resolve) }]
      : [node];
  });
  const opsets = new Map([...built.opsets].filter(([domain]) => domain !== UNITSCOPE_DOMAIN));
  return {
    ...built,
    nodes,
    opsets,
    outputs: graph.outputs.map((output) => ({ ...output, name: resolve(output.name) })),
  };
}
