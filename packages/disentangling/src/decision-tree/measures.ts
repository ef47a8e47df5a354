import { contributionsOf, fitnessOf } from './contributions.js';
import type { TreeSamples } from './samples.js';
import { type DecisionTree, depthOf, parse, type TreeNode } from './tree.js';

/** The measures of a tree at one depth, over pictures (SPEC: decision tree, 8). NaN where there is nothing to measure. */
export interface DepthMeasures {
  /** 1 is the second layer; the last is that of the leaves alone. */
  readonly depth: number;
  /** Nodes that stand at this depth, leaves above it included. */
  readonly nodes: number;
  /** Share of pictures whose predicted score has the sign of the truth. */
  readonly accuracy: number;
  /** Share of pictures whose predicted score has the sign of the network's. */
  readonly agreement: number;
  /** Mean |h - y| over the range of the network's scores, of positive pictures. */
  readonly predictionError: number;
  /** See `fitnessOf`, the mean over positive pictures. */
  readonly fitness: number;
  /** Mean |ϱ - true drop| over parts and positive pictures, in mean scores; undefined without `removed`. */
  readonly contributionError: number | undefined;
}

export interface TreeMeasures {
  /** Accuracy of the network itself on the same pictures. */
  readonly networkAccuracy: number;
  readonly depths: readonly DepthMeasures[];
}

export interface MeasureOptions {
  /**
   * For the error of the parts: the part of every filter, and for every row of the samples by how much the network's
   * score falls when all filters of a part are set to zero, [picture][part], in the network's units.
   */
  readonly removed?: {
    readonly partOfFilter: readonly number[];
    readonly drops: readonly (readonly number[])[];
  };
}

/**
 * Measures a tree, depth by depth, on pictures it may or may not have been learned from; these were collected with its
 * `scales`.
 */
export function measureTree(
  tree: DecisionTree,
  samples: TreeSamples,
  options: MeasureOptions = {},
): TreeMeasures {
  const rows = samples.positive.map((_, n) => n);
  const paths = rows.map((n) => parse(tree, samples, n));
  const depths = depthOf(tree);
  const positives = rows.filter((n) => samples.positive[n]);
  const scores = rows.map((n) => samples.y[n]! * samples.norms[n]!);
  const ofPositives = positives.map((n) => scores[n]!);
  const range = Math.max(...ofPositives) - Math.min(...ofPositives);
  const meanScore = mean(ofPositives);
  return {
    networkAccuracy: mean(rows.map((n) => Number(scores[n]! > 0 === samples.positive[n]!))),
    depths: Array.from({ length: depths }, (_, i): DepthMeasures => {
      const at = rows.map((n) => Math.min(i, paths[n]!.nodes.length - 1));
      const predicted = rows.map((n) => paths[n]!.predictions[at[n]!]! * samples.norms[n]!);
      const node = (n: number): TreeNode => paths[n]!.nodes[at[n]!]!;
      return {
        depth: i + 1,
        nodes: nodesAt(tree, i + 1),
        accuracy: mean(rows.map((n) => Number(predicted[n]! > 0 === samples.positive[n]!))),
        agreement: mean(rows.map((n) => Number(predicted[n]! > 0 === scores[n]! > 0))),
        predictionError: mean(positives.map((n) => Math.abs(predicted[n]! - scores[n]!) / range)),
        fitness: mean(positives.map((n) => fitnessOf(node(n), samples, n))),
        contributionError:
          options.removed === undefined
            ? undefined
            : errorOfParts(samples, positives, node, options.removed) / meanScore,
      };
    }),
  };
}

function errorOfParts(
  samples: TreeSamples,
  positives: readonly number[],
  node: (n: number) => TreeNode,
  { partOfFilter, drops }: NonNullable<MeasureOptions['removed']>,
): number {
  const errors = positives.flatMap((n) => {
    const dropped = drops[n] ?? [];
    const { parts } = contributionsOf(node(n), samples, n, partOfFilter, dropped.length);
    return dropped.map((drop, m) => Math.abs(parts[m]! * samples.norms[n]! - drop));
  });
  return mean(errors);
}

/** Nodes that pictures are predicted by at a depth: those at it and the leaves above. */
function nodesAt({ nodes, top }: DecisionTree, depth: number): number {
  let level = [...top];
  for (let i = 1; i < depth; i++) {
    level = level.flatMap((id) => {
      const { children } = nodes[id]!;
      return children.length === 0 ? [id] : children;
    });
  }
  return level.length;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
