import { type Tensor, UnitscopeError, unknownName } from '@unitscope/tensor';
import type { Stat } from '../stat.js';
import type { StateReader, StateValue } from '../state.js';
import { ExactSum } from './exact-sum.js';
import { RankedRows, restoreRows, stateOfRows } from './ranked-rows.js';
import { strongestCells } from './strongest-cells.js';

export const INSTABILITY_PROTOCOLS = ['interpretable-cnn', 'explanatory-graph'] as const;

/**
 * Whose way of measuring.
 *
 * - `interpretable-cnn` (Zhang et al., arXiv:1710.00935): for each filter and landmark the 100 pictures of the highest
 *   activation among those where the landmark is seen; every filter counts.
 * - `explanatory-graph` (Zhang et al., arXiv:1708.01785): for each filter the 20 pictures of the highest activation, of
 *   which those without the landmark are then left out; the 167 filters of the highest mean of these activations count.
 */
export type InstabilityProtocol = (typeof INSTABILITY_PROTOCOLS)[number];

interface Protocol {
  readonly pictures: number;
  readonly filters: number;
  readonly perLandmark: boolean;
}

const PROTOCOLS: Readonly<Record<InstabilityProtocol, Protocol>> = {
  'interpretable-cnn': { pictures: 100, filters: Number.POSITIVE_INFINITY, perLandmark: true },
  'explanatory-graph': { pictures: 20, filters: 167, perLandmark: false },
};

export interface LocationInstabilityOptions {
  readonly protocol?: InstabilityProtocol;
  readonly filters: number;
  readonly landmarks: readonly string[];
  readonly categories: readonly string[];
  /** Where unit 0 of the layer lies in the network's input, [y, x] in pixels: the middle of what it sees. */
  readonly origin: readonly [number, number];
  /** Pixels from one unit to the next, [y, x]. */
  readonly step: readonly [number, number];
  /** Height and width of the network's input in pixels, whose diagonal is the unit of distances. */
  readonly input: readonly [number, number];
}

/** Objects cut out of their pictures and scaled to the network's input. */
export interface InstabilityBatch {
  /** Of the layer before its ReLU, `[objects, filters, height, width]`. */
  readonly activations: Tensor;
  /** `[objects, landmarks, 2]`: y and x in pixels of the input, NaN where a landmark is not seen. */
  readonly landmarks: Tensor<Float64Array>;
  /** The category of each object, an index into the list. */
  readonly categories: readonly number[];
  /** The number of each object in the data set, which decides between equal activations. */
  readonly numbers: readonly number[];
}

export interface FilterInstability {
  readonly filter: number;
  /** The category whose objects activate it most, by the mean over them of its largest activation. */
  readonly category: string;
  /** Mean over the landmarks, in diagonals; NaN where a landmark is seen in fewer than two of its pictures. */
  readonly instability: number;
  /** D_fk of every landmark, in diagonals. */
  readonly landmarks: readonly number[];
}

export interface LocationInstabilityResult {
  readonly protocol: InstabilityProtocol;
  /** Mean over the filters that count and have a value; NaN without one. Smaller is better. */
  readonly instability: number;
  /** The filters that count, each on the category it is assigned to. */
  readonly filters: readonly FilterInstability[];
  /** Mean of D_fk over the filters that count, for each landmark. */
  readonly landmarks: readonly { readonly name: string; readonly instability: number }[];
  /** For each category alone, over all filters that count there. */
  readonly categories: readonly {
    readonly name: string;
    readonly objects: number;
    readonly instability: number;
  }[];
}

/**
 * Location instability (Eq 1-2 of the survey): how much the distance between a filter's strongest unit and an object's
 * landmark varies over objects. D_fk = the sample standard deviation over pictures of ||p_k - p(mu_hat)|| / diagonal,
 * mu_hat the first maximum of the filter's map in row-major order.
 */
export class LocationInstability implements Stat<InstabilityBatch, LocationInstabilityResult> {
  readonly #options: LocationInstabilityOptions;
  readonly #protocolName: InstabilityProtocol;
  readonly #protocol: Protocol;
  /** Of each category: objects seen, and of every filter the sum of its largest activations. */
  readonly #objects: Float64Array;
  readonly #strength: ExactSum[];
  /** Of each category, filter and, where the protocol selects for each, landmark. */
  readonly #ranked: RankedRows[];

