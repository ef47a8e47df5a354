import { sizeOf, type Tensor, UnitscopeError, unknownName } from '@unitscope/tensor';
import type { GraphPriors } from './graph-em-step.js';
import { requireDims } from './pooling.js';

/** Which nodes of the layer above are the parents of which, and what is known of them. */
export interface GraphParents {
  /** `[channels, nodes, parents]`: numbers of nodes of the layer above, counted through all its filters. */
  readonly index: Tensor<Int32Array>;
  /**
   * `[images, upper channels, upper nodes, 2]`: how far each upper node is from its own mean position, in cells of the
   * layer above.
   */
  readonly deviation: Tensor;
  /** `[upper channels, upper nodes]`: their deviations sigma, in cells of the layer above. */
  readonly sigma: Tensor<Float64Array>;
}

/**
 * - `exact`: the geometric mean of the parents' Gaussians is weight N(p; offset, sigma^2) in two dimensions, exactly
 * - `released`: the weight of the authors' code, sigma prod_i exp(-|offset - d_i|^2 / (2 n sigma_i^2)) / sigma_i, which
 *   lacks the root of the product of the sigmas and depends on the unit of length
 */
export type ParentWeight = 'exact' | 'released';

export interface GraphParentsOptions {
  /** Cells of this layer per cell of the layer above: 2 from 14 x 14 to 28 x 28 maps. */
  readonly scale: number;
  /** Default `exact`. */
  readonly weight?: ParentWeight;
}

const WEIGHTS: readonly ParentWeight[] = ['exact', 'released'];

/** What does not depend on the image: of each parent of each node 1/sigma^2, of each node the deviation of the prior. */
function precisionsOf(
  { index, sigma }: GraphParents,
  { scale, weight }: Required<GraphParentsOptions>,
  count: number,
) {
  const parents = index.dims[2] ?? 0;
  const precisions = new Float64Array(index.data.length);
  const deviations = new Float64Array(count);
  // What the weight is before the parents disagree.
  const heights = new Float64Array(count);
  for (let node = 0; node < count; node++) {
    let precision = 0;
    let logs = 0;
    for (let i = node * parents; i < (node + 1) * parents; i++) {
      const spread = scale * sigma.data[index.data[i]!]!;
      precisions[i] = spread ** -2;
      precision += precisions[i]!;
      logs += Math.log(spread);
    }
    const deviation = Math.sqrt(parents / precision);
    deviations[node] = deviation;
    heights[node] =
      weight === 'exact' ? deviation ** 2 * Math.exp((-2 / parents) * logs) : deviation * Math.exp(-logs);
  }
  return { precisions, deviations, heights };
}

function check({ index, deviation, sigma }: GraphParents, { scale, weight }: Required<GraphParentsOptions>) {
  const [channels = 0, nodes = 0, parents = 0] = index.dims;
  requireDims('index', index, [channels, nodes, parents]);
  const [images = 0] = deviation.dims;
  requireDims('deviation', deviation, [images, ...sigma.dims, 2]);
  requireDims('sigma', sigma, sigma.dims);
  const bad = (code: 'wrong-use' | 'bad-input', subject: string, message: string) =>
    new UnitscopeError(code, message, { subject });
  if (!WEIGHTS.includes(weight)) throw unknownName('parent weight', String(weight), WEIGHTS, 'wrong-use');
  if (!(scale > 0 && Number.isFinite(scale)))
    throw bad('wrong-use', 'scale', `scale must be above 0 and finite, it is ${scale}`);
  if (parents < 1)
    throw bad('bad-input', 'index', `every node must have a parent; index has dims [${index.dims}]`);
  const upper = sizeOf(sigma.dims);
  const outside = index.data.find((parent) => parent < 0 || parent >= upper);
  if (outside !== undefined)
    throw bad('bad-input', 'index', `parent ${outside} is none of the ${upper} nodes of the layer above`);
  const wrong = sigma.data.find((value) => !(value > 0 && Number.isFinite(value)));
  if (wrong !== undefined)
    throw bad('bad-input', 'sigma', `sigma must be above 0 and finite, one is ${wrong}`);
  return { images, channels, nodes, parents };
}

/**
 * What the parents of every node say about it in every image, for `graphEmStep`: with n parents at d_i from their own mean
 * positions, with deviations sigma_i,
 *
 *   1/s^2 = 1/n sum_i 1/sigma_i^2,  offset = s^2/n sum_i d_i/sigma_i^2
 *   weight = s^2 prod_i sigma_i^(-2/n) exp(-sum_i |offset - d_i|^2 / (2 n sigma_i^2))
 *
 * so that prod_i N(p; d_i, sigma_i^2)^(1/n) = weight N(p; offset, s^2). Lengths are converted to cells of this layer; the
 * released code leaves them in cells of the layer above. In double, rounded once. Throws `bad-input` for parents that are
 * none or deviations that are not positive.
 */
export function graphParents(parents: GraphParents, options: GraphParentsOptions): GraphPriors {
  const resolved = { weight: 'exact', ...options } as const;
  const { images, channels, nodes, parents: perNode } = check(parents, resolved);
  const count = channels * nodes;
  const upper = parents.sigma.data.length;
  const { precisions, deviations, heights } = precisionsOf(parents, resolved, count);
  const offset = new Float32Array(images * count * 2);
  const weight = new Float32Array(images * count);
  const { scale } = resolved;
  const { data: index } = parents.index;
  for (let image = 0; image < images; image++) {
    const from = parents.deviation.data.subarray(image * upper * 2, (image + 1) * upper * 2);
    for (let node = 0; node < count; node++) {
      let precision = 0;
      let down = 0;
      let across = 0;
      let square = 0;
      for (let i = node * perNode; i < (node + 1) * perNode; i++) {
        const at = 2 * index[i]!;
        const y = from[at]!;
        const x = from[at + 1]!;
        const weightOfParent = precisions[i]!;
        precision += weightOfParent;
        down += weightOfParent * y;
        across += weightOfParent * x;
        square += weightOfParent * (y * y + x * x);
      }
      down /= precision;
      across /= precision;
      // sum |offset - d_i|^2 / sigma_i^2 in one pass: it cancels, but in double, for numbers of a few cells.
      const spread = Math.max(square - precision * (down * down + across * across), 0);
      const seen = image * count + node;
      offset[2 * seen] = scale * down;
      offset[2 * seen + 1] = scale * across;
      weight[seen] = heights[node]! * Math.exp((-scale * scale * spread) / (2 * perNode));
    }
  }
  return {
    sigma: { dims: [channels, nodes], data: deviations },
    offset: { dims: [images, channels, nodes, 2], data: offset },
    weight: { dims: [images, channels, nodes], data: weight },
  };
}
