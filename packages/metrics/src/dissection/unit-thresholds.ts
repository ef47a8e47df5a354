import { type KernelOptions, TopQuantile } from '@unitscope/kernels';
import { reasonOf, type Tensor } from '@unitscope/tensor';
import type { Stat } from '../stat.js';
import type { StateReader, StateValue } from '../state.js';
import type { DissectionParameters } from './parameters.js';

export interface UnitThresholdsOptions extends KernelOptions {
  readonly units: number;
  /** The most values one unit will have, over all shards; bounds the memory. */
  readonly atMost?: number;
  readonly parameters: Pick<DissectionParameters, 'quantileFraction' | 'quantileMethod'>;
}

/**
 * T_k of every unit, P(a_k > T_k) = q over all its activations in the data set (Eq 3 of Network Dissection): exact, as a
 * full sort gives it. Add the activations of all pictures once each.
 */
export class UnitThresholds implements Stat<Tensor, Float64Array> {
  readonly #selection: TopQuantile;
  readonly #options: KernelOptions;

  private constructor(selection: TopQuantile, options: KernelOptions) {
    this.#selection = selection;
    this.#options = options;
  }

  static start({ units, atMost, parameters, ...options }: UnitThresholdsOptions): UnitThresholds {
    const selection = new TopQuantile({
      units,
      fraction: parameters.quantileFraction,
      method: parameters.quantileMethod,
      ...(atMost === undefined ? {} : { atMost }),
    });
    return new UnitThresholds(selection, options);
  }

  /** @param activations `[images, units, ...]`; throws `bad-input` for NaN */
  async add(activations: Tensor): Promise<void> {
    await this.#selection.add(activations, this.#options);
  }

  merge(other: UnitThresholds): void {
    this.#selection.merge(other.#selection);
  }

  /** T_k, one for each unit. Throws `wrong-use` before the first value. */
  result(): Float64Array {
    return this.#selection.result();
  }

  toState(): StateValue {
    const { units, fraction, method, atMost, count, largest } = this.#selection.toState();
    return { units, fraction, method, atMost, count, kept: largest.dims[1] ?? 0, largest: largest.data };
  }

  static fromState(state: StateReader, options: KernelOptions = {}): UnitThresholds {
    const units = state.get('units').count();
    const kept = state.get('kept').count();
    const atMost = state.get('atMost');
    const saved = {
      units,
      fraction: state.get('fraction').number(),
      method: state.get('method').oneOf(['linear', 'hazen']),
      atMost: atMost.isNull ? null : atMost.count(),
      count: state.get('count').count(),
      largest: { dims: [units, kept], data: state.get('largest').array(Float32Array, units * kept) },
    };
    try {
      return new UnitThresholds(TopQuantile.fromState(saved), options);
    } catch (cause) {
      throw state.bad(`holds no selection (${reasonOf(cause)})`);
    }
  }
}
