import { join } from 'node:path';
import {
  placeCells,
  TopPictures,
  UnitCounts,
  type UnitCountsOptions,
  UnitThresholds,
} from '@unitscope/metrics';
import type { Shard } from '../passes/identity.js';
import { type Pass, readPass, savePass } from '../passes/saved-pass.js';
import { type Identity, readIdentity } from './identity.js';

/** The first pass: thresholds, and which pictures are a unit's strongest. */
export interface ThresholdPass extends Pass<Identity> {
  readonly thresholds: UnitThresholds;
  readonly top: TopPictures;
}

/** The second pass: counts under the thresholds of all shards. */
export interface CountPass extends Pass<Identity> {
  readonly thresholds: Float64Array;
  readonly counts: UnitCounts;
}

export const THRESHOLDS_FILE = 'thresholds.npz';
export const COUNTS_FILE = 'counts.npz';

const TOP_PICTURES = 10;

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
  await savePass(join(folder, THRESHOLDS_FILE), pass, {
    thresholds: pass.thresholds.toState(),
    top: pass.top.toState(),
  });
}

export async function saveCounts(folder: string, pass: CountPass): Promise<void> {
  await savePass(join(folder, COUNTS_FILE), pass, {
    thresholds: pass.thresholds,
    counts: pass.counts.toState(),
  });
}

/** The first pass saved in a folder, or undefined. Throws `bad-file` for a damaged one. */
export async function readThresholds(folder: string): Promise<ThresholdPass | undefined> {
  const saved = await readPass(join(folder, THRESHOLDS_FILE), readIdentity);
  return saved === undefined
    ? undefined
    : {
        ...saved.pass,
        thresholds: UnitThresholds.fromState(saved.state.get('thresholds')),
        top: TopPictures.fromState(saved.state.get('top')),
      };
}

/** The second pass saved in a folder, or undefined. Throws `bad-file` for a damaged one. */
export async function readCounts(folder: string): Promise<CountPass | undefined> {
  const saved = await readPass(join(folder, COUNTS_FILE), readIdentity);
  if (saved === undefined) return undefined;
  const { pass, state } = saved;
  const thresholds = state.get('thresholds').array(Float64Array, pass.identity.units);
  const counts = UnitCounts.fromState(state.get('counts'), countingOf(pass.identity, thresholds));
  return { ...pass, thresholds, counts };
}
