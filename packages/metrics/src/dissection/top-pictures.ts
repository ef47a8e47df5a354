import { argmaxMaps } from '@unitscope/kernels';
import { sizeOf, type Tensor, UnitscopeError } from '@unitscope/tensor';
import type { Stat } from '../stat.js';
import type { StateReader, StateValue } from '../state.js';

/** Activations of pictures and the pictures' numbers in the data set. */
export interface NumberedActivations {
  /** `[images, units, ...]` */
  readonly activations: Tensor;
  readonly pictures: readonly number[];
}

export interface TopPicture {
  /** Number in the data set. */
  readonly picture: number;
  /** The unit's largest activation in it. */
  readonly activation: number;
}

/**
 * The pictures in which each unit is strongest, by the maximum of its map; of equals, those that come first in the data
 * set. Holds `count` of them for each unit.
 */
export class TopPictures implements Stat<NumberedActivations, readonly (readonly TopPicture[])[]> {
  readonly units: number;
  readonly count: number;
  /** Per unit, from the strongest down. */
  readonly #ranked: TopPicture[][];

  constructor(units: number, count: number) {
    for (const [name, value] of Object.entries({ units, count })) {
      if (!Number.isInteger(value) || value < 1)
        throw new UnitscopeError('wrong-use', `${name} must be a positive integer, it is ${value}`);
    }
    this.units = units;
    this.count = count;
    this.#ranked = Array.from({ length: units }, () => []);
  }

  /** Throws `bad-input` for activations of other units and for NaN, with nothing taken in. */
  async add({ activations, pictures }: NumberedActivations): Promise<void> {
    const [images, units, ...rest] = activations.dims;
    const cells = sizeOf(rest);
    if (images !== pictures.length || units !== this.units || cells === 0) {
      throw new UnitscopeError(
        'bad-input',
        `activations must be [${pictures.length}, ${this.units}, ...], they have dims [${activations.dims.join(', ')}]`,
      );
    }
    const maps = { dims: [images * units, 1, cells], data: activations.data };
    const { data: largest } = (await argmaxMaps(maps)).value;
    const wrong = largest.findIndex(Number.isNaN);
    if (wrong !== -1)
      throw new UnitscopeError('bad-input', `unit ${wrong % units} has an activation that is NaN`);
    pictures.forEach((picture, image) => {
      for (let unit = 0; unit < units; unit++)
        this.#include(unit, { picture, activation: largest[image * units + unit]! });
    });
  }

  #include(unit: number, found: TopPicture): void {
    const ranked = this.#ranked[unit]!;
    // Of a long data set nearly every picture ends here.
    if (ranked.length >= this.count && !isAbove(found, ranked[ranked.length - 1]!)) return;
    const place = ranked.findIndex((other) => isAbove(found, other));
    ranked.splice(place === -1 ? ranked.length : place, 0, found);
    if (ranked.length > this.count) ranked.pop();
  }

  merge(other: TopPictures): void {
    if (other.units !== this.units || other.count !== this.count)
      throw new UnitscopeError('wrong-use', 'only rankings of the same units and length can be merged');
    other.#ranked.forEach((ranked, unit) => {
      for (const found of ranked) this.#include(unit, found);
    });
  }

  /** Per unit, from the strongest picture down. */
  result(): readonly (readonly TopPicture[])[] {
    return this.#ranked;
  }

  toState(): StateValue {
    const all = this.#ranked.flat();
    return {
      units: this.units,
      count: this.count,
      lengths: Int32Array.from(this.#ranked, ({ length }) => length),
      pictures: Float64Array.from(all, ({ picture }) => picture),
      activations: Float64Array.from(all, ({ activation }) => activation),
    };
  }

  static fromState(state: StateReader): TopPictures {
    const made = new TopPictures(state.get('units').count(), state.get('count').count());
    const lengths = state.get('lengths').array(Int32Array, made.units);
    const total = lengths.reduce((sum, length) => sum + length, 0);
    const pictures = state.get('pictures').array(Float64Array, total);
    const activations = state.get('activations').array(Float64Array, total);
    let next = 0;
    lengths.forEach((length, unit) => {
      for (let i = 0; i < length; i++, next++)
        made.#include(unit, { picture: pictures[next]!, activation: activations[next]! });
    });
    return made;
  }
}

function isAbove(a: TopPicture, b: TopPicture): boolean {
  return a.activation > b.activation || (a.activation === b.activation && a.picture < b.picture);
}
