import { sizeOf, type Tensor, UnitscopeError, unknownName } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import type { AnyTensor } from './device-buffer.js';
import { topQuantileReference } from './reference/top-quantile.js';

/**
 * Where the 1 - q quantile of n sorted values lies, counted from the smallest, by numpy's names: `linear` at
 * (1 - q)(n - 1), `hazen` at (1 - q) n - 1/2, within the values.
 */
export type QuantileMethod = 'linear' | 'hazen';

export interface TopQuantileOptions {
  readonly units: number;
  /** q, the part of a unit's values above the quantile, from 0 to 1. */
  readonly fraction: number;
  /** `linear` by default. */
  readonly method?: QuantileMethod;
  /**
   * The most values that one unit will see, over all shards. With it about 2 q atMost values of a unit are held; without
   * it none can be let go, because any may yet be the quantile of a longer stream.
   */
  readonly atMost?: number;
}

/** A selection as plain data. The same values give the same state, whatever their order and however they were split. */
export interface TopQuantileState {
  readonly units: number;
  readonly fraction: number;
  readonly method: QuantileMethod;
  readonly atMost: number | null;
  /** Values of each unit so far. */
  readonly count: number;
  /** `[units, n]`: the largest values of each unit, from the largest down. */
  readonly largest: Tensor;
}

const MAX_CAPACITY = 2 ** 31 - 1;
const LEAST_SLACK = 1024;

const PLACES: Readonly<Record<QuantileMethod, (count: number, fraction: number) => number>> = {
  linear: (count, fraction) => (1 - fraction) * (count - 1),
  hazen: (count, fraction) => Math.min(Math.max((1 - fraction) * count - 0.5, 0), count - 1),
};

/** Where the quantile of `count` sorted values lies: between the ranks from above `rank` and `rank - 1`. */
function rankOf(count: number, fraction: number, method: QuantileMethod): { rank: number; weight: number } {
  const place = PLACES[method](count, fraction);
  return { rank: count - Math.floor(place), weight: place - Math.floor(place) };
}

function interpolate(low: number, high: number, weight: number): number {
  if (low === high) return low;
  const step = high - low;
  // From the nearer end, as numpy does.
  return weight >= 0.5 ? high - step * (1 - weight) : low + step * weight;
}

/**
 * The value of rank `rank` from the largest, which is 1; minus infinity where there are fewer. Puts the values in another
 * order: Hoare's selection, which looks at about three times as many values as there are.
 */
function largestAt(values: Float32Array, rank: number): number {
  const place = values.length - rank;
  if (place < 0) return Number.NEGATIVE_INFINITY;
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const pivot = values[(low + high) >> 1]!;
    let [i, j] = [low, high];
    while (i <= j) {
      while (values[i]! < pivot) i++;
      while (values[j]! > pivot) j--;
      if (i > j) break;
      const swapped = values[i]!;
      values[i++] = values[j]!;
      values[j--] = swapped;
    }
    // What lies between j and i equals the pivot.
    if (place <= j) high = j;
    else if (place >= i) low = i;
    else return pivot;
  }
  return values[place]!;
}

/**
 * The 1 - q quantile of every unit over a stream, exact: what a full sort and interpolation between the two
 * neighbouring values give. Keeps only the largest values that can still matter.
 *
 * Memory: at most `maxBytes`, that is 4 units max(2 m, m + 1024) bytes, where m is about q atMost + 2; without `atMost`,
 * between 4 and 8 bytes for every value seen.
 *
 * A NaN is `bad-input`, after which the selection can no longer be used.
 */
export class TopQuantile {
  readonly units: number;
  readonly fraction: number;
  readonly method: QuantileMethod;
  readonly atMost: number;
  readonly #keep: number;
  readonly #filled: Int32Array;
  readonly #cutoff: Float32Array;
  #capacity = 0;
  #kept = new Float32Array(0);
  #count = 0;
  #trouble: string | undefined;

