import type { TreeSamples } from './samples.js';

/** One decision mode: a group of pictures for which the network uses its filters in one way. */
export interface TreeNode {
  /** Its number; a leaf's is that of its picture among the positive ones, later nodes follow in order of merging. */
  readonly id: number;
  /** Rows of the samples under it. */
  readonly members: readonly number[];
  /** The two it was merged from; none for a leaf. */
  readonly children: readonly number[];
  /** The mean direction of its pictures' gradients, of length 1: ḡ, [D]. */
  readonly gradient: Float64Array;
  /** How much every filter counts: α, [D]. */
  readonly alpha: Float64Array;
  /** α ∘ ḡ, [D]: a picture's score by this node is h = w·x + b. */
  readonly w: Float64Array;
  readonly b: number;
}

/** How well the second layer explains the positive pictures before and after a merge. */
export interface MergeRecord {
  /** The node that was made. */
  readonly node: number;
  readonly pair: readonly [number, number];
  /** The rise of log E. */
  readonly gain: number;
}

export const ASSIGNMENTS = ['membership', 'cosine'] as const;
/**
 * Which node of the second layer predicts a picture while the tree is learned: `membership` takes the node a positive
 * picture is a member of, and the most similar one for the others; `cosine` takes the most similar one for all.
 */
export type Assignment = (typeof ASSIGNMENTS)[number];

export interface TreeParameters {
  readonly beta: number;
  /** 1 / mean score of the positive pictures. */
  readonly gamma: number;
  readonly lambda: number;
  readonly assignment: Assignment;
  readonly binary: boolean;
  readonly perPicture: boolean;
  /** How many of the most similar nodes each node may merge with; undefined for all. */
  readonly neighbours: number | undefined;
}

export interface DecisionTree {
  readonly filters: number;
  readonly parameters: TreeParameters;
  /** By their ids. */
  readonly nodes: readonly TreeNode[];
  /** The children of the root: the second layer. */
  readonly top: readonly number[];
  readonly merges: readonly MergeRecord[];
  /** log E of the tree whose second layer is its leaves. */
  readonly startingLogE: number;
  /** Of the samples it was learned from, see `TreeSamples`: what a new picture is measured in. */
  readonly scales: Float64Array;
}

/** A picture's way from the second layer to a leaf. */
export interface ParsePath {
  readonly nodes: readonly TreeNode[];
  /** The cosine between the picture's gradient and each node's rationale. */
  readonly cosines: readonly number[];
  /** The score each node predicts, in units in which the picture's gradient has length 1. */
  readonly predictions: readonly number[];
}

/** w·x + b for row `n` of the samples. */
export function predict({ w, b }: TreeNode, samples: TreeSamples, n: number): number {
  let sum = b;
  for (let d = 0; d < w.length; d++) sum += w[d]! * samples.x[n * w.length + d]!;
  return sum;
}

/** cos(g, w) for row `n` of the samples; 0 where w is zero. */
export function similarity({ w }: TreeNode, samples: TreeSamples, n: number): number {
  let sum = 0;
  for (let d = 0; d < w.length; d++) sum += w[d]! * samples.g[n * w.length + d]!;
  const norm = Math.hypot(...w);
  return norm === 0 ? 0 : sum / norm;
}

/** The way of row `n` of the samples: at every node the child whose rationale is most similar to the gradient. */
export function parse(tree: DecisionTree, samples: TreeSamples, n: number): ParsePath {
  const nodes: TreeNode[] = [];
  const cosines: number[] = [];
  let choices = tree.top;
  while (choices.length > 0) {
    let best: TreeNode | undefined;
    let largest = Number.NEGATIVE_INFINITY;
    for (const id of choices) {
      const cosine = similarity(tree.nodes[id]!, samples, n);
      if (cosine > largest) [best, largest] = [tree.nodes[id]!, cosine];
    }
    if (best === undefined) break;
    nodes.push(best);
    cosines.push(largest);
    choices = best.children;
  }
  return { nodes, cosines, predictions: nodes.map((node) => predict(node, samples, n)) };
}

/** The longest way from the second layer to a leaf, in nodes. */
export function depthOf({ nodes, top }: DecisionTree): number {
  const depths = new Map<number, number>();
  for (const { id, children } of nodes) {
    depths.set(id, 1 + Math.max(0, ...children.map((child) => depths.get(child)!)));
  }
  return Math.max(0, ...top.map((id) => depths.get(id)!));
}
