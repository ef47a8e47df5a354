import { type Tensor, UnitscopeError, unknownName } from '@unitscope/tensor';
import { requireDims } from './pooling.js';

/**
 * How the category of a filter is chosen.
 *
 * - `paper`: where the mean over a category's images of sum_ij x_ij is largest (arXiv:1710.00935, section 3.2)
 * - `released`: what the authors' published code does: where a moving average over the batches of the mean over a
 *   category's images of max_ij x_ij is largest
 */
export type CategoryMode = 'paper' | 'released';

/** What a `FilterCategories` has seen; JSON, but for the array. */
export interface FilterCategoriesState {
  readonly mode: CategoryMode;
  readonly channels: number;
  readonly categories: number;
  /** Of `paper`: the images of each category, */
  readonly counts: readonly number[];
  /** and sum x of each filter over each category's images, `[channels, categories]`, as whole multiples of 2^-149. */
  readonly sums: readonly string[];
  /** Of `released`: the moving averages, `[channels, categories]`; empty before the first batch. */
  readonly averages: Float64Array;
}

/** The least positive float32, of which all others and all their sums are multiples. */
const UNITS_PER_ONE = 2 ** 149;
const MODES: readonly CategoryMode[] = ['paper', 'released'];
const DECAY = 0.9;
const LEAST_START = 0.1;

/** In float64 and in the order of the cells, so that it does not depend on what is beside the map. */
function sumOf(map: Float32Array): number {
  let sum = 0;
  for (const value of map) sum += value;
  return sum;
}

function largestOf(map: Float32Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  // A comparison would pass over NaN.
  for (const value of map) largest = Math.max(largest, value);
  return largest;
}

/**
 * Finds out, over as many batches as are added, which category each filter of an interpretable CNN is for.
 *
 * `paper` is exact: the result and the state are the same to the last bit however images are ordered, batched and merged,
 * but for the float64 sum of the cells within a map. `released` is defined by its batches:
 *
 *   average = max(mean, 0.1) at the first batch, then 0.9 average + 0.1 mean
 *
 * where the mean is 0 for a category without images, and a mean of 0 leaves a later average as it is. (The published code
 * means to do that, but puts another category's average in its place.)
 */
export class FilterCategories {
  readonly channels: number;
  readonly categories: number;
  readonly mode: CategoryMode;
  readonly #counts: number[];
  readonly #sums: bigint[];
  #averages = new Float64Array(0);

  /** Throws `wrong-use` for an unknown mode or numbers that count nothing. */
  constructor(channels: number, categories: number, mode: CategoryMode = 'paper') {
    if (!MODES.includes(mode)) throw unknownName('category mode', String(mode), MODES, 'wrong-use');
    if (!Number.isInteger(channels) || channels < 0 || !Number.isInteger(categories) || categories < 1) {
      throw new UnitscopeError(
        'wrong-use',
        `channels must be a whole number and categories one above 0, they are ${channels} and ${categories}`,
      );
    }
    this.channels = channels;
    this.categories = categories;
    this.mode = mode;
    this.#counts = new Array<number>(mode === 'paper' ? categories : 0).fill(0);
    this.#sums = new Array<bigint>(mode === 'paper' ? channels * categories : 0).fill(0n);
  }

  /**
   * Takes in a batch. Throws `bad-input`, having taken in nothing, for other dims and for maps that are not finite.
   *
   * @param x `[batch, channels, height, width]`
   * @param labels `[batch, categories]`, not 0 where the image is of the category; an image may be of several or of none
   */
  add(x: Tensor, labels: Tensor<Uint8Array>): void {
    const [batch = 0, , height = 0, width = 0] = x.dims;
    requireDims('x', x, [batch, this.channels, height, width]);
    requireDims('labels', labels, [batch, this.categories]);
    const strengths = this.#strengthsOf(x.data, batch * this.channels, height * width);
    if (this.mode === 'paper') this.#addSums(strengths, labels.data);
    else if (batch > 0) this.#moveAverages(strengths, labels.data);
  }

