import { streamBatches } from './batches.js';
import { judge } from './labels.js';
import type { Samples } from './samples.js';
import type { Trainer } from './trainer.js';

/** How well a network does on samples. */
export interface Evaluation {
  /** The mean over the samples. */
  readonly loss: number;
  /** The share of samples whose category is right. */
  readonly accuracy: number;
  /** The mean over the categories of the share of its samples that are right. */
  readonly balancedAccuracy: number;
  readonly samples: number;
}

/** Counts what scores say about labels, batch by batch. */
export class Tally {
  #loss = 0;
  #count = 0;
  readonly #right: number[];
  readonly #of: number[];

  constructor(categories: number) {
    this.#right = new Array<number>(categories).fill(0);
    this.#of = new Array<number>(categories).fill(0);
  }

  add(loss: 'softmax' | 'logistic', scores: Float32Array, labels: readonly number[]): void {
    const classes = scores.length / labels.length;
    labels.forEach((label, i) => {
      const found = judge(loss, scores.subarray(i * classes, (i + 1) * classes), label);
      this.#loss += found.loss;
      this.#count++;
      this.#of[label]!++;
      if (found.predicted === label) this.#right[label]!++;
    });
  }

  result(): Evaluation {
    const shares = this.#right.flatMap((right, i) => (this.#of[i] === 0 ? [] : [right / this.#of[i]!]));
    const total = this.#right.reduce((sum, right) => sum + right, 0);
    return {
      loss: this.#loss / this.#count,
      accuracy: total / this.#count,
      balancedAccuracy: shares.reduce((sum, share) => sum + share, 0) / shares.length,
      samples: this.#count,
    };
  }

  /** What it has counted, for a checkpoint in the middle of an epoch. */
  toState(): readonly number[] {
    return [this.#loss, this.#count, ...this.#right, ...this.#of];
  }

  restore(state: readonly number[]): void {
    const [loss = 0, count = 0, ...rest] = state;
    this.#loss = loss;
    this.#count = count;
    const { length } = this.#right;
    for (let i = 0; i < length; i++) {
      this.#right[i] = rest[i] ?? 0;
      this.#of[i] = rest[length + i] ?? 0;
    }
  }
}

/** The loss and accuracy of the network as it is now, over all samples. Throws `aborted`. */
export async function evaluateSamples(
  trainer: Trainer,
  samples: Samples,
  { batchSize = 64, signal }: { readonly batchSize?: number; readonly signal?: AbortSignal | undefined } = {},
): Promise<Evaluation> {
  const tally = new Tally(samples.categories.length);
  const order = samples.labels.map((_, i) => i);
  for await (const { inputs, labels } of streamBatches(samples, { batchSize, order, signal })) {
    tally.add(trainer.loss, (await trainer.scores(inputs, signal)).data, labels);
  }
  return tally.result();
}
