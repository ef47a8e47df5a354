import { UnitscopeError } from '@unitscope/tensor';
import type { ExplanatoryGraph, NodeName } from './graph.js';

/** A node with the sum of its highest scores. */
export interface RankedNode extends NodeName {
  readonly sum: number;
}

export interface PurifyOptions {
  /** How many of the highest scores count, at most as many as the graph remembers (`topPictures`). Default 50. */
  readonly pictures?: number;
  /** The most nodes kept of each filter. All by default. */
  readonly perFilter?: number;
}

/**
 * The nodes of a layer, purest first: by the sum of their highest scores over pictures. Nodes without strength are left
 * out. Of equal nodes the first comes first.
 */
export function rankNodes(
  { layers }: ExplanatoryGraph,
  layer: number,
  { pictures = 50, perFilter = Number.POSITIVE_INFINITY }: PurifyOptions = {},
): RankedNode[] {
  const own = layers[layer];
  if (own === undefined)
    throw new UnitscopeError('not-found', `the graph has no layer ${layer}; it has ${layers.length}`);
  const { top, nodes, strength } = own;
  const kept = top.score.dims[2] ?? 0;
  const counted = Math.min(pictures, kept);
  const ranked = Array.from(strength.data.keys())
    .filter((node) => strength.data[node]! > 0)
    .map((node): RankedNode => {
      let sum = 0;
      for (let rank = 0; rank < counted; rank++) sum += top.score.data[node * kept + rank]!;
      return { layer, filter: Math.floor(node / nodes), node: node % nodes, sum };
    })
    .sort((a, b) => b.sum - a.sum || a.filter - b.filter || a.node - b.node);
  const seen = new Map<number, number>();
  return ranked.filter(({ filter }) => {
    const before = seen.get(filter) ?? 0;
    seen.set(filter, before + 1);
    return before < perFilter;
  });
}