  #strengthsOf(data: Float32Array, maps: number, cells: number): Float64Array {
    const measure = this.mode === 'paper' ? sumOf : largestOf;
    return Float64Array.from({ length: maps }, (_, map) => {
      const strength = cells === 0 ? 0 : measure(data.subarray(map * cells, (map + 1) * cells));
      if (!Number.isFinite(strength)) {
        const [image, channel] = [Math.floor(map / this.channels), map % this.channels];
        throw new UnitscopeError(
          'bad-input',
          `the map of image ${image} and channel ${channel} is not finite, so it tells no category`,
          { subject: 'x' },
        );
      }
      return strength;
    });
  }

  #addSums(strengths: Float64Array, labels: Uint8Array): void {
    const { channels, categories } = this;
    const exact = Array.from(strengths, (strength) => BigInt(strength * UNITS_PER_ONE));
    labels.forEach((label, at) => {
      if (label === 0) return;
      const [image, category] = [Math.floor(at / categories), at % categories];
      this.#counts[category]! += 1;
      for (let channel = 0; channel < channels; channel++) {
        this.#sums[channel * categories + category]! += exact[image * channels + channel]!;
      }
    });
  }

  #moveAverages(strengths: Float64Array, labels: Uint8Array): void {
    const { channels, categories } = this;
    const counts = new Float64Array(categories);
    const sums = new Float64Array(channels * categories);
    labels.forEach((label, at) => {
      if (label === 0) return;
      const [image, category] = [Math.floor(at / categories), at % categories];
      counts[category]! += 1;
      for (let channel = 0; channel < channels; channel++) {
        sums[channel * categories + category]! += strengths[image * channels + channel]!;
      }
    });
    const means = sums.map((sum, at) => sum / Math.max(counts[at % categories]!, 1));
    const old = this.#averages;
    this.#averages = means.map((mean, at) => {
      if (old.length === 0) return Math.max(mean, LEAST_START);
      return mean === 0 ? old[at]! : DECAY * old[at]! + (1 - DECAY) * mean;
    });
  }

  /**
   * The category of each filter, `[channels]`, the lowest where several are equal. -1 while nothing speaks for any, as
   * before the first batch: such a filter is shared by all categories.
   */
  result(): Int32Array {
    return Int32Array.from({ length: this.channels }, (_, channel) => {
      return this.mode === 'paper' ? this.#largestMean(channel) : this.#largestAverage(channel);
    });
  }

  #largestMean(channel: number): number {
    let best = -1;
    for (let category = 0; category < this.categories; category++) {
      if (this.#counts[category] === 0) continue;
      if (best < 0) {
        best = category;
        continue;
      }
      const sum = this.#sums[channel * this.categories + category]!;
      const largest = this.#sums[channel * this.categories + best]!;
      // Means are compared as fractions, without rounding.
      if (sum * BigInt(this.#counts[best]!) > largest * BigInt(this.#counts[category]!)) best = category;
    }
    return best;
  }

  #largestAverage(channel: number): number {
    const averages = this.#averages.subarray(channel * this.categories, (channel + 1) * this.categories);
    return averages.reduce((best, average, category) => {
      return best < 0 || average > averages[best]! ? category : best;
    }, -1);
  }

  /**
   * Adds what another one has seen. Throws `bad-input` if it is of other filters, categories or another mode, and
   * `unsupported` for `released`: a moving average depends on the order of its batches.
   */
  merge(other: FilterCategories): void {
    const { mode, channels, categories } = other;
    if (mode !== this.mode || channels !== this.channels || categories !== this.categories) {
      throw new UnitscopeError(
        'bad-input',
        `${mode} categories of ${channels} x ${categories} filters and categories cannot be merged into ${this.mode} ones of ${this.channels} x ${this.categories}`,
      );
    }
    if (mode === 'released') {
      throw new UnitscopeError(
        'unsupported',
        'moving averages depend on the order of the batches and cannot be merged; use the mode paper',
      );
    }
    const { counts, sums } = other.toState();
    counts.forEach((count, category) => {
      this.#counts[category]! += count;
    });
    sums.forEach((sum, at) => {
      this.#sums[at]! += BigInt(sum);
    });
  }

  toState(): FilterCategoriesState {
    const { mode, channels, categories } = this;
    return {
      mode,
      channels,
      categories,
      counts: this.#counts.slice(),
      sums: this.#sums.map(String),
      averages: this.#averages.slice(),
    };
  }

  /** Throws `bad-input` for a state that does not hold what its mode and sizes say. */
  static fromState(state: FilterCategoriesState): FilterCategories {
    const restored = new FilterCategories(state.channels, state.categories, state.mode);
    const { counts, sums, averages } = state;
    const most = state.mode === 'released' ? state.channels * state.categories : 0;
    const fits =
      counts.length === restored.#counts.length &&
      sums.length === restored.#sums.length &&
      (averages.length === 0 || averages.length === most);
    const holds =
      counts.every((count) => Number.isSafeInteger(count) && count >= 0) &&
      sums.every((sum) => /^-?\d+$/.test(sum)) &&
      averages.every(Number.isFinite);
    if (!fits || !holds) {
      throw new UnitscopeError(
        'bad-input',
        `the state of ${state.mode} categories must hold ${state.channels} x ${state.categories} numbers, it holds ${counts.length}, ${sums.length} and ${averages.length}`,
      );
    }
    counts.forEach((count, category) => {
      restored.#counts[category] = count;
    });
    sums.forEach((sum, at) => {
      restored.#sums[at] = BigInt(sum);
    });
    restored.#averages = Float64Array.from(averages);
    return restored;
  }
}

