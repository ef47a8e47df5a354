import type { Node } from '@unitscope/onnx';

/** How a value's channels stand in memory: one map after the other, or in blocks of ONNX Runtime's blocked layout. */
export type Layout = 'nchw' | 'blocked';

/** Where a node of a lowered graph runs. */
export interface PlacedNode {
  /** The node's name, under which a profile lists it. */
  readonly node: string;
  /** With its domain, where that is not ONNX's own: `unitscope::ReluGrad`. */
  readonly operator: string;
  readonly layout: Layout;
  /** Names of the nodes whose work it does too, separated by commas. */
  readonly fused?: string;
}

export function placeNode(node: Node, layout: Layout, fused: readonly string[]): PlacedNode {
  const operator = node.domain === '' ? node.operator : `${node.domain}::${node.operator}`;
  const placed = { node: labelOf(node), operator, layout };
  return fused.length === 0 ? placed : { ...placed, fused: [...new Set(fused)].join(', ') };
}

/** A node's name, or its first output where it has none. */
export function labelOf(node: Node): string {
  return node.name === '' ? (node.outputs[0] ?? node.operator) : node.name;
}
