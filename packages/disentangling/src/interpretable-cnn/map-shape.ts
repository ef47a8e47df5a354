import { UnitscopeError } from '@unitscope/tensor';

/** The maps of one picture at an interpretable layer. */
export interface MapShape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/**
 * Whose way of building the layer.
 *
 * - `paper` (Zhang, Wu and Zhu, CVPR 2018, arXiv:1710.00935): a filter's part is where its map is largest, the first of
 *   equals in row-major order; the mask falls by beta over the side of the map.
 * - `released`, what the authors' published code does instead: the part is the rounded centroid of the map, the mask lies
 *   on a grid from -1 to 1 and falls by a slope that each filter learns.
 */
export type Reading = (typeof READINGS)[number];

export const READINGS = ['paper', 'released'] as const;

/** The slope a mask has before anything is learned: the paper's beta, and where the released code starts. */
export const FIRST_SLOPE: Readonly<Record<Reading, number>> = { paper: 4, released: 2 };

/** A slope for each channel. Throws `bad-input` for another number of slopes, `wrong-use` for one that is none. */
export function slopesOf(channels: number, slope: number | Float32Array): Float32Array {
  const slopes = typeof slope === 'number' ? new Float32Array(channels).fill(slope) : slope;
  if (slopes.length !== channels) {
    throw new UnitscopeError(
      'bad-input',
      `a slope is one number or one of each of ${channels} channels, there are ${slopes.length}`,
      { subject: 'slope' },
    );
  }
  const wrong = slopes.find((value) => !(value >= 0) || !Number.isFinite(value));
  if (wrong === undefined) return slopes;
  throw new UnitscopeError('wrong-use', `a slope must be finite and at least 0, it is ${wrong}`, {
    subject: 'slope',
  });
}
