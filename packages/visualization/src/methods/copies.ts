import type { PullbackResult } from '@unitscope/model';
import { sizeOf, type Tensor } from '@unitscope/tensor';
import type { BackwardPass, Passes } from './passes.js';

/** Perturbed copies of every picture of a batch. */
export interface Copies {
  /** Of each picture. */
  readonly count: number;
  /** Writes a copy of a picture, [C, H, W], into `target`. Asked for in the order of the copies, all pictures of one. */
  readonly write: (target: Float32Array, sample: number, copy: number) => void;
}

interface Group {
  readonly samples: readonly number[];
  readonly copies: readonly number[];
}

/**
 * Sends copies of every picture through a forward and a backward pass and hands over each signal that arrives. Copies
 * are made and signals taken while the network runs, in the memory of two runs whatever the number of copies.
 */
export async function passCopies(
  passes: Passes,
  batch: Tensor,
  pass: BackwardPass,
  copies: Copies,
  receive: (signal: Float32Array, sample: number, copy: number) => void,
): Promise<void> {
  const size = await passes.batchSize(pass);
  const take = ({ signal: { dims, data } }: PullbackResult, { samples, copies: numbers }: Group) => {
    const length = sizeOf(dims.slice(1));
    for (const [i, sample] of samples.entries()) {
      receive(data.subarray(i * length, (i + 1) * length), sample, numbers[i]!);
    }
  };
  await inGroups(passes, batch, size, copies, (group, pictures) => group.run(pictures, pass), take);
}

/** As `passCopies`, but forward only: hands over the score of each copy. */
export async function scoreCopies(
  passes: Passes,
  batch: Tensor,
  copies: Copies,
  receive: (score: number, sample: number, copy: number) => void,
): Promise<void> {
  const take = (scores: readonly number[], { samples, copies: numbers }: Group) => {
    for (const [i, sample] of samples.entries()) receive(scores[i]!, sample, numbers[i]!);
    passes.advance(samples.length);
  };
  const { batchSize } = passes.model;
  await inGroups(passes, batch, batchSize, copies, (group, pictures) => group.scores(pictures), take);
}

async function inGroups<R>(
  passes: Passes,
  batch: Tensor,
  size: number,
  { count, write }: Copies,
  run: (group: Passes, pictures: Tensor) => Promise<R>,
  take: (result: R, group: Group) => void,
): Promise<void> {
  const [pictures = 0, ...rest] = batch.dims;
  const length = sizeOf(rest);
  const total = pictures * count;
  passes.expect(count);
  // One is read by the network while the other is written.
  const buffers = [0, 1].map(() => new Float32Array(Math.min(size, total) * length));
  let pending: { readonly group: Group; readonly result: Promise<R> } | undefined;
  const finish = async () => {
    if (pending === undefined) return;
    const { group, result } = pending;
    take(await result, group);
  };
  for (let start = 0, turn = 0; start < total; start += size, turn ^= 1) {
    const numbers = Array.from({ length: Math.min(size, total - start) }, (_, i) => start + i);
    const group: Group = {
      samples: numbers.map((number) => number % pictures),
      copies: numbers.map((number) => Math.floor(number / pictures)),
    };
    const buffer = buffers[turn]!;
    for (const [i, sample] of group.samples.entries()) {
      write(buffer.subarray(i * length, (i + 1) * length), sample, group.copies[i]!);
    }
    const data = buffer.subarray(0, numbers.length * length);
    const result = run(passes.of(group.samples), { dims: [numbers.length, ...rest], data });
    // Whoever awaits it sees the rejection; if the group before fails first, nobody awaits this one.
    result.catch(() => {});
    await finish();
    pending = { group, result };
  }
  await finish();
}