  /** Throws `wrong-use` for options that can never work. */
  constructor(options: TopQuantileOptions) {
    const { units, fraction, method = 'linear', atMost = Number.POSITIVE_INFINITY } = options;
    if (!Number.isInteger(units) || units < 1 || units > MAX_CAPACITY)
      throw new UnitscopeError('wrong-use', `units must be an integer of at least 1, it is ${units}`);
    if (!(fraction >= 0 && fraction <= 1))
      throw new UnitscopeError('wrong-use', `fraction must be from 0 to 1, it is ${fraction}`);
    if (!(atMost >= 1) || !(Number.isSafeInteger(atMost) || atMost === Number.POSITIVE_INFINITY))
      throw new UnitscopeError('wrong-use', `atMost must be an integer of at least 1, it is ${atMost}`);
    if (PLACES[method] === undefined)
      throw unknownName('quantile method', String(method), Object.keys(PLACES), 'wrong-use');
    this.units = units;
    this.fraction = fraction;
    this.method = method;
    this.atMost = atMost;
    // One more than the rank at the end, since a rank in between may be rounded up.
    this.#keep = Number.isFinite(atMost)
      ? rankOf(atMost, fraction, method).rank + 1
      : Number.POSITIVE_INFINITY;
    if (Number.isFinite(atMost) && this.#limit > MAX_CAPACITY) {
      throw new UnitscopeError(
        'unsupported',
        `a selection of ${this.#keep} values a unit is too large; fraction ${fraction} of ${atMost} values`,
      );
    }
    this.#filled = new Int32Array(units);
    this.#cutoff = new Float32Array(units).fill(Number.NEGATIVE_INFINITY);
  }

  /** Values of each unit so far. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of buffer held now. */
  get bytes(): number {
    return this.#kept.byteLength;
  }

  /** Bytes of buffer that are never exceeded; infinite without `atMost`. */
  get maxBytes(): number {
    return 4 * this.units * this.#limit;
  }

  /**
   * Takes the values of a batch in; resolves to the back end that did it. The selection, which lies in host memory, must
   * not be used and the array not be written to until the promise is settled. Values that lie on `cuda` are fetched all the
   * same, to look for NaN.
   *
   * @param batch `[images, units, ...]`
   */
  async add(batch: AnyTensor, options: KernelOptions = {}): Promise<BackendName> {
    const { call, count } = this.#prepare(batch);
    this.#trouble = 'it is being added to; wait for that promise';
    try {
      const backend = await run(call, options);
      this.#finish(count);
      return backend;
    } catch (cause) {
      throw this.#fail(cause);
    }
  }

  /** As `add`, on the calling thread. */
  addSync(batch: AnyTensor, options: KernelOptions = {}): BackendName {
    const { call, count } = this.#prepare(batch);
    try {
      const backend = runSync(call, options);
      this.#finish(count);
      return backend;
    } catch (cause) {
      throw this.#fail(cause);
    }
  }

  /** Takes in what another selection, of the same options, has seen. */
  merge(other: TopQuantile): void {
    if (
      other.units !== this.units ||
      other.fraction !== this.fraction ||
      other.method !== this.method ||
      other.atMost !== this.atMost ||
      other === this
    ) {
      throw new UnitscopeError(
        'wrong-use',
        'only another selection with the same units, fraction, method and atMost can be merged',
      );
    }
    const { count, largest } = other.toState();
    const { call } = this.#prepare({ dims: [1, ...largest.dims], data: largest.data }, count);
    try {
      runSync(call, {});
      this.#finish(count);
    } catch (cause) {
      throw this.#fail(cause);
    }
  }

