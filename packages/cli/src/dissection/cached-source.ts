import { ArrayPool, type SkippedExample } from '@unitscope/data';
import { throwIfAborted } from '@unitscope/tensor';
import { readAhead } from '../passes/read-ahead.js';
import type { ActivationCache } from './activation-cache.js';
import type { ActivationBatch, DissectionSource, LabelledBatch } from './source.js';

// Enough that the first batches, in which the network is still being prepared, do not decide.
const TRIAL_PICTURES = 128;
const BATCH_SIZE = 16;

/** What keeping a picture on the disk was measured to cost, and running the network again, in milliseconds. */
export interface CacheTrial {
  readonly disk: number;
  readonly network: number;
}

/**
 * A source whose first pass leaves activations and labels on the disk for the second, as far as there is room and as it is
 * cheaper than decoding the pictures and running the network once more: the first pictures are a trial of both. The
 * batches are the same as without.
 */
export class CachedSource {
  readonly #source: DissectionSource;
  readonly #cache: ActivationCache;
  readonly #pool = new ArrayPool();
  #trial: CacheTrial | undefined;

  constructor(source: DissectionSource, cache: ActivationCache) {
    this.#source = source;
    this.#cache = cache;
  }

  /** Left out where nothing was tried, because there was no room or a resumed pass was past it. */
  get trial(): CacheTrial | undefined {
    return this.#trial;
  }

  /**
   * The batches of a first pass that has taken `taken` pictures before. Where the cache is behind that, it has stopped
   * growing: it holds the first pictures without a gap or none.
   */
  async *activations(
    numbers: readonly number[],
    taken: number,
    signal: AbortSignal,
  ): AsyncGenerator<ActivationBatch, void, undefined> {
    const [source, cache] = [this.#source, this.#cache];
    const room = cache.count === taken ? Math.max(0, cache.room - taken) : 0;
    const trial = numbers.slice(0, Math.min(room, TRIAL_PICTURES));
    const costs = { disk: 0, network: 0 };
    let isKept = trial.length > 0;
    if (isKept) {
      isKept = yield* this.#keep(trial, signal, costs);
      if (isKept) {
        this.#trial = await this.#judge(taken, costs);
        isKept = this.#trial.disk < this.#trial.network;
      }
    }
    const end = isKept ? Math.min(room, numbers.length) : trial.length;
    if (end > trial.length) yield* this.#keep(numbers.slice(trial.length, end), signal, costs);
    if (end < numbers.length) yield* source.activations(numbers.slice(end), signal);
  }

  /** Whether all of it could be kept. */
  async *#keep(
    numbers: readonly number[],
    signal: AbortSignal,
    costs: { disk: number; network: number },
  ): AsyncGenerator<ActivationBatch, boolean, undefined> {
    let isKept = true;
    let before = performance.now();
    for await (const batch of this.#source.labelled(numbers, signal)) {
      const made = performance.now();
      costs.network += made - before;
      if (isKept && batch.numbers.length > 0) isKept = await this.#cache.append(batch);
      costs.disk += performance.now() - made;
      yield batch;
      before = performance.now();
    }
    return isKept;
  }

  async #judge(taken: number, { disk, network }: CacheTrial): Promise<CacheTrial> {
    const start = performance.now();
    await this.#cache.sync();
    const { count } = this.#cache;
    for (let i = taken; i < count; i += BATCH_SIZE)
      this.#giveBack(await this.#cache.read(i, Math.min(i + BATCH_SIZE, count), this.#pool));
    const pictures = Math.max(1, count - taken);
    return { disk: (disk + performance.now() - start) / pictures, network: network / pictures };
  }

  /**
   * The batches of a second pass: from the cache as far as it goes, then from the source.
   *
   * @param numbers those of the pass that are left, behind `before`
   * @param before those that are done, in the same order
   * @param skipped those that the first pass could not use
   */
  async *labelled(
    numbers: readonly number[],
    before: readonly number[],
    skipped: readonly SkippedExample[],
    signal: AbortSignal,
  ): AsyncGenerator<LabelledBatch, void, undefined> {
    const unused = new Map(skipped.map((example) => [example.number, example]));
    const isUsed = (number: number) => !unused.has(number);
    const cached = this.#cached(numbers, before.filter(isUsed).length, unused);
    let done = 0;
    for await (const batch of readAhead(cached)) {
      throwIfAborted(signal);
      done += batch.numbers.length + batch.skipped.length;
      yield batch;
      this.#giveBack(batch);
    }
    if (done < numbers.length) yield* this.#source.labelled(numbers.slice(done), signal);
  }

  #giveBack({ activations, labels }: Pick<LabelledBatch, 'activations' | 'labels'>): void {
    this.#pool.give(activations.data, labels.pixelLabels.data);
  }

  async *#cached(
    numbers: readonly number[],
    first: number,
    unused: ReadonlyMap<number, SkippedExample>,
  ): AsyncGenerator<LabelledBatch, void, undefined> {
    let place = first;
    for (let start = 0; start < numbers.length && place < this.#cache.count; start += BATCH_SIZE) {
      const chosen = numbers.slice(start, start + BATCH_SIZE);
      const used = chosen.filter((number) => !unused.has(number));
      // The last batch must not reach past what is there.
      if (place + used.length > this.#cache.count) return;
      const skipped = chosen.flatMap((number) => unused.get(number) ?? []);
      const read = await this.#cache.read(place, place + used.length, this.#pool);
      yield { numbers: used, skipped, ...read };
      place += used.length;
    }
  }
}
