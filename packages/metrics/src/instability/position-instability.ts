import { Random, type Tensor, UnitscopeError } from '@unitscope/tensor';

/** Where patterns (filters, or nodes of an explanatory graph) were found in pictures, and the pictures' landmarks. */
export interface FoundPatterns {
  /** `[pictures, patterns, 2]`: y and x in pixels of the network's input. */
  readonly position: Tensor<Float64Array>;
  /** `[pictures, patterns]` */
  readonly score: Tensor;
  /** `[pictures, landmarks, 2]`: y and x in the same pixels, NaN where a landmark is not seen. */
  readonly landmarks: Tensor<Float64Array>;
  /** Height and width of the network's input, whose diagonal is the unit. */
  readonly input: readonly [number, number];
}

export interface PositionInstabilityOptions {
  /** The patterns that count, those of the highest mean score in their pictures. Default 167. */
  readonly patterns?: number;
  /** The pictures of each, those of its highest scores, chosen before those without a landmark are left out. Default 20. */
  readonly pictures?: number;
  /** Resamples of the pictures for the interval. Default 200; 0 gives none. */
  readonly resamples?: number;
  readonly seed?: number;
}

export interface PositionInstabilityResult {
  /** Mean over the patterns that count and have a value, in diagonals; NaN without one. Smaller is better. */
  readonly instability: number;
  /**
   * Between which 95 % of the means over resampled pictures lie, for the patterns that count. Pictures drawn twice make
   * deviations smaller, so it lies a little low: it says how far a mean can be trusted, not more.
   */
  readonly interval: readonly [number, number] | undefined;
  /** Of each landmark, over the same patterns. */
  readonly landmarks: readonly number[];
  /** The patterns that count, in ascending order. */
  readonly patterns: readonly { readonly pattern: number; readonly instability: number }[];
}

/**
 * Location instability by the protocol `explanatory-graph` (see `InstabilityProtocol`), for patterns whose positions are
 * known rather than read off maps: for each pattern the 20 pictures of the highest score, of which those without the
 * landmark are then left out; the sample standard deviation of its distance to the landmark, averaged over landmarks,
 * then over the 167 patterns of the highest mean score. A pattern with a landmark seen in fewer than two of its pictures
 * has no value. Of equal scores the first counts.
 *
 * Throws `bad-input` for shapes that do not fit, `wrong-use` for impossible options.
 */
export function positionInstability(
  found: FoundPatterns,
  options: PositionInstabilityOptions = {},
): PositionInstabilityResult {
  const { patterns: most = 167, pictures: top = 20, resamples = 200, seed = 1 } = options;
  for (const [name, value, least] of [
    ['patterns', most, 1],
    ['pictures', top, 2],
    ['resamples', resamples, 0],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < least)
      throw new UnitscopeError('wrong-use', `${name} must be an integer from ${least}, it is ${value}`);
  }
  const [pictures, patterns] = check(found);
  const orders = Array.from({ length: patterns }, (_, pattern) => fallingScores(found, pattern));
  const kept = strongest(found, orders, top, most);
  const rows = kept.map((pattern) => ({
    order: orders[pattern]!,
    distances: distancesOf(found, pattern),
  }));
  const once = new Int32Array(pictures).fill(1);
  const values = rows.map((row) => deviations(row, once, top, found.input));
  const [, marks = 0] = found.landmarks.dims;
  return {
    instability: meanOf(values.map(meanOfAll)),
    interval: resamples === 0 ? undefined : intervalOf(rows, found.input, pictures, top, resamples, seed),
    landmarks: Array.from({ length: marks }, (_, k) => meanOf(values.map((each) => each[k]!))),
    patterns: kept.map((pattern, i) => ({ pattern, instability: meanOfAll(values[i]!) })),
  };
}

/** A pattern that counts. */
interface Row {
  /** All pictures, from the highest score down. */
  readonly order: readonly number[];
  /** `[landmarks][pictures]`: distance to each landmark in pixels, NaN where it is not seen. */
  readonly distances: readonly Float64Array[];
}

