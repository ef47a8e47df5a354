import type { StateReader, StateValue } from '../state.js';

/**
 * The `keep` rows of the highest scores, in falling order; of equal scores, those of the lowest number first. A row is
 * `width` numbers. What is kept does not depend on the order in which rows come.
 */
export class RankedRows {
  readonly #keep: number;
  readonly width: number;
  #length = 0;
  #scores: Float64Array;
  #numbers: Float64Array;
  #rows: Float64Array;

  constructor(keep: number, width: number) {
    this.#keep = keep;
    this.width = width;
    this.#scores = new Float64Array(0);
    this.#numbers = new Float64Array(0);
    this.#rows = new Float64Array(0);
  }

  get length(): number {
    return this.#length;
  }

  scoreAt(place: number): number {
    return this.#scores[place]!;
  }

  numberAt(place: number): number {
    return this.#numbers[place]!;
  }

  rowAt(place: number): Float64Array {
    return this.#rows.subarray(place * this.width, (place + 1) * this.width);
  }

  /** @param row `width` numbers, copied */
  include(score: number, number: number, row: ArrayLike<number>): void {
    const place = this.#placeOf(score, number);
    if (place >= this.#keep) return;
    this.#makeRoom();
    const last = Math.min(this.#length, this.#keep - 1);
    this.#scores.copyWithin(place + 1, place, last);
    this.#numbers.copyWithin(place + 1, place, last);
    this.#rows.copyWithin((place + 1) * this.width, place * this.width, last * this.width);
    this.#scores[place] = score;
    this.#numbers[place] = number;
    this.#rows.set(row, place * this.width);
    this.#length = last + 1;
  }

  includeAll(other: RankedRows): void {
    for (let place = 0; place < other.length; place++)
      this.include(other.scoreAt(place), other.numberAt(place), other.rowAt(place));
  }

  #placeOf(score: number, number: number): number {
    let low = 0;
    let high = this.#length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#scores[middle]!;
      if (other > score || (other === score && this.#numbers[middle]! < number)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #makeRoom(): void {
    const capacity = this.#scores.length;
    if (this.#length < capacity || capacity === this.#keep) return;
    const grown = Math.min(this.#keep, Math.max(8, 2 * capacity));
    const enlarge = (from: Float64Array, size: number) => {
      const to = new Float64Array(size);
      to.set(from);
      return to;
    };
    this.#scores = enlarge(this.#scores, grown);
    this.#numbers = enlarge(this.#numbers, grown);
    this.#rows = enlarge(this.#rows, grown * this.width);
  }
}

/** Many lists as four arrays, one after the other: a file of thousands of arrays would be slow. */
export function stateOfRows(lists: readonly RankedRows[]): StateValue {
  const lengths = Int32Array.from(lists, ({ length }) => length);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const width = lists[0]?.width ?? 0;
  const scores = new Float64Array(total);
  const numbers = new Float64Array(total);
  const rows = new Float64Array(total * width);
  let next = 0;
  for (const list of lists) {
    for (let place = 0; place < list.length; place++, next++) {
      scores[next] = list.scoreAt(place);
      numbers[next] = list.numberAt(place);
      rows.set(list.rowAt(place), next * width);
    }
  }
  return { lengths, scores, numbers, rows };
}

/** Puts what `stateOfRows` saved into as many empty lists. */
export function restoreRows(state: StateReader, lists: readonly RankedRows[]): void {
  const lengths = state.get('lengths').array(Int32Array, lists.length);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const width = lists[0]?.width ?? 0;
  const scores = state.get('scores').array(Float64Array, total);
  const numbers = state.get('numbers').array(Float64Array, total);
  const rows = state.get('rows').array(Float64Array, total * width);
  let next = 0;
  lists.forEach((list, i) => {
    for (const end = next + lengths[i]!; next < end; next++)
      list.include(scores[next]!, numbers[next]!, rows.subarray(next * width, (next + 1) * width));
  });
}
