import { sizeOf, type Tensor, throwIfAborted, UnitscopeError } from '@unitscope/tensor';
import type { MapGeometry } from './graph.js';
import type { GraphParameters } from './parameters.js';

/** Where the nodes of a layer were found in the pictures. */
export interface FoundNodes {
  readonly geometry: MapGeometry;
  /** `[pictures, filters, nodes, 2]`: row and column in cells. */
  readonly position: Tensor;
  /** `[filters, nodes, 2]`: their means. */
  readonly mean: Tensor<Float64Array>;
}

/** A layer whose nodes may become parents. */
export interface UpperNodes extends FoundNodes {
  /** `[filters, nodes]` */
  readonly variance: Tensor<Float64Array>;
  readonly sigma: Tensor<Float64Array>;
  readonly strength: Tensor<Float64Array>;
}

/** Mean and variance (divisor: pictures) of positions `[pictures, filters, nodes, 2]`; rows' and columns' added. */
export function momentsOf({ dims, data }: Tensor): {
  readonly mean: Tensor<Float64Array>;
  readonly variance: Tensor<Float64Array>;
} {
  const [pictures = 0, filters = 0, nodes = 0] = dims;
  const count = filters * nodes;
  const mean = new Float64Array(2 * count);
  const variance = new Float64Array(count);
  for (let i = 0; i < data.length; i++) mean[i % mean.length]! += data[i]! / pictures;
  for (let i = 0; i < data.length; i++) {
    const at = i % mean.length;
    variance[at >> 1]! += (data[i]! - mean[at]!) ** 2 / pictures;
  }
  return {
    mean: { dims: [filters, nodes, 2], data: mean },
    variance: { dims: [filters, nodes], data: variance },
  };
}

/** How far nodes lie from their means in every picture, `[pictures, filters, nodes, 2]` in cells. */
export function deviationsOf(position: Tensor, mean: Tensor<Float64Array>): Tensor {
  const { length } = mean.data;
  return { dims: position.dims, data: position.data.map((value, i) => value - mean.data[i % length]!) };
}

/** Cells of the lower layer per cell of the upper one. Throws `unsupported` where rows and columns disagree. */
export function cellRatio(upper: MapGeometry, lower: MapGeometry): number {
  const [down, across] = [upper.stride[0] / lower.stride[0], upper.stride[1] / lower.stride[1]];
  if (Math.abs(down - across) <= 1e-9 * down) return down;
  throw new UnitscopeError(
    'unsupported',
    `layers ${upper.name} and ${lower.name} are scaled by ${down} in rows and ${across} in columns; choose layers whose strides are in one ratio`,
    { subject: lower.name },
  );
}

/**
 * The nodes that parents are chosen among, the strongest first: without the `staticShare` that move least and those
 * whose mean lies in the border. Where fewer than `parents` are left, the border counts no more, then neither does the
 * movement; nodes without strength are never taken. Throws `bad-input` where there are no others.
 */
export function candidateParents(
  { geometry, mean, variance, strength }: UpperNodes,
  { parents, candidates, staticShare, border }: GraphParameters,
): Int32Array {
  const all = Array.from(strength.data.keys());
  const alive = all.filter((node) => strength.data[node]! > 0);
  if (alive.length === 0)
    throw new UnitscopeError(
      'bad-input',
      `no picture activates layer ${geometry.name}: it has no parents to offer`,
      {
        subject: geometry.name,
      },
    );
  const ascending = [...all].sort((a, b) => variance.data[a]! - variance.data[b]! || a - b);
  const still = new Set(ascending.slice(0, Math.ceil(all.length * staticShare)));
  const distance = (node: number) =>
    Math.min(
      ...[geometry.height, geometry.width].map((side, axis) => {
        const at = (mean.data[2 * node + axis]! + 0.5) / side;
        return Math.min(at, 1 - at);
      }),
    );
  const moving = alive.filter((node) => !still.has(node));
  const inside = moving.filter((node) => distance(node) >= border);
  const kept = [inside, moving, alive].find((list) => list.length >= parents) ?? alive;
  kept.sort((a, b) => strength.data[b]! - strength.data[a]! || a - b);
  return Int32Array.from(kept.slice(0, candidates));
}

/**
 * For every node the `parents` candidates that move with it: those of the largest sum over pictures of
 * exp(-d^2 / (2 mean d^2)) score, d being how far apart the two nodes' deviations from their means are, in pixels, and
 * the mean over all candidates and pictures. Fewer where there are fewer candidates; of equal ones the stronger first.
 * exp(-t) is taken as (1 - t/256)^256, 0 from t = 256 on: within t^2/512 of it, at a tenth of the time, for an order of sums.
 *
 * @param score of the lower nodes, `[pictures, filters, nodes]`
 * @returns `[filters, nodes, parents]`, numbers of upper nodes counted through all filters
 */
