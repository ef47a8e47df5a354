import { type Tensor, UnitscopeError } from '@unitscope/tensor';
import { requireDims } from './pooling.js';

/** What a `RunningZ` has seen; JSON, but for the arrays. */
export interface RunningZState {
  readonly channels: number;
  readonly templates: number;
  readonly images: number;
  /** Of every filter and template, the largest score, `[channels, templates]`. */
  readonly largest: Float64Array;
  /** and the sum of e^(score - largest). */
  readonly sum: Float64Array;
}

/**
 * Z_T = sum over the maps of e^score of every filter and template, over as many batches as are added, in the log domain.
 * The order of batches and merges matters only to rounding in float64.
 */
export class RunningZ {
  readonly channels: number;
  /** n^2 + 1. */
  readonly templates: number;
  #images = 0;
  readonly #largest: Float64Array;
  readonly #sum: Float64Array;

  constructor(channels: number, templates: number) {
    this.channels = channels;
    this.templates = templates;
    this.#largest = new Float64Array(channels * templates).fill(Number.NEGATIVE_INFINITY);
    this.#sum = new Float64Array(channels * templates);
  }

  /** @param scores `[batch, channels, templates]`, from `templateScores` */
  add(scores: Tensor): void {
    const [batch = 0] = scores.dims;
    requireDims('scores', scores, [batch, this.channels, this.templates]);
    const width = this.#sum.length;
    for (let i = 0; i < scores.data.length; i++) this.#include(i % width, scores.data[i]!, 1);
    this.#images += batch;
  }

  /** Adds what another one has seen. Throws `bad-input` if it is of other filters or templates. */
  merge(other: RunningZ): void {
    const { channels, templates, images, largest, sum } = other.toState();
    if (channels !== this.channels || templates !== this.templates) {
      throw new UnitscopeError(
        'bad-input',
        `Z of ${channels} x ${templates} filters and templates cannot be merged into one of ${this.channels} x ${this.templates}`,
      );
    }
    for (let i = 0; i < sum.length; i++) {
      if (images > 0) this.#include(i, largest[i]!, sum[i]!);
    }
    this.#images += images;
  }

  /** Takes in `count` times e^score. */
  #include(at: number, score: number, count: number): void {
    const largest = Math.max(this.#largest[at]!, score);
    this.#sum[at] =
      this.#sum[at]! * Math.exp(this.#largest[at]! - largest) + count * Math.exp(score - largest);
    this.#largest[at] = largest;
  }

  get images(): number {
    return this.#images;
  }

  /**
   * log Z_T, `[channels, templates]`, scaled to a set of `images` maps: with the batch's size p(x|T) keeps the scale it
   * has within a batch. Throws `wrong-use` if nothing was added yet.
   */
  logZ(images: number): Tensor {
    if (this.#images === 0)
      throw new UnitscopeError('wrong-use', 'there is no Z before the first batch is added');
    const scale = Math.log(images / this.#images);
    return {
      dims: [this.channels, this.templates],
      data: Float32Array.from(this.#sum, (sum, i) => this.#largest[i]! + Math.log(sum) + scale),
    };
  }

  toState(): RunningZState {
    const { channels, templates } = this;
    return {
      channels,
      templates,
      images: this.#images,
      largest: this.#largest.slice(),
      sum: this.#sum.slice(),
    };
  }

  /** Throws `bad-input` for a state whose arrays do not have its sizes. */
  static fromState({ channels, templates, images, largest, sum }: RunningZState): RunningZ {
    const restored = new RunningZ(channels, templates);
    if (largest.length !== channels * templates || sum.length !== channels * templates) {
      throw new UnitscopeError(
        'bad-input',
        `the state of Z must hold ${channels} x ${templates} numbers, it holds ${largest.length} and ${sum.length}`,
      );
    }
    restored.#largest.set(largest);
    restored.#sum.set(sum);
    restored.#images = images;
    return restored;
  }
}