  constructor(options: LocationInstabilityOptions) {
    const { protocol = 'interpretable-cnn', filters, landmarks, categories } = options;
    this.#protocol = PROTOCOLS[protocol];
    if (this.#protocol === undefined)
      throw unknownName('protocol', String(protocol), INSTABILITY_PROTOCOLS, 'wrong-use');
    if (!Number.isInteger(filters) || filters < 1)
      throw new UnitscopeError('wrong-use', `filters must be a positive integer, it is ${filters}`);
    if (landmarks.length === 0 || categories.length === 0)
      throw new UnitscopeError('wrong-use', 'location instability needs landmarks and categories of objects');
    this.#options = options;
    this.#protocolName = protocol;
    this.#objects = new Float64Array(categories.length);
    this.#strength = Array.from({ length: categories.length * filters }, () => new ExactSum());
    this.#ranked = Array.from(
      { length: categories.length * filters * this.#lists },
      () => new RankedRows(this.#protocol.pictures, this.#width),
    );
  }

  /** Lists for each filter of a category. */
  get #lists(): number {
    return this.#protocol.perLandmark ? this.#options.landmarks.length : 1;
  }

  /** Distances in each row of a list. */
  get #width(): number {
    return this.#protocol.perLandmark ? 1 : this.#options.landmarks.length;
  }

  /** Throws `bad-input` for shapes that do not fit and activations that are not finite, with nothing taken in. */
  async add(batch: InstabilityBatch): Promise<void> {
    const { filters, landmarks } = this.#options;
    const { objects, width } = this.#check(batch);
    const cells = await strongestCells(batch.activations);
    const distances = new Float64Array(landmarks.length);
    for (let object = 0; object < objects; object++) {
      const category = batch.categories[object]!;
      const number = batch.numbers[object]!;
      this.#objects[category]!++;
      for (let filter = 0; filter < filters; filter++) {
        const map = object * filters + filter;
        this.#measure(batch.landmarks, object, cells.places[map]!, width, distances);
        const list = category * filters + filter;
        this.#strength[list]!.add(cells.values[map]!);
        this.#include(list, cells.values[map]!, number, distances);
      }
    }
  }

  #check({ activations, landmarks, categories, numbers }: InstabilityBatch) {
    const [objects = 0, filters, height = 0, width = 0] = activations.dims;
    const expected = [objects, this.#options.landmarks.length, 2];
    if (activations.dims.length !== 4 || filters !== this.#options.filters || height * width === 0) {
      throw new UnitscopeError(
        'bad-input',
        `activations must be [objects, ${this.#options.filters}, height, width], they have dims [${activations.dims.join(', ')}]`,
      );
    }
    if (landmarks.dims.join() !== expected.join() || landmarks.data.length !== objects * expected[1]! * 2)
      throw new UnitscopeError('bad-input', `landmarks must have dims [${expected.join(', ')}]`);
    if (categories.length !== objects || numbers.length !== objects)
      throw new UnitscopeError(
        'bad-input',
        `categories and numbers must be one for each of ${objects} objects`,
      );
    const stray = categories.find((category) => this.#objects[category] === undefined);
    if (stray !== undefined)
      throw new UnitscopeError(
        'bad-input',
        `there is no category ${stray}; they are 0..${this.#objects.length - 1}`,
      );
    return { objects, width };
  }

  /** Distances from a unit to the landmarks of an object, in pixels. */
  #measure(
    points: Tensor<Float64Array>,
    object: number,
    cell: number,
    width: number,
    into: Float64Array,
  ): void {
    const { origin, step } = this.#options;
    const y = origin[0] + Math.floor(cell / width) * step[0];
    const x = origin[1] + (cell % width) * step[1];
    for (let k = 0; k < into.length; k++) {
      const at = 2 * (object * into.length + k);
      into[k] = Math.hypot(points.data[at]! - y, points.data[at + 1]! - x);
    }
  }

