import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { type Tensor, zeros } from './tensor.js';

/** A seeded stream of random numbers: the same seed gives the same numbers on every machine. */
export class Random {
  readonly seed: number;
  readonly #generator: ReturnType<typeof xoroshiro128plus>;
  #spare: number | undefined;

  constructor(seed: number) {
    this.seed = seed;
    this.#generator = xoroshiro128plus(seed);
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return uniformFloat64(this.#generator);
  }

  /** A uniform integer, `low` and `high` included. */
  integer(low: number, high: number): number {
    return uniformInt(this.#generator, low, high);
  }

  /** Standard normal, by Box and Muller's transform. */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** A float32 tensor of independent normal numbers. */
  normalTensor(dims: readonly number[], mean = 0, deviation = 1): Tensor {
    const filled = zeros(dims);
    for (let i = 0; i < filled.data.length; i++) filled.data[i] = mean + deviation * this.normal();
    return filled;
  }
}
