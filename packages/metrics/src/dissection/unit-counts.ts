import {
  type IouConcepts,
  type IouCounts,
  iouCounts,
  type KernelOptions,
  type MapPlacement,
} from '@unitscope/kernels';
import { sliceBatch, type Tensor, UnitscopeError } from '@unitscope/tensor';
import { conceptsOf, type LabelTable } from '../labels.js';
import type { Stat } from '../stat.js';
import type { StateReader, StateValue } from '../state.js';
import type { DissectionParameters } from './parameters.js';

/** What is counted for, and how: the same for every batch and every shard. */
export interface UnitCountsOptions extends KernelOptions {
  /** T_k, one for each unit; NaN activates nothing. */
  readonly thresholds: Float64Array;
  readonly table: LabelTable;
  readonly placement: MapPlacement;
  readonly parameters: Pick<DissectionParameters, 'area'>;
}

/** Pictures of a batch: what the units said and what is there. */
export interface LabelledActivations {
  /** `[images, units, height, width]` */
  readonly activations: Tensor;
  /** `[images, layers, label height, label width]`: one label for a pixel in each layer, 0 for none. */
  readonly pixelLabels: Tensor<Int32Array>;
  /** `[images, n]`: labels of whole pictures, 0 for none. */
  readonly imageLabels?: Tensor<Int32Array>;
}

const COUNTS = ['intersection', 'labelPixels', 'categoryArea', 'area'] as const;

/**
 * The integer counts of Network Dissection over a data set: |M_k and L_c|, |L_c|, and |M_k| over all pictures and over
 * those of each category, as `DissectionParameters.area` reads it.
 */
export class UnitCounts implements Stat<LabelledActivations, IouCounts> {
  readonly #options: UnitCountsOptions;
  readonly #concepts: IouConcepts;
  readonly #counts: IouCounts;
  #images = 0;

  constructor(options: UnitCountsOptions) {
    this.#options = options;
    this.#concepts = conceptsOf(options.table);
    this.#counts = emptyCounts(options.thresholds.length, this.#concepts);
  }

  /** Pictures so far. */
  get images(): number {
    return this.#images;
  }

  /** Throws `bad-input` for maps or labels that do not fit, with nothing counted. */
  async add(batch: LabelledActivations): Promise<void> {
    const { parameters } = this.#options;
    const [images = 0] = batch.activations.dims;
    if (parameters.area === 'category-hit') {
      for (let image = 0; image < images; image++) await this.#addWhereHit(pictureOf(batch, image));
    } else {
      await this.#count(batch, this.#counts);
    }
    this.#images += images;
  }

  /** NetDissect-Lite's reading: a category has an area only in pictures where the unit's mask meets a label of it. */
  async #addWhereHit(picture: LabelledActivations): Promise<void> {
    const own = emptyCounts(this.#options.thresholds.length, this.#concepts);
    await this.#count(picture, own);
    const { categoryOf, categories } = this.#concepts;
    const concepts = categoryOf.length;
    own.categoryArea.data.fill(0n);
    own.intersection.data.forEach((both, i) => {
      const category = categoryOf[i % concepts]!;
      const unit = Math.floor(i / concepts);
      if (both > 0n && category >= 0)
        own.categoryArea.data[unit * categories + category] = own.area.data[unit]!;
    });
    addCounts(this.#counts, own);
  }

  async #count(batch: LabelledActivations, into: IouCounts): Promise<void> {
    const { thresholds, placement, table: _, parameters: __, ...options } = this.#options;
    await iouCounts(batch, thresholds, this.#concepts, placement, { ...options, into });
  }

  merge(other: UnitCounts): void {
    for (const name of COUNTS) {
      if (other.#counts[name].data.length !== this.#counts[name].data.length)
        throw new UnitscopeError('wrong-use', 'only counts of the same units and labels can be merged');
    }
    addCounts(this.#counts, other.#counts);
    this.#images += other.#images;
  }

  /** The counts themselves, not a copy. */
  result(): IouCounts {
    return this.#counts;
  }

  toState(): StateValue {
    const arrays = COUNTS.map((name) => [name, this.#counts[name].data] as const);
    return { images: this.#images, ...Object.fromEntries(arrays) };
  }

  static fromState(state: StateReader, options: UnitCountsOptions): UnitCounts {
    const made = new UnitCounts(options);
    made.#images = state.get('images').count();
    for (const name of COUNTS) {
      const { data } = made.#counts[name];
      data.set(state.get(name).array(BigInt64Array, data.length));
    }
    return made;
  }
}

function emptyCounts(units: number, { categoryOf, categories }: IouConcepts): IouCounts {
  const counts = (...dims: number[]) => ({
    dims,
    data: new BigInt64Array(dims.reduce((size, dim) => size * dim, 1)),
  });
  return {
    intersection: counts(units, categoryOf.length),
    labelPixels: counts(categoryOf.length),
    categoryArea: counts(units, categories),
    area: counts(units),
  };
}

function addCounts(to: IouCounts, from: IouCounts): void {
  for (const name of COUNTS) {
    const { data } = to[name];
    from[name].data.forEach((count, i) => {
      data[i] = data[i]! + count;
    });
  }
}

function pictureOf(batch: LabelledActivations, image: number): LabelledActivations {
  const { activations, pixelLabels, imageLabels } = batch;
  return {
    activations: sliceBatch(activations, image, image + 1),
    pixelLabels: sliceBatch(pixelLabels, image, image + 1),
    ...(imageLabels === undefined ? {} : { imageLabels: sliceBatch(imageLabels, image, image + 1) }),
  };
}