  #include(list: number, score: number, number: number, distances: Float64Array): void {
    if (!this.#protocol.perLandmark) {
      this.#ranked[list]!.include(score, number, distances);
      return;
    }
    for (let k = 0; k < distances.length; k++) {
      if (!Number.isNaN(distances[k]!))
        this.#ranked[list * distances.length + k]!.include(score, number, distances.subarray(k, k + 1));
    }
  }

  merge(other: LocationInstability): void {
    if (JSON.stringify(other.#identity()) !== JSON.stringify(this.#identity()))
      throw new UnitscopeError('wrong-use', 'only instabilities of the same options can be merged');
    other.#objects.forEach((count, category) => {
      this.#objects[category]! += count;
    });
    other.#strength.forEach(({ units }, i) => {
      this.#strength[i]!.units += units;
    });
    other.#ranked.forEach((rows, i) => {
      this.#ranked[i]!.includeAll(rows);
    });
  }

  #identity() {
    const { filters, landmarks, categories, origin, step, input } = this.#options;
    return { protocol: this.#protocolName, filters, landmarks, categories, origin, step, input };
  }

  result(): LocationInstabilityResult {
    const { landmarks, categories } = this.#options;
    const counting = this.#filtersThatCount();
    const assigned = counting.map((filter): FilterInstability => {
      const category = this.#strongestCategory(filter);
      return { filter, category: categories[category]!, ...this.#deviations(category, filter) };
    });
    return {
      protocol: this.#protocolName,
      instability: meanOf(assigned.map(({ instability }) => instability)),
      filters: assigned,
      landmarks: landmarks.map((name, k) => ({
        name,
        instability: meanOf(assigned.map(({ landmarks: deviations }) => deviations[k]!)),
      })),
      categories: categories.map((name, category) => ({
        name,
        objects: this.#objects[category]!,
        instability: meanOf(counting.map((filter) => this.#deviations(category, filter).instability)),
      })),
    };
  }

  /** D_fk of the landmarks and their mean, in diagonals. */
  #deviations(category: number, filter: number): { instability: number; landmarks: number[] } {
    const { filters, landmarks, input } = this.#options;
    const diagonal = Math.hypot(...input);
    const list = category * filters + filter;
    const deviations = landmarks.map((_, k) => {
      const rows = this.#ranked[this.#protocol.perLandmark ? list * landmarks.length + k : list]!;
      const column = this.#protocol.perLandmark ? 0 : k;
      const distances = Array.from({ length: rows.length }, (__, place) => rows.rowAt(place)[column]!);
      return sampleDeviation(distances.filter((distance) => !Number.isNaN(distance))) / diagonal;
    });
    const sum = deviations.reduce((total, deviation) => total + deviation, 0);
    return { instability: sum / deviations.length, landmarks: deviations };
  }

  #strongestCategory(filter: number): number {
    const { filters, categories } = this.#options;
    const mean = (category: number) => {
      const objects = this.#objects[category]!;
      return objects === 0
        ? Number.NEGATIVE_INFINITY
        : this.#strength[category * filters + filter]!.mean(objects);
    };
    return categories.reduce((best, _, category) => (mean(category) > mean(best) ? category : best), 0);
  }

  /** In ascending order. */
  #filtersThatCount(): number[] {
    const { filters } = this.#options;
    const all = Array.from({ length: filters }, (_, filter) => filter);
    if (filters <= this.#protocol.filters) return all;
    const score = (filter: number) => {
      const rows = this.#ranked[(this.#strongestCategory(filter) * filters + filter) * this.#lists]!;
      return meanOf(Array.from({ length: rows.length }, (_, place) => rows.scoreAt(place)));
    };
    const scores = all.map(score);
    return all
      .sort((a, b) => scores[b]! - scores[a]! || a - b)
      .slice(0, this.#protocol.filters)
      .sort((a, b) => a - b);
  }

  toState(): StateValue {
    return {
      ...this.#identity(),
      objects: this.#objects,
      strength: this.#strength.map((sum) => sum.toState()),
      ranked: stateOfRows(this.#ranked),
    };
  }

  static fromState(state: StateReader, options: LocationInstabilityOptions): LocationInstability {
    const made = new LocationInstability(options);
    made.#objects.set(state.get('objects').array(Float64Array, made.#objects.length));
    const strength = state.get('strength').list();
    if (strength.length !== made.#strength.length)
      throw state.bad('is of other filters, landmarks or categories');
    strength.forEach((sum, i) => {
      made.#strength[i] = ExactSum.parse(sum);
    });
    restoreRows(state.get('ranked'), made.#ranked);
    return made;
  }
}

/** Over those that are numbers. */
function meanOf(values: readonly number[]): number {
  const numbers = values.filter((value) => !Number.isNaN(value));
  return numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
}

/** With divisor n - 1; NaN for fewer than two. */
function sampleDeviation(values: readonly number[]): number {
  if (values.length < 2) return Number.NaN;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}
