import {
  type CategoryMode,
  FilterCategories,
  type FilterCategoriesState,
  RunningZ,
  type RunningZState,
} from '@unitscope/kernels';
import type { StateReader, StateValue } from '@unitscope/metrics';
import { type Tensor, UnitscopeError } from '@unitscope/tensor';
import type { ResolvedOptions } from './layer-options.js';
import type { MapShape } from './map-shape.js';

/** What a batch tells a layer, beside its labels. */
export interface BatchSummary {
  /** The sums of e^score over the batch; absent where no Z is kept. */
  readonly z?: RunningZ;
  /** sum_ij x_ij and max_ij x_ij of every map, `[N, C]`. */
  readonly sums: Tensor;
  readonly largest: Tensor;
  /** Of the released reading: the mean of x under its mask, and the spread of the map about its part, `[N, C]`. */
  readonly spread?: { readonly strengths: Tensor; readonly spreads: Tensor };
}

const DECAY = 0.9;
const ASSIGNMENTS: readonly CategoryMode[] = ['paper', 'released'];

/**
 * What an interpretable layer has learned about its filters: Z of every template, the category of every filter, how
 * large its activations are, and the slope of its mask. All of it is plain numbers, so a run that is cut goes on with the
 * same bits.
 *
 * Z is that of the maps of this epoch and the one before: maps of a network that has changed since then would hold it
 * back, and no map counts twice within an epoch.
 */
export class FilterState {
  readonly #shape: MapShape;
  readonly #options: ResolvedOptions;
  #epoch = 1;
  #z: RunningZ;
  #zBefore: RunningZ;
  #categories: FilterCategories;
  /** E[max_ij x_ij] of each filter; empty before the first batch. */
  #largest: Float64Array = new Float64Array(0);
  readonly #slopes: Float32Array;

  constructor(shape: MapShape, options: ResolvedOptions) {
    const { channels, height, width } = shape;
    this.#shape = shape;
    this.#options = options;
    this.#z = new RunningZ(channels, height * width + 1);
    this.#zBefore = new RunningZ(channels, height * width + 1);
    this.#categories = new FilterCategories(channels, options.categories, options.assignment);
    this.#slopes = options.slope.slice();
  }

  /** t, from 1 on. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Of the masks, `[C]`; a copy. */
  get slopes(): Float32Array {
    return this.#slopes.slice();
  }

  /** The category of each filter, `[C]`; -1 while nothing speaks for any. */
  get categories(): Int32Array {
    // One category needs no evidence.
    return this.#options.categories === 1 ? new Int32Array(this.#shape.channels) : this.#categories.result();
  }

  /** Throws `wrong-use` for a number that does not count from 1. */
  startEpoch(epoch: number): void {
    if (!Number.isSafeInteger(epoch) || epoch < 1) {
      throw new UnitscopeError('wrong-use', `epochs count from 1, got ${epoch}`, { subject: 'epoch' });
    }
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    this.#zBefore = this.#z;
    this.#z = new RunningZ(this.#z.channels, this.#z.templates);
  }