/**
 * Whether an image is of a filter's category, `[batch, channels]`: the `targets` of `miGradient`. A filter of category -1
 * is shared by all images that are of any.
 *
 * Throws `bad-input` for a category that the labels do not have.
 *
 * @param categories `[channels]`, as `FilterCategories.result` gives them
 * @param labels `[batch, categories]`, not 0 where the image is of the category
 */
export function filterTargets(categories: ArrayLike<number>, labels: Tensor<Uint8Array>): Tensor<Uint8Array> {
  const [batch = 0, count = 0] = labels.dims;
  requireDims('labels', labels, [batch, count]);
  const channels = categories.length;
  const data = new Uint8Array(batch * channels);
  for (let channel = 0; channel < channels; channel++) {
    const category = categories[channel]!;
    if (!Number.isInteger(category) || category < -1 || category >= count) {
      throw new UnitscopeError(
        'bad-input',
        `filter ${channel} has category ${category}, the labels have ${count} categories`,
        { subject: 'categories' },
      );
    }
    for (let image = 0; image < batch; image++) {
      const row = labels.data.subarray(image * count, (image + 1) * count);
      const isTarget = category === -1 ? row.some((label) => label !== 0) : row[category] !== 0;
      data[image * channels + channel] = isTarget ? 1 : 0;
    }
  }
  return { dims: [batch, channels], data };
}

/** Weights of the released gradient of a filter: of the images of its category and of the others. */
export interface CategoryWeights {
  readonly positiveWeight: number;
  readonly negativeWeight: number;
}

/**
 * The weights that the authors' published code gives the filters of each category: 1 and 1 for a single category, else
 * 0.5 / density and 0.5 / (1 - density), with 1 / categories for every density where there are more than 10.
 *
 * Throws `bad-input` for a density that is not between 0 and 1.
 *
 * @param densities of each category, the share of the images that are of it
 */
export function categoryWeights(densities: readonly number[]): CategoryWeights[] {
  return densities.map((given, category) => {
    if (!(given > 0 && given < 1) && densities.length > 1) {
      throw new UnitscopeError(
        'bad-input',
        `the density of category ${category} must be between 0 and 1, it is ${given}`,
        { subject: 'densities' },
      );
    }
    if (densities.length === 1) return { positiveWeight: 1, negativeWeight: 1 };
    const density = densities.length > 10 ? 1 / densities.length : given;
    return { positiveWeight: 0.5 / density, negativeWeight: 0.5 / (1 - density) };
  });
}