export async function chooseParents(
  lower: FoundNodes,
  score: Tensor,
  upper: FoundNodes,
  candidates: Int32Array,
  { parents }: Pick<GraphParameters, 'parents'>,
  signal?: AbortSignal,
): Promise<Tensor<Int32Array>> {
  const [pictures = 0, filters = 0, nodes = 0] = score.dims;
  const count = filters * nodes;
  const kept = Math.min(parents, candidates.length);
  const chosen = new Int32Array(count * kept);
  const above = pixelDeviations(upper, candidates);
  // Of all candidates in a picture, their sums and the sum of their squares: mean d^2 in one pass over the pictures.
  const totals = totalsOf(above, candidates.length, pictures);
  const own = {
    down: new Float64Array(pictures),
    across: new Float64Array(pictures),
    score: new Float64Array(pictures),
  };
  const sums = new Float64Array(candidates.length);
  for (let node = 0; node < count; node++) {
    if (node % nodes === 0) {
      // A filter takes some milliseconds; whoever wants to stop, or to be told, must get a turn.
      await new Promise((resolve) => setImmediate(resolve));
      throwIfAborted(signal);
    }
    let square = totals.square;
    for (let picture = 0; picture < pictures; picture++) {
      const at = picture * count + node;
      const [y, x] = deviationOf(lower, at, node);
      own.down[picture] = y;
      own.across[picture] = x;
      own.score[picture] = score.data[at]!;
      square +=
        candidates.length * (y * y + x * x) - 2 * (y * totals.down[picture]! + x * totals.across[picture]!);
    }
    const meanSquare = square / (candidates.length * pictures);
    const factor = meanSquare > 0 ? 1 / (2 * 256 * meanSquare) : 0;
    for (let c = 0; c < candidates.length; c++)
      sums[c] = agreement(own, above, c * pictures, pictures, factor);
    const order = Array.from(sums.keys()).sort((a, b) => sums[b]! - sums[a]! || a - b);
    for (let i = 0; i < kept; i++) chosen[node * kept + i] = candidates[order[i]!]!;
  }
  return { dims: [filters, nodes, kept], data: chosen };
}

interface Deviations {
  readonly down: Float64Array;
  readonly across: Float64Array;
}

/** The sum over pictures of one candidate, whose deviations begin at `start`. */
function agreement(
  { down: ownDown, across: ownAcross, score }: Deviations & { readonly score: Float64Array },
  { down, across }: Deviations,
  start: number,
  pictures: number,
  factor: number,
): number {
  let sum = 0;
  for (let picture = 0; picture < pictures; picture++) {
    const y = ownDown[picture]! - down[start + picture]!;
    const x = ownAcross[picture]! - across[start + picture]!;
    const root = Math.max(0, 1 - factor * (y * y + x * x));
    // Eight squares, written out: this is where the time of choosing parents goes.
    const p2 = root * root;
    const p4 = p2 * p2;
    const p8 = p4 * p4;
    const p16 = p8 * p8;
    const p32 = p16 * p16;
    const p64 = p32 * p32;
    const p128 = p64 * p64;
    sum += score[picture]! * p128 * p128;
  }
  return sum;
}

function deviationOf({ geometry, position, mean }: FoundNodes, at: number, node: number): [number, number] {
  return [
    (position.data[2 * at]! - mean.data[2 * node]!) * geometry.stride[0],
    (position.data[2 * at + 1]! - mean.data[2 * node + 1]!) * geometry.stride[1],
  ];
}

/** `[candidates, pictures]` each, in pixels. */
function pixelDeviations(upper: FoundNodes, candidates: Int32Array): Deviations {
  const [pictures = 0, ...rest] = upper.position.dims.slice(0, 3);
  const count = sizeOf(rest);
  const down = new Float64Array(candidates.length * pictures);
  const across = new Float64Array(down.length);
  for (const [c, node] of candidates.entries()) {
    for (let picture = 0; picture < pictures; picture++) {
      const [y, x] = deviationOf(upper, picture * count + node, node);
      down[c * pictures + picture] = y;
      across[c * pictures + picture] = x;
    }
  }
  return { down, across };
}

function totalsOf(above: Deviations, candidates: number, pictures: number) {
  const down = new Float64Array(pictures);
  const across = new Float64Array(pictures);
  let square = 0;
  for (let i = 0; i < candidates * pictures; i++) {
    const [y, x] = [above.down[i]!, above.across[i]!];
    down[i % pictures]! += y;
    across[i % pictures]! += x;
    square += y * y + x * x;
  }
  return { down, across, square };
}