  /** The quantile of every unit. Throws `wrong-use` before the first value. */
  result(): Float64Array {
    this.#requireUsable();
    if (this.#count === 0) throw new UnitscopeError('wrong-use', 'there is no quantile of no values');
    const { rank, weight } = rankOf(this.#count, this.fraction, this.method);
    const above = Math.max(1, rank - 1);
    return Float64Array.from({ length: this.units }, (_, unit) => {
      const values = this.#valuesOf(unit);
      // -0 and 0 are equal values; which of them was kept depends on the order of the stream.
      return interpolate(largestAt(values, rank), largestAt(values, above), weight) + 0;
    });
  }

  toState(): TopQuantileState {
    this.#requireUsable();
    const length = Math.min(this.#count, this.#keep);
    const data = new Float32Array(this.units * length).fill(Number.NEGATIVE_INFINITY);
    for (let unit = 0; unit < this.units; unit++) {
      const sorted = this.#valuesOf(unit).sort();
      for (let r = 1; r <= Math.min(length, sorted.length); r++)
        data[unit * length + r - 1] = sorted[sorted.length - r]! + 0;
    }
    return {
      units: this.units,
      fraction: this.fraction,
      method: this.method,
      atMost: Number.isFinite(this.atMost) ? this.atMost : null,
      count: this.#count,
      largest: { dims: [this.units, length], data },
    };
  }

  /** The selection that `toState` was called on. Throws `bad-input` for a state that contradicts itself. */
  static fromState({ units, fraction, method, atMost, count, largest }: TopQuantileState): TopQuantile {
    const made = new TopQuantile({ units, fraction, method, ...(atMost === null ? {} : { atMost }) });
    const [rows, length = -1] = largest.dims;
    if (
      !Number.isSafeInteger(count) ||
      count < 0 ||
      largest.dims.length !== 2 ||
      rows !== units ||
      length !== Math.min(count, made.#keep) ||
      largest.data.length !== units * length
    ) {
      throw new UnitscopeError(
        'bad-input',
        `a state of ${count} values must hold the ${Math.min(count, made.#keep)} largest of each of ${units} units, it has dims [${largest.dims.join(', ')}]`,
      );
    }
    const { call } = made.#prepare({ dims: [1, units, length], data: largest.data }, count);
    runSync(call, {});
    made.#finish(count);
    return made;
  }

  get #limit(): number {
    return this.#keep + Math.max(this.#keep, LEAST_SLACK);
  }

  #requireUsable(): void {
    if (this.#trouble !== undefined)
      throw new UnitscopeError('wrong-use', `the selection cannot be used: ${this.#trouble}`);
  }

  #finish(count: number): void {
    this.#count += count;
    this.#trouble = undefined;
  }

  #fail(cause: unknown): unknown {
    const dataIsBad = cause instanceof UnitscopeError && cause.code === 'bad-input';
    this.#trouble = dataIsBad ? cause.message : undefined;
    return cause;
  }

  /** @param count how many values of each unit the batch stands for */
  #prepare(batch: AnyTensor, count?: number): { call: KernelCall<'topQuantile'>; count: number } {
    this.#requireUsable();
    const [images = 0, units, ...rest] = batch.dims;
    const cells = sizeOf(rest);
    if (units !== this.units || batch.data.length !== sizeOf(batch.dims)) {
      throw new UnitscopeError(
        'bad-input',
        `a batch must be [images, ${this.units}, ...], it has dims [${batch.dims.join(', ')}] and ${batch.data.length} elements`,
      );
    }
    const seen = count ?? images * cells;
    if (this.#count + seen > this.atMost) {
      throw new UnitscopeError(
        'wrong-use',
        `${this.#count + seen} values a unit are more than atMost, which is ${this.atMost}; start again with a larger one`,
      );
    }
    this.#makeRoom(images * cells);
    const call = {
      images,
      units,
      cells,
      // A buffer that is still growing takes everything in.
      keep: Math.min(this.#keep, this.#capacity - 1),
      capacity: this.#capacity,
      values: batch.data,
      kept: this.#kept,
      filled: this.#filled,
      cutoff: this.#cutoff,
    };
    return {
      call: { kernel: 'topQuantile', arguments: call, runReference: topQuantileReference },
      count: seen,
    };
  }

  /** Buffers grow with what is there to hold, up to the limit from which on the kernel selects. */
  #makeRoom(incoming: number): void {
    const fullest = this.#filled.reduce((most, filled) => Math.max(most, filled), 0);
    const needed = fullest + incoming + 1;
    if (needed <= this.#capacity || this.#capacity === this.#limit) return;
    const capacity = Math.min(this.#limit, Math.max(needed, 2 * this.#capacity, 2));
    if (capacity > MAX_CAPACITY || capacity * this.units > 2 ** 32) {
      throw new UnitscopeError(
        'unsupported',
        `${capacity} values of ${this.units} units cannot be held; give atMost, so that only the largest are`,
      );
    }
    const kept = new Float32Array(this.units * capacity);
    for (let unit = 0; unit < this.units; unit++) {
      const start = unit * this.#capacity;
      kept.set(this.#kept.subarray(start, start + this.#filled[unit]!), unit * capacity);
    }
    this.#kept = kept;
    this.#capacity = capacity;
  }

  /** A copy of what is held of a unit, in no order. */
  #valuesOf(unit: number): Float32Array {
    const start = unit * this.#capacity;
    return this.#kept.slice(start, start + this.#filled[unit]!);
  }
}