  /** Z of what was seen before, to which a batch is added; nothing seen is possible. */
  zSoFar(): RunningZ {
    const both = RunningZ.fromState(this.#zBefore.toState());
    both.merge(this.#z);
    return both;
  }

  /** E[max_ij x_ij] of each filter once a batch of these means is added. */
  largestWith(means: ArrayLike<number>): Float64Array {
    const { previous, decay } = this.largestSoFar();
    return Float64Array.from(means, (mean, channel) => decay * previous[channel]! + (1 - decay) * mean);
  }

  /** What `largestWith` adds the share 1 - decay of a batch's means to, times decay. */
  largestSoFar(): { readonly previous: Float64Array; readonly decay: number } {
    return this.#largest.length === 0
      ? { previous: new Float64Array(this.#shape.channels), decay: 0 }
      : { previous: this.#largest.slice(), decay: DECAY };
  }

  /**
   * Takes in a batch.
   *
   * @param labels `[N, categories]`, not 0 where the picture is of the category
   * @param targets `[N, C]`, 1 where it is of the filter's
   */
  take(summary: BatchSummary, labels: Tensor<Uint8Array>, targets: Tensor<Uint8Array>): void {
    const { sums, largest, spread, z } = summary;
    const [batch = 0, channels = 0] = sums.dims;
    const measure = this.#options.assignment === 'paper' ? sums : largest;
    this.#categories.add({ dims: [batch, channels, 1, 1], data: measure.data }, labels);
    if (batch === 0) return;
    if (z !== undefined) this.#z.merge(z);
    this.#largest = this.largestWith(meansOf(largest));
    if (spread !== undefined && this.#options.slopeRate > 0) this.#moveSlopes(spread, targets);
  }

  /** w += rate (clip(3 / mean spread, 1.5, 3) - w), the mean over a filter's pictures weighed by their strengths. */
  #moveSlopes(
    { strengths, spreads }: NonNullable<BatchSummary['spread']>,
    targets: Tensor<Uint8Array>,
  ): void {
    const [batch = 0, channels = 0] = strengths.dims;
    for (let channel = 0; channel < channels; channel++) {
      let [weighed, weight] = [0, 0];
      for (let image = 0; image < batch; image++) {
        const at = image * channels + channel;
        if (targets.data[at] === 0) continue;
        weighed += strengths.data[at]! * spreads.data[at]!;
        weight += strengths.data[at]!;
      }
      const spread = weighed / weight;
      if (Number.isNaN(spread)) continue;
      const target = Math.min(Math.max(3 / spread, 1.5), 3);
      this.#slopes[channel]! += this.#options.slopeRate * (target - this.#slopes[channel]!);
    }
  }

  toState(): StateValue {
    return {
      epoch: this.#epoch,
      z: stateOfZ(this.#z.toState()),
      zBefore: stateOfZ(this.#zBefore.toState()),
      categories: { ...this.#categories.toState() },
      largest: this.#largest.slice(),
      slopes: this.slopes,
    };
  }

  /** Throws `bad-file` for a state of another layer, or one that contradicts itself. */
  restore(state: StateReader): void {
    const { channels } = this.#shape;
    const epoch = state.get('epoch').count();
    const z = restoreZ(state.get('z'), this.#z);
    const zBefore = restoreZ(state.get('zBefore'), this.#z);
    const categories = restoreCategories(state.get('categories'), this.#categories);
    const largest = state.get('largest').array(Float64Array);
    if (largest.length !== 0 && largest.length !== channels)
      throw state.get('largest').bad(`is not of ${channels} filters`);
    this.#slopes.set(state.get('slopes').array(Float32Array, channels));
    this.#epoch = epoch;
    this.#z = z;
    this.#zBefore = zBefore;
    this.#categories = categories;
    this.#largest = largest;
  }
}

/** Means over the batch of `[N, C]`, in float64. */
function meansOf({ dims, data }: Tensor): Float64Array {
  const [batch = 0, channels = 0] = dims;
  const means = new Float64Array(channels);
  for (let at = 0; at < data.length; at++) means[at % channels]! += data[at]! / batch;
  return means;
}

const stateOfZ = ({ images, largest, sum }: RunningZState): StateValue => ({ images, largest, sum });

function restoreZ(state: StateReader, like: RunningZ): RunningZ {
  const { channels, templates } = like;
  const count = channels * templates;
  return RunningZ.fromState({
    ...{ channels, templates, images: state.get('images').count() },
    largest: state.get('largest').array(Float64Array, count),
    sum: state.get('sum').array(Float64Array, count),
  });
}

function restoreCategories(state: StateReader, like: FilterCategories): FilterCategories {
  const saved: FilterCategoriesState = {
    mode: state.get('mode').oneOf(ASSIGNMENTS),
    channels: state.get('channels').count(),
    categories: state.get('categories').count(),
    counts: state
      .get('counts')
      .list()
      .map((count) => count.count()),
    sums: state
      .get('sums')
      .list()
      .map((sum) => sum.string()),
    averages: state.get('averages').array(Float64Array),
  };
  const { mode, channels, categories } = like;
  if (saved.mode !== mode || saved.channels !== channels || saved.categories !== categories)
    throw state.bad('is of other filters, categories or another assignment');
  try {
    return FilterCategories.fromState(saved);
  } catch (cause) {
    if (cause instanceof UnitscopeError) throw state.bad(`does not fit: ${cause.message}`);
    throw cause;
  }
}
