import {
  CONVENTIONS,
  conceptsOf,
  type DissectionParameters,
  type LabelTable,
  type MapGeometry,
  type StateReader,
} from '@unitscope/metrics';
import { reasonOf, UnitscopeError } from '@unitscope/tensor';
import { z } from 'zod';
import type { DissectionSource, Json } from './source.js';

/** What a run is of. Saved with every state: a state of another run is refused, and shards can be merged without it. */
export interface Identity {
  readonly record: { readonly [key: string]: Json };
  readonly parameters: DissectionParameters;
  readonly units: number;
  readonly count: number;
  readonly geometry: MapGeometry;
  readonly table: LabelTable;
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

export function identityOf(source: DissectionSource, parameters: DissectionParameters): Identity {
  const { record, units, count, geometry, table } = source;
  const { categories, labels } = table;
  return { record, parameters, units, count, geometry, table: { categories, labels } };
}

const pair = z.tuple([z.number(), z.number()]);
const field = z.object({ size: z.number(), stride: z.number(), offset: z.number() });
const schema = z.object({
  record: z.record(z.string(), z.json()),
  parameters: z.object({
    convention: z.enum(CONVENTIONS),
    quantile: z.number(),
    iouThreshold: z.number(),
    quantileMethod: z.enum(['linear', 'hazen']),
    quantileFraction: z.number(),
    quantileOver: z.enum(['map', 'enlarged-map']),
    placement: z.enum(['receptive-field', 'half-pixel', 'zero-padded']),
    area: z.enum(['category', 'category-hit', 'all']),
  }),
  units: z.int().positive(),
  count: z.int().positive(),
  geometry: z.object({
    cells: pair,
    pixels: pair,
    input: pair,
    receptiveField: z.tuple([field, field]).optional(),
  }),
  table: z.object({
    categories: z.array(z.string()),
    labels: z.array(z.object({ index: z.int(), name: z.string(), category: z.string() })),
  }),
});

/** The identity in a saved state. Throws `bad-file`. */
export function readIdentity(state: StateReader): Identity {
  try {
    const { geometry, ...rest } = schema.parse(JSON.parse(state.string()));
    const { receptiveField, ...known } = geometry;
    conceptsOf(rest.table);
    return { ...rest, geometry: receptiveField === undefined ? known : { ...known, receptiveField } };
  } catch (cause) {
    throw state.bad(`is damaged (${reasonOf(cause).split('\n')[0]})`);
  }
}

/** Throws `wrong-use`, saying what differs, unless a saved state is of this run. */
export function requireSameRun(path: string, saved: Identity, own: Identity): void {
  for (const key of ['record', 'parameters', 'units', 'count', 'geometry', 'table'] as const) {
    const differing = firstDifference(saved[key], own[key], key);
    if (differing !== undefined) {
      throw new UnitscopeError(
        'wrong-use',
        `${path} belongs to another run: its ${differing}; choose another folder, or run it as before`,
        { subject: path },
      );
    }
  }
}

/** Where two plain values differ first, in words. */
function firstDifference(saved: unknown, own: unknown, name: string): string | undefined {
  if (isRecord(saved) && isRecord(own)) {
    for (const key of new Set([...Object.keys(saved), ...Object.keys(own)])) {
      const found = firstDifference(saved[key], own[key], name === 'record' ? key : `${name} ${key}`);
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
