import { UnitscopeError, unknownName } from '@unitscope/tensor';
import type { Stat } from '../stat.js';
import type { StateReader, StateValue } from '../state.js';

export interface ExplanationTruthOptions {
  /** Names of the methods that are judged, in the order of the result. */
  readonly methods: readonly string[];
  /** Names of what is measured, in the order of the result. */
  readonly measures: readonly string[];
}

/** What was measured of one method's map of one picture. */
export interface TruthRow {
  readonly method: string;
  /** The picture's number in the data set. */
  readonly picture: number;
  /** One for each measure, NaN where a picture does not give it. */
  readonly values: ArrayLike<number>;
}

/** A measure over the pictures that give it. */
export interface MeasureMean {
  readonly measure: string;
  /** NaN without a picture. */
  readonly mean: number;
  /** s / sqrt(n) with s the sample deviation (divisor n - 1); NaN for fewer than two pictures. */
  readonly standardError: number;
  /** n. */
  readonly pictures: number;
}

export interface MethodTruth {
  readonly method: string;
  /** Pictures that the method was judged on. */
  readonly pictures: number;
  readonly measures: readonly MeasureMean[];
  /** Row by row in the order of the pictures' numbers. */
  readonly rows: readonly TruthRow[];
}

/**
 * How explanations compare with exact truth, over the pictures of a data set: the mean of each measure for each method,
 * with its standard error. Rows are kept and summed in the order of the pictures' numbers, so every split of the data
 * gives the same result bit by bit.
 */
export class ExplanationTruth implements Stat<readonly TruthRow[], readonly MethodTruth[]> {
  readonly #options: ExplanationTruthOptions;
  /** Of each method, the values by the picture's number. */
  readonly #rows: Map<number, Float64Array>[];

  constructor(options: ExplanationTruthOptions) {
    for (const [kind, names] of Object.entries(options)) {
      if (names.length === 0 || new Set(names).size !== names.length)
        throw new UnitscopeError('wrong-use', `${kind} must be named, each once: [${names.join(', ')}]`);
    }
    this.#options = { methods: [...options.methods], measures: [...options.measures] };
    this.#rows = options.methods.map(() => new Map());
  }

  /**
   * Throws `not-found` for a method that is not in the list, `bad-input` for another number of values and infinity,
   * `wrong-use` for a picture that a method has been judged on already; nothing is taken in then.
   */
  add(rows: readonly TruthRow[]): Promise<void> {
    const checked = rows.map(({ method, picture, values }) => {
      const place = this.#options.methods.indexOf(method);
      if (place === -1) throw unknownName('method', method, this.#options.methods);
      const { measures } = this.#options;
      const copy = Float64Array.from(values);
      const wrong = copy.findIndex((value) => Math.abs(value) === Number.POSITIVE_INFINITY);
      if (copy.length !== measures.length || wrong !== -1)
        throw new UnitscopeError(
          'bad-input',
          wrong === -1
            ? `${copy.length} values were given for ${measures.length} measures (${measures.join(', ')})`
            : `${measures[wrong]} of ${method} is ${copy[wrong]} in picture ${picture}; it must be finite`,
        );
      return { place, picture, values: copy };
    });
    this.#include(checked);
    return Promise.resolve();
  }

  #include(rows: readonly { place: number; picture: number; values: Float64Array }[]): void {
    const fresh = new Set<string>();
    for (const { place, picture } of rows) {
      const key = `${place} ${picture}`;
      if (this.#rows[place]!.has(picture) || fresh.has(key))
        throw new UnitscopeError(
          'wrong-use',
          `${this.#options.methods[place]} has been judged on picture ${picture} already`,
        );
      fresh.add(key);
    }
    for (const { place, picture, values } of rows) this.#rows[place]!.set(picture, values);
  }

  merge(other: ExplanationTruth): void {
    if (JSON.stringify(other.#options) !== JSON.stringify(this.#options))
      throw new UnitscopeError('wrong-use', 'only truths of the same methods and measures can be merged');
    this.#include(
      other.#rows.flatMap((rows, place) =>
        [...rows].map(([picture, values]) => ({ place, picture, values })),
      ),
    );
  }

  result(): readonly MethodTruth[] {
    const { methods, measures } = this.#options;
    return methods.map((method, place): MethodTruth => {
      const rows = this.#sorted(place).map(([picture, values]) => ({ method, picture, values }));
      return {
        method,
        pictures: rows.length,
        measures: measures.map((measure, i) =>
          meanOf(
            measure,
            rows.map(({ values }) => values[i]!),
          ),
        ),
        rows,
      };
    });
  }

  #sorted(place: number): [number, Float64Array][] {
    return [...this.#rows[place]!].sort(([a], [b]) => a - b);
  }

  toState(): StateValue {
    const { methods, measures } = this.#options;
    const rows = methods.map((_, place) => this.#sorted(place));
    const all = rows.flat();
    const values = new Float64Array(all.length * measures.length);
    all.forEach(([, own], i) => {
      values.set(own, i * measures.length);
    });
    return {
      methods,
      measures,
      lengths: Int32Array.from(rows, ({ length }) => length),
      pictures: Float64Array.from(all, ([picture]) => picture),
      values,
    };
  }

  static fromState(state: StateReader): ExplanationTruth {
    const names = (key: string) =>
      state
        .get(key)
        .list()
        .map((name) => name.string());
    const [methods, measures] = [names('methods'), names('measures')];
    const made = new ExplanationTruth({ methods, measures });
    const lengths = state.get('lengths').array(Int32Array, methods.length);
    const total = lengths.reduce((sum, length) => sum + length, 0);
    const pictures = state.get('pictures').array(Float64Array, total);
    const values = state.get('values').array(Float64Array, total * measures.length);
    let next = 0;
    lengths.forEach((length, place) => {
      for (const end = next + length; next < end; next++)
        made.#rows[place]!.set(
          pictures[next]!,
          values.slice(next * measures.length, (next + 1) * measures.length),
        );
      if (made.#rows[place]!.size !== length) throw state.get('pictures').bad('has a picture twice');
    });
    return made;
  }
}

function meanOf(measure: string, values: readonly number[]): MeasureMean {
  const given = values.filter((value) => !Number.isNaN(value));
  const count = given.length;
  const mean = given.reduce((sum, value) => sum + value, 0) / count;
  const squares = given.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const standardError = count < 2 ? Number.NaN : Math.sqrt(squares / (count - 1) / count);
  return { measure, mean, standardError, pictures: count };
}
