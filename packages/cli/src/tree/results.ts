import {
  contributionsOf,
  type DecisionTree,
  type ParsePath,
  partsOfFilters,
  type TreeMeasures,
  type TreeNode,
  type TreeSamples,
} from '@unitscope/disentangling';
import { lineChart } from '@unitscope/report';
import { encodePng, type Picture } from '@unitscope/visualization';
import { drawPath, drawTree, type NodeCard } from './draw.js';
import type { CollectedObjects } from './objects.js';

/** The parts of a category, and which of them every filter belongs to; -1 for none. */
export interface Parts {
  readonly names: readonly string[];
  readonly ofFilter: readonly number[];
}

const SHOWN_FILTERS = 5;
// Of the second layer in the figure, and below each of them.
const SHOWN_NODES = 4;
const SHOWN_DEPTH = 3;

export function partsOf({ centers, landmarks, samples }: CollectedObjects, names: readonly string[]): Parts {
  return { names, ofFilter: partsOfFilters(centers, landmarks, samples.filters) };
}

/** The mean contribution of every part over the pictures of a node, in the network's units. */
export function meanContributions(node: TreeNode, samples: TreeSamples, parts: Parts): number[] {
  const sums = new Float64Array(parts.names.length);
  for (const n of node.members) {
    const own = contributionsOf(node, samples, n, parts.ofFilter, parts.names.length);
    for (const [m, value] of own.parts.entries())
      sums[m]! += (value * samples.norms[n]!) / node.members.length;
  }
  return [...sums];
}

/** What the record says of a node. */
export function nodeRecord(node: TreeNode, samples: TreeSamples, parts: Parts) {
  const { id, members, children, b, w } = node;
  const mean = meanContributions(node, samples, parts);
  const ranked = [...w.keys()].sort((i, j) => Math.abs(w[j]!) - Math.abs(w[i]!) || i - j);
  return {
    id,
    pictures: members.length,
    children,
    b,
    filters: ranked.slice(0, SHOWN_FILTERS).map((filter) => ({ filter, weight: w[filter]! })),
    parts: Object.fromEntries(parts.names.map((name, m) => [name, mean[m]!])),
  };
}

/** The way of row `n` of the samples, as the record has it. */
export function pathRecord(path: ParsePath, samples: TreeSamples, n: number, parts: Parts) {
  return {
    score: samples.y[n]! * samples.norms[n]!,
    nodes: path.nodes.map((node, i) => {
      const own = contributionsOf(node, samples, n, parts.ofFilter, parts.names.length).parts;
      return {
        node: node.id,
        pictures: node.members.length,
        cosine: path.cosines[i]!,
        predicted: path.predictions[i]! * samples.norms[n]!,
        parts: Object.fromEntries(parts.names.map((name, m) => [name, own[m]! * samples.norms[n]!])),
      };
    }),
  };
}

/** The largest nodes of the second layer with what is below them, as PNG. */
export function treeFigure(tree: DecisionTree, collected: CollectedObjects, parts: Parts): Uint8Array {
  const { samples } = collected;
  const top = tree.top
    .map((id) => tree.nodes[id]!)
    .sort((a, b) => b.members.length - a.members.length || a.id - b.id);
  const card = (node: TreeNode, depth: number): NodeCard => ({
    title: countOf(node),
    pictures: typicalOf(node, collected),
    parts: meanContributions(node, samples, parts),
    children: depth === 1 ? [] : node.children.map((id) => card(tree.nodes[id]!, depth - 1)),
  });
  const shown = top.slice(0, SHOWN_NODES);
  const title = `The largest of ${top.length === 1 ? 'one node' : `${top.length} nodes`} of the second layer; mean contribution of each part to the score`;
  return encodePng(
    drawTree(
      shown.map((node) => card(node, SHOWN_DEPTH)),
      parts.names,
      title,
    ),
  );
}

/** The way of one picture, as PNG. */
export function pathFigure(
  path: ParsePath,
  collected: CollectedObjects,
  explained: { readonly picture: Picture; readonly samples: TreeSamples; readonly row: number },
  parts: Parts,
): Uint8Array {
  const { picture, samples, row } = explained;
  const norm = samples.norms[row]!;
  const cards = path.nodes.map(
    (node, i): NodeCard => ({
      title: `${countOf(node)}: ${(path.predictions[i]! * norm).toPrecision(3)}`,
      pictures: typicalOf(node, collected),
      parts: [...contributionsOf(node, samples, row, parts.ofFilter, parts.names.length).parts].map(
        (value) => value * norm,
      ),
      children: [],
    }),
  );
  const title = `score ${(samples.y[row]! * norm).toPrecision(3)}; each node's pictures, its prediction, what the parts add by it`;
  return encodePng(drawPath(picture, cards, parts.names, title));
}

/** Prediction error and fitness by depth, as SVG. */
export function measureChart({ depths }: TreeMeasures): string {
  return lineChart(
    [
      { label: 'prediction error', values: depths.map(({ predictionError }) => predictionError) },
      { label: 'fitness', values: depths.map(({ fitness }) => fitness) },
      { label: 'accuracy', values: depths.map(({ accuracy }) => accuracy) },
    ],
    { title: 'The tree by depth', valueLabel: 'measure', stepLabel: 'layers below the second' },
  );
}

const countOf = ({ members }: TreeNode) => `${members.length} picture${members.length === 1 ? '' : 's'}`;

/** Pictures whose gradients are nearest to the node's mean direction, the nearest first. */
function typicalOf(node: TreeNode, { samples, pictures, thumbnails }: CollectedObjects): Picture[] {
  const { filters, g } = samples;
  const ranked = node.members.map((n) => {
    let similarity = 0;
    for (let d = 0; d < filters; d++) similarity += node.gradient[d]! * g[n * filters + d]!;
    return { n, similarity };
  });
  return ranked
    .sort((a, b) => b.similarity - a.similarity || a.n - b.n)
    .flatMap(({ n }) => thumbnails.get(pictures[n]!) ?? []);
}
