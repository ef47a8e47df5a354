import {
  CONVENTIONS,
  conceptsOf,
  type DissectionParameters,
  type LabelTable,
  type MapGeometry,
  type StateReader,
} from '@unitscope/metrics';
import { reasonOf } from '@unitscope/tensor';
import { z } from 'zod';
import type { RunIdentity } from '../passes/identity.js';
import type { DissectionSource } from './source.js';

/** What a dissection is of: enough to merge its shards without network and data. */
export interface Identity extends RunIdentity {
  readonly parameters: DissectionParameters;
  readonly units: number;
  readonly geometry: MapGeometry;
  readonly table: LabelTable;
}

export function identityOf(source: DissectionSource, parameters: DissectionParameters): Identity {
  const { record, units, count, geometry, table } = source;
  const { categories, labels } = table;
  return ordered({ record, parameters, units, count, geometry, table: { categories, labels } });
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

/** The identity with its fields in one order, however it was come by: results write them as they come. */
function ordered(value: unknown): Identity {
  const { geometry, ...rest } = schema.parse(value);
  const { receptiveField, ...known } = geometry;
  return { ...rest, geometry: receptiveField === undefined ? known : { ...known, receptiveField } };
}

/** The identity in a saved state. Throws `bad-file`. */
export function readIdentity(state: StateReader): Identity {
  try {
    const identity = ordered(JSON.parse(state.string()));
    conceptsOf(identity.table);
    return identity;
  } catch (cause) {
    throw state.bad(`is damaged (${reasonOf(cause).split('\n')[0]})`);
  }
}
