import type { Dim, Graph } from '@unitscope/onnx';
import { blockGraph } from './blocked/index.js';
import { type Layout, labelOf, type Written } from './blocked/writer.js';
import { inferWithInputs } from './canonize.js';
import { foldScales } from './fold-scale.js';
import { type Fusions, fuseSignals } from './fuse.js';
import { lowerGraph } from './lower.js';

/**
 * What the graph is written for: `portable`, any ONNX Runtime; `native`, one with the operators of the domain
 * `unitscope`; `blocked`, one with them on a machine whose blocked layout has so many channels in a block.
 */
export type Lowering =
  | 'portable'
  | { readonly kind: 'native' }
  | { readonly kind: 'blocked'; readonly block: 8 | 16 };

/** Where a node of the lowered graph runs. */
export interface PlacedNode {
  /** The node's name, under which a profile lists it; its first output where it has none. */
  readonly node: string;
  /** With its domain, where that is not ONNX's own: `unitscope::ReluGrad`. */
  readonly operator: string;
  readonly layout: Layout;
  /** Names of the nodes whose work it does too, separated by commas. */
  readonly fused?: string;
}

export interface LoweredGraph {
  readonly graph: Graph;
  /** Every node of the graph, in its order. */
  readonly placement: readonly PlacedNode[];
}

/** Lowers a graph with operators of the domain `unitscope`; see `lowerGraph`, `foldScales`, `fuseSignals` and `blockGraph`. */
export function lower(
  graph: Graph,
  lowering: Lowering,
  inputDims?: Readonly<Record<string, readonly Dim[]>>,
): LoweredGraph {
  if (lowering === 'portable') {
    const lowered = lowerGraph(graph, inputDims);
    return {
      graph: lowered,
      placement: lowered.nodes.map((node) => place({ node, layout: 'nchw', fused: [] })),
    };
  }
  const shapes = inferWithInputs(graph, inputDims);
  const scaled = foldScales(graph, shapes);
  const { graph: fused, fusions } = fuseSignals(scaled.graph, shapes, scaled.fusions);
  if (lowering.kind === 'native') return { graph: fused, placement: placeFused(fused, fusions) };
  const blocked = blockGraph(fused, { block: lowering.block, shapes, fusions });
  return { graph: blocked.graph, placement: blocked.written.map(place) };
}

function placeFused(graph: Graph, fusions: Fusions): PlacedNode[] {
  return graph.nodes.map((node) =>
    place({ node, layout: 'nchw', fused: fusions.get(node.outputs[0] ?? '') ?? [] }),
  );
}

function place({ node, layout, fused }: Written): PlacedNode {
  const operator = node.domain === '' ? node.operator : `${node.domain}::${node.operator}`;
  const placed = { node: labelOf(node), operator, layout };
  return fused.length === 0 ? placed : { ...placed, fused: [...new Set(fused)].join(', ') };
}
