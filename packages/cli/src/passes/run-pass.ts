import type { SkippedExample } from '@unitscope/data';
import { numbersOf } from './identity.js';
import type { Pass } from './saved-pass.js';

export interface PassOptions {
  /** Where the state is saved now and then, and at the end. */
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, total: number) => void;
}

// A killed run loses the work since its last save; a save costs as much as a few pictures.
const SAVE_EVERY_MS = 5000;

/** A part of the pictures: those that could be used, with what a pass needs of them, and the others. */
export interface PassBatch {
  readonly numbers: readonly number[];
  readonly skipped: readonly SkippedExample[];
}

/**
 * Goes on with a pass to its end, saving now and then. What was done is saved too when it fails or is interrupted between
 * two batches.
 */
export async function runPass<Batch extends PassBatch>(
  pass: Pass,
  stream: (numbers: readonly number[], signal: AbortSignal) => AsyncIterable<Batch>,
  { signal, onProgress }: Omit<PassOptions, 'folder'>,
  { take, save }: { take: (batch: Batch) => Promise<void>; save: () => Promise<void> },
): Promise<void> {
  const numbers = numbersOf(pass.shard, pass.identity.count);
  onProgress(pass.done, numbers.length);
  let saved = performance.now();
  // Whether the state is a sound one that is not yet on the disk; between the parts of a batch it is not sound.
  // A shard without pictures is saved as one that is done.
  let isNews = numbers.length === 0;
  try {
    for await (const batch of stream(numbers.slice(pass.done), signal)) {
      isNews = false;
      if (batch.numbers.length > 0) await take(batch);
      pass.done += batch.numbers.length + batch.skipped.length;
      pass.skipped.push(...batch.skipped);
      isNews = true;
      onProgress(pass.done, numbers.length);
      if (performance.now() - saved < SAVE_EVERY_MS) continue;
      await save();
      saved = performance.now();
      isNews = false;
    }
  } finally {
    // An error or an interrupt loses nothing of what was done before it.
    if (isNews) await save();
  }
}
