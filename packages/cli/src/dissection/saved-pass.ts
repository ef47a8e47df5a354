import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SkippedExample } from '@unitscope/data';
import {
  decodeState,
  encodeState,
  placeCells,
  type StateReader,
  type StateValue,
  TopPictures,
  UnitCounts,
  type UnitCountsOptions,
  UnitThresholds,
} from '@unitscope/metrics';
import { reasonOf, UnitscopeError, writeFileAtomic } from '@unitscope/tensor';
import { type Identity, numbersOf, readIdentity, type Shard } from './identity.js';

/** How far a pass over the pictures of a shard has come. */
export interface Pass {
  readonly identity: Identity;
  readonly shard: Shard;
  /** Pictures of the shard that are done, from its first on. */
  done: number;
  /** Those that could not be used. */
  readonly skipped: SkippedExample[];
}

/** The first pass: thresholds, and which pictures are a unit's strongest. */
export interface ThresholdPass extends Pass {
  readonly thresholds: UnitThresholds;
  readonly top: TopPictures;
}

/** The second pass: counts under the thresholds of all shards. */
export interface CountPass extends Pass {
  readonly thresholds: Float64Array;
  readonly counts: UnitCounts;
}

export const THRESHOLDS_FILE = 'thresholds.npz';
export const COUNTS_FILE = 'counts.npz';

const TOP_PICTURES = 10;

export function isComplete({ identity, shard, done }: Pass): boolean {
  return done === numbersOf(shard, identity.count).length;
}

export function startThresholds(identity: Identity, shard: Shard): ThresholdPass {
  const { units, count, geometry, parameters } = identity;
  const [height, width] = parameters.quantileOver === 'map' ? geometry.cells : geometry.pixels;
  const thresholds = UnitThresholds.start({ units, atMost: count * height * width, parameters });
  return { identity, shard, done: 0, skipped: [], thresholds, top: new TopPictures(units, TOP_PICTURES) };
}

export function startCounts(identity: Identity, shard: Shard, thresholds: Float64Array): CountPass {
  const counts = new UnitCounts(countingOf(identity, thresholds));
  return { identity, shard, done: 0, skipped: [], thresholds, counts };
}

function countingOf(identity: Identity, thresholds: Float64Array): UnitCountsOptions {
  const { table, parameters, geometry } = identity;
  return { thresholds, table, placement: placeCells(parameters, geometry), parameters };
}

export async function saveThresholds(folder: string, pass: ThresholdPass): Promise<void> {
  await save(join(folder, THRESHOLDS_FILE), pass, {
    thresholds: pass.thresholds.toState(),
    top: pass.top.toState(),
  });
}

export async function saveCounts(folder: string, pass: CountPass): Promise<void> {
  await save(join(folder, COUNTS_FILE), pass, {
    thresholds: pass.thresholds,
    counts: pass.counts.toState(),
  });
}

async function save(path: string, pass: Pass, own: { readonly [key: string]: StateValue }): Promise<void> {
  const { identity, shard, done, skipped } = pass;
  const state = {
    identity: JSON.stringify(identity),
    shard: [shard.index, shard.of],
    done,
    skipped: skipped.map(({ number, id, reason }) => [number, id, reason]),
    ...own,
  };
  await writeFileAtomic(path, encodeState(state));
}

/** The first pass saved in a folder, or undefined. Throws `bad-file` for a damaged one. */
export async function readThresholds(folder: string): Promise<ThresholdPass | undefined> {
  const state = await read(join(folder, THRESHOLDS_FILE));
  return state === undefined
    ? undefined
    : {
        ...passOf(state),
        thresholds: UnitThresholds.fromState(state.get('thresholds')),
        top: TopPictures.fromState(state.get('top')),
      };
}

/** The second pass saved in a folder, or undefined. Throws `bad-file` for a damaged one. */
export async function readCounts(folder: string): Promise<CountPass | undefined> {
  const state = await read(join(folder, COUNTS_FILE));
  if (state === undefined) return undefined;
  const pass = passOf(state);
  const thresholds = state.get('thresholds').array(Float64Array, pass.identity.units);
  const counts = UnitCounts.fromState(state.get('counts'), countingOf(pass.identity, thresholds));
  return { ...pass, thresholds, counts };
}

async function read(path: string): Promise<StateReader | undefined> {
  try {
    return decodeState(await readFile(path), path);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    if (cause instanceof UnitscopeError) throw cause;
    throw new UnitscopeError('bad-file', `cannot read ${path}: ${reasonOf(cause)}`, { subject: path, cause });
  }
}

function passOf(state: StateReader): Pass {
  const identity = readIdentity(state.get('identity'));
  const [index = 0, of = 0] = state
    .get('shard')
    .list()
    .map((number) => number.count());
  if (index < 1 || index > of) throw state.get('shard').bad('is not a shard');
  const shard = { index, of };
  const done = state.get('done').count();
  if (done > numbersOf(shard, identity.count).length) throw state.get('done').bad('is more than there is');
  const skipped = state
    .get('skipped')
    .list()
    .map((entry): SkippedExample => {
      const [number, id, reason] = entry.list();
      if (number === undefined || id === undefined || reason === undefined) throw entry.bad('is incomplete');
      return { number: number.count(), id: id.string(), reason: reason.string() };
    });
  return { identity, shard, done, skipped };
}
