import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf, UnitscopeError, writeFileAtomic } from '@unitscope/tensor';
import type { Evaluation } from './evaluate.js';

const LOG_FILE = 'metrics.jsonl';

/** One line of the log: an epoch. */
export interface EpochRecord {
  /** From 1. */
  readonly epoch: number;
  /** Steps done after it. */
  readonly step: number;
  /** Of its last step. */
  readonly learningRate: number;
  /** While training: each sample by the network as it was then. */
  readonly training: Evaluation;
  readonly validation?: Evaluation;
}

export function metricsPath(folder: string): string {
  return join(folder, LOG_FILE);
}

/** Writes the log of a run, one epoch a line. A run that goes on writes the same bytes as one that never stopped. */
export async function writeMetrics(folder: string, epochs: readonly EpochRecord[]): Promise<void> {
  await writeFileAtomic(metricsPath(folder), epochs.map((epoch) => `${JSON.stringify(epoch)}\n`).join(''));
}

/** The first so many epochs of a log. Throws `not-found` and `bad-file`, naming the line. */
export async function readMetrics(folder: string, count: number): Promise<EpochRecord[]> {
  const path = metricsPath(folder);
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new UnitscopeError('not-found', `cannot read ${path}: ${reasonOf(cause)}`, {
      subject: path,
      cause,
    });
  });
  return text
    .split('\n')
    .filter((line) => line !== '')
    .slice(0, count)
    .map((line, i) => {
      const record: unknown = parse(line);
      if (isRecord(record)) return record;
      throw new UnitscopeError('bad-file', `${path}, line ${i + 1} is no epoch of a training`, {
        subject: path,
      });
    });
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is EpochRecord {
  return (
    typeof value === 'object' && value !== null && 'epoch' in value && 'training' in value && 'step' in value
  );
}
