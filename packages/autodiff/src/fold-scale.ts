import {
  type Constant,
  type Graph,
  GraphBuilder,
  indexGraph,
  type Node,
  pruneGraph,
  replaceNodes,
  type Shapes,
} from '@unitscope/onnx';
import type { FusedGraph } from './fuse.js';
import { UNITSCOPE_DOMAIN } from './native-operator.js';
import { rectifierOf } from './operators/relu-grad.js';

/**
 * Takes a factor per channel, such as the gradient of a normalization, into the weights of the convolution in front of
 * it, through a ReluGrad between them where the rule lets a factor pass: a mask by y does whatever the factor, a rule
 * that looks at the signal's sign does for factors above 0. It spares a pass over every map of a network that
 * normalizes before it rectifies; sums of float32 products change in the last place.
 */
export function foldScales(graph: Graph, shapes: Shapes): FusedGraph {
  const { maker, consumers } = indexGraph(graph);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const isPrivate = (value: string) => !outputs.has(value) && consumers(value).length === 1;
  const builder = new GraphBuilder(graph);
  const replaced = new Map<Node, readonly Node[]>();
  const fusions = new Map<string, readonly string[]>();
  for (const node of graph.nodes) {
    if (node.operator !== 'Mul' || node.domain !== '') continue;
    const at = node.inputs.findIndex((input) => shapes.constant(input) !== undefined);
    const factors = at < 0 ? undefined : perChannel(shapes.constant(node.inputs[at]!)!, shapes, node);
    const signal = node.inputs[1 - at];
    if (factors === undefined || signal === undefined || !isPrivate(signal)) continue;
    const last = maker(signal);
    const mask = last?.operator === 'ReluGrad' && last.domain === UNITSCOPE_DOMAIN ? last : undefined;
    if (mask !== undefined && !passesFactors(mask, factors)) continue;
    const made = mask === undefined ? signal : mask.inputs[1]!;
    const conv = maker(made);
    if (conv?.operator !== 'Conv' || conv.domain !== '' || conv.inputs.length > 2 || !isPrivate(made))
      continue;
    const weights = graph.initializers.get(conv.inputs[1]!);
    if (!(weights?.data instanceof Float32Array) || weights.dims[0] !== factors.length) continue;
    const perFactor = weights.data.length / factors.length;
    const data = weights.data.map((w, i) => w * factors[Math.floor(i / perFactor)]!);
    const scaled = builder.constant(
      { type: 'float32', dims: weights.dims, data },
      `${conv.inputs[1]}:scaled`,
    );
    const inputs = [conv.inputs[0]!, scaled];
    replaced.set(node, []);
    fusions.set(node.outputs[0]!, [node.name]);
    if (mask === undefined) {
      replaced.set(conv, [{ ...conv, inputs, outputs: node.outputs }]);
    } else {
      replaced.set(conv, [{ ...conv, inputs }]);
      replaced.set(mask, [{ ...mask, outputs: node.outputs }]);
    }
  }
  if (replaced.size === 0) return { graph, fusions };
  const scaled = replaceNodes(builder.build(), (node) => replaced.get(node));
  return { graph: pruneGraph(scaled), fusions };
}

/** One factor per channel of the node's result, out of a constant of dims [C, 1, ...] or [1, C, 1, ...]. */
function perChannel({ dims, data }: Constant, shapes: Shapes, node: Node): Float32Array | undefined {
  const result = shapes.dims(node.outputs[0]!);
  if (!(data instanceof Float32Array) || result === undefined) return undefined;
  const axis = dims.length - (result.length - 1);
  const isPerChannel =
    axis >= 0 && axis <= 1 && dims.every((size, i) => (i === axis ? size === result[1] : size === 1));
  return isPerChannel ? data : undefined;
}

function passesFactors(mask: Node, factors: Float32Array): boolean {
  return rectifierOf(mask)?.rule === 'gradient' || factors.every((factor) => factor > 0);
}
