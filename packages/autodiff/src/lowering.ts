import type { Dim, Graph } from '@unitscope/onnx';
import { blockGraph } from './blocked/index.js';
import { inferWithInputs } from './canonize.js';
import { foldScales } from './fold-scale.js';
import { fuseSignals } from './fuse.js';
import { lowerGraph } from './lower.js';
import { labelOf, type PlacedNode, placeNode } from './placement.js';

/**
 * What the graph is written for: `portable`, any ONNX Runtime; `native`, one with the operators of the domain
 * `unitscope`; `blocked`, one with them on a machine whose blocked layout has so many channels in a block.
 */
export type Lowering =
  | 'portable'
  | { readonly kind: 'native' }
  | { readonly kind: 'blocked'; readonly block: 8 | 16 };

export interface LoweredGraph {
  readonly graph: Graph;
  /** Every node of the graph, in its order. */
  readonly placement: readonly PlacedNode[];
}

/**
 * Lowers a graph with operators of the domain `unitscope`; see `lowerGraph`, `foldScales`, `fuseSignals` and
 * `blockGraph`. But for `portable`, nodes without a name are called by their first output, as plans call them.
 */
export function lower(
  graph: Graph,
  lowering: Lowering,
  inputDims?: Readonly<Record<string, readonly Dim[]>>,
): LoweredGraph {
  if (lowering === 'portable') {
    const lowered = lowerGraph(graph, inputDims);
    return { graph: lowered, placement: lowered.nodes.map((node) => placeNode(node, 'nchw', [])) };
  }
  const named = nameNodes(graph);
  const shapes = inferWithInputs(named, inputDims);
  const scaled = foldScales(named, shapes);
  const { graph: fused, fusions } = fuseSignals(scaled.graph, shapes, scaled.fusions);
  if (lowering.kind === 'blocked') return blockGraph(fused, { block: lowering.block, shapes, fusions });
  return {
    graph: fused,
    placement: fused.nodes.map((node) => placeNode(node, 'nchw', fusions.get(node.outputs[0] ?? '') ?? [])),
  };
}

function nameNodes(graph: Graph): Graph {
  if (graph.nodes.every(({ name }) => name !== '')) return graph;
  const taken = new Set(graph.nodes.map(({ name }) => name));
  const nodes = graph.nodes.map((node) => {
    const label = labelOf(node);
    return node.name !== '' || taken.has(label) ? node : { ...node, name: label };
  });
  return { ...graph, nodes };
}
