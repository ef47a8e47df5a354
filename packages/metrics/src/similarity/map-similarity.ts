import { type Tensor, UnitscopeError } from '@unitscope/tensor';
import { hogDescriptor } from './oriented-gradients.js';
import { type Plane, requirePlane } from './plane.js';
import { spearmanWith } from './rank-correlation.js';
import { structuralSimilarity } from './structural-similarity.js';

/** How alike two planes are, by the three measures of Adebayo et al. 2018; NaN where one is not defined. */
export interface PlaneSimilarity {
  /** Spearman's rank correlation, see `spearman`. */
  readonly rankCorrelation: number;
  /** SSIM, see `structuralSimilarity`. */
  readonly structuralSimilarity: number;
  /** Spearman's rank correlation of the histograms of oriented gradients, see `hogSimilarity`. */
  readonly orientedGradients: number;
}

/** Of the values as they are and of their magnitudes. */
export interface MapSimilarity {
  readonly signed: PlaneSimilarity;
  readonly absolute: PlaneSimilarity;
}

/**
 * How alike maps of one picture are to one of them (Adebayo, Gilmer, Muelly, Goodfellow, Hardt, Kim 2018,
 * arXiv:1810.03292), each [1, C, H, W], [C, H, W] or [H, W]: `signed` compares the sums over the channels, `absolute` the
 * sums of the magnitudes.
 *
 * Throws `bad-input` for maps of more than one picture or of different heights and widths, NaN and infinity.
 */
export function similarityTo(original: Tensor): (map: Tensor) => MapSimilarity {
  const signed = planeSimilarityTo(planeOf(original, (value) => value));
  // Magnitudes are their own magnitudes.
  const alike = isMagnitude(original);
  const absolute = alike ? signed : planeSimilarityTo(planeOf(original, Math.abs));
  return (map) => {
    const similarity = signed(planeOf(map, (value) => value));
    if (alike && isMagnitude(map)) return { signed: similarity, absolute: similarity };
    return { signed: similarity, absolute: absolute(planeOf(map, Math.abs)) };
  };
}

/** See `similarityTo`. */
export function mapSimilarity(a: Tensor, b: Tensor): MapSimilarity {
  return similarityTo(b)(a);
}

function planeSimilarityTo(original: Plane): (plane: Plane) => PlaneSimilarity {
  requirePlane(original);
  const correlation = spearmanWith(original.data);
  const gradients = spearmanWith(hogDescriptor(original));
  return (plane) => ({
    structuralSimilarity: structuralSimilarity(plane, original),
    orientedGradients: gradients(hogDescriptor(plane)),
    rankCorrelation: correlation(plane.data),
  });
}

const isMagnitude = ({ data }: Tensor) => data.every((value) => value >= 0);

function planeOf({ dims, data }: Tensor, of: (value: number) => number): Plane {
  const [height = 0, width = 0] = dims.slice(-2);
  const [channels = 1, ...pictures] = dims.slice(0, -2).reverse();
  const size = height * width;
  if (dims.length < 2 || pictures.some((count) => count !== 1) || data.length !== channels * size) {
    throw new UnitscopeError(
      'bad-input',
      `maps are compared one by one, [C, H, W]; got [${dims.join(', ')}] with ${data.length} values`,
    );
  }
  const plane = new Float64Array(size);
  for (let i = 0; i < data.length; i++) plane[i % size]! += of(data[i]!);
  return { height, width, data: plane };
}
