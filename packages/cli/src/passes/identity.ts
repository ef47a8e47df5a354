import { UnitscopeError } from '@unitscope/tensor';

/** JSON of a plain value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * What a run over a data set is of, as plain data that are the same on every machine. Saved with every state: a state of
 * another run is refused.
 */
export interface RunIdentity {
  /** Model, data, and how they are used, as results say it. */
  readonly record: { readonly [key: string]: Json };
  /** Pictures of the data set. */
  readonly count: number;
}

/** The part of a data set that a run is over: the pictures floor((index - 1) n / of) to floor(index n / of). */
export interface Shard {
  /** From 1. */
  readonly index: number;
  readonly of: number;
}

export const WHOLE: Shard = { index: 1, of: 1 };

/** Numbers of a shard's pictures. */
export function numbersOf({ index, of }: Shard, count: number): number[] {
  const start = Math.floor(((index - 1) * count) / of);
  const end = Math.floor((index * count) / of);
  return Array.from({ length: end - start }, (_, i) => start + i);
}

/** Throws `wrong-use`, saying what differs, unless a saved state is of this run. */
export function requireSameRun(path: string, saved: RunIdentity, own: RunIdentity): void {
  const differing = firstDifference(saved, own, '');
  if (differing === undefined) return;
  throw new UnitscopeError(
    'wrong-use',
    `${path} belongs to another run: its ${differing}; choose another folder, or run it as before`,
    { subject: path },
  );
}

/** Where two plain values differ first, in words. */
function firstDifference(saved: unknown, own: unknown, name: string): string | undefined {
  if (isRecord(saved) && isRecord(own)) {
    for (const key of new Set([...Object.keys(saved), ...Object.keys(own)])) {
      const found = firstDifference(
        saved[key],
        own[key],
        // What is in the record is named as in the results.
        name === '' || name === 'record' ? key : `${name} ${key}`,
      );
      if (found !== undefined) return found;
    }
    return undefined;
  }
  const [a, b] = [saved, own].map((value) => JSON.stringify(value) ?? 'nothing');
  return a === b ? undefined : `${name} is ${shorten(a!)}, not ${shorten(b!)}`;
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