function check({ position, score, landmarks }: FoundPatterns): [number, number] {
  const [pictures = 0, patterns = 0] = score.dims;
  const [, marks = 0] = landmarks.dims;
  const require = (
    name: string,
    { dims, data }: Tensor<Float64Array> | Tensor,
    wanted: readonly number[],
  ) => {
    const size = wanted.reduce((product, side) => product * side, 1);
    if (dims.join() !== wanted.join() || data.length !== size)
      throw new UnitscopeError(
        'bad-input',
        `${name} must be [${wanted.join(', ')}], it has dims [${dims.join(', ')}]`,
      );
  };
  require('score', score, [pictures, patterns]);
  require('position', position, [pictures, patterns, 2]);
  require('landmarks', landmarks, [pictures, marks, 2]);
  if (marks === 0) throw new UnitscopeError('wrong-use', 'location instability needs landmarks');
  return [pictures, patterns];
}

function fallingScores({ score }: FoundPatterns, pattern: number): number[] {
  const [pictures = 0, patterns = 0] = score.dims;
  const scoreIn = (picture: number) => score.data[picture * patterns + pattern]!;
  return Array.from({ length: pictures }, (_, picture) => picture).sort(
    (a, b) => scoreIn(b) - scoreIn(a) || a - b,
  );
}

function strongest(
  { score }: FoundPatterns,
  orders: readonly (readonly number[])[],
  top: number,
  most: number,
): number[] {
  const all = [...orders.keys()];
  if (orders.length <= most) return all;
  const means = all.map((pattern) =>
    meanOfAll(
      orders[pattern]!.slice(0, top).map((picture) => score.data[picture * orders.length + pattern]!),
    ),
  );
  return all
    .sort((a, b) => means[b]! - means[a]! || a - b)
    .slice(0, most)
    .sort((a, b) => a - b);
}

function distancesOf({ position, landmarks, score }: FoundPatterns, pattern: number): Float64Array[] {
  const [pictures = 0, patterns = 0] = score.dims;
  const marks = landmarks.dims[1]!;
  return Array.from({ length: marks }, (_, k) =>
    Float64Array.from({ length: pictures }, (__, picture) => {
      const at = 2 * (picture * patterns + pattern);
      const mark = 2 * (picture * marks + k);
      return Math.hypot(
        landmarks.data[mark]! - position.data[at]!,
        landmarks.data[mark + 1]! - position.data[at + 1]!,
      );
    }),
  );
}

/**
 * The deviation of the distance to each landmark, in diagonals, over the `top` highest scores where every picture comes
 * as often as `times` says.
 */
function deviations(
  { order, distances }: Row,
  times: Int32Array,
  top: number,
  input: readonly [number, number],
): number[] {
  const chosen: number[] = [];
  for (const picture of order) {
    for (let again = 0; again < times[picture]! && chosen.length < top; again++) chosen.push(picture);
    if (chosen.length === top) break;
  }
  return distances.map((each) => {
    const seen = chosen.map((picture) => each[picture]!).filter((distance) => !Number.isNaN(distance));
    return sampleDeviation(seen) / Math.hypot(...input);
  });
}

function intervalOf(
  rows: readonly Row[],
  input: readonly [number, number],
  pictures: number,
  top: number,
  resamples: number,
  seed: number,
): [number, number] | undefined {
  const random = new Random(seed);
  const means = Array.from({ length: resamples }, () => {
    const times = new Int32Array(pictures);
    for (let i = 0; i < pictures; i++) times[random.integer(0, pictures - 1)]!++;
    return meanOf(rows.map((row) => meanOfAll(deviations(row, times, top, input))));
  }).filter((mean) => !Number.isNaN(mean));
  if (means.length === 0) return undefined;
  means.sort((a, b) => a - b);
  const at = (share: number) => means[Math.min(means.length - 1, Math.floor(share * means.length))]!;
  return [at(0.025), at(0.975)];
}

/** NaN where one of them is. */
function meanOfAll(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Over those that are numbers. */
function meanOf(values: readonly number[]): number {
  return meanOfAll(values.filter((value) => !Number.isNaN(value)));
}

/** With divisor n - 1; NaN for fewer than two. */
function sampleDeviation(values: readonly number[]): number {
  if (values.length < 2) return Number.NaN;
  const mean = meanOfAll(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}
