import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  readNpz,
  reasonOf,
  type Tensor,
  type TensorData,
  UnitscopeError,
  writeFileAtomic,
  writeNpz,
} from '@unitscope/tensor';
import type { TrainerState } from './trainer.js';

const CHECKPOINT_FILE = 'checkpoint.npz';
const META = 'meta';
const BEST = 'best/';
const CURRENT = 'current/';

/** A point of a run from which it can go on. */
export interface Checkpoint {
  /** What the run is of, as text; another run's checkpoint is refused. */
  readonly identity: string;
  /** Epochs done. */
  readonly epoch: number;
  /** Batches done of the epoch under way. */
  readonly batch: number;
  /** What has been counted of that epoch. */
  readonly tally: readonly number[];
  readonly state: TrainerState;
  readonly best: Best | undefined;
}

/** The best epoch so far by the measure that early stopping watches. */
export interface Best {
  readonly epoch: number;
  readonly value: number;
  readonly state: TrainerState;
}

interface Meta {
  readonly identity: string;
  readonly epoch: number;
  readonly batch: number;
  readonly step: number;
  readonly tally: readonly number[];
  readonly best: { readonly epoch: number; readonly value: number; readonly step: number } | null;
}

export function checkpointPath(folder: string): string {
  return join(folder, CHECKPOINT_FILE);
}

/** Writes a checkpoint, whole or not at all: one `.npz` file of all arrays, and what is said about them as JSON bytes. */
export async function writeCheckpoint(folder: string, checkpoint: Checkpoint): Promise<void> {
  const { identity, epoch, batch, tally, state, best } = checkpoint;
  const meta: Meta = {
    ...{ identity, epoch, batch, tally },
    step: state.step,
    best: best === undefined ? null : { epoch: best.epoch, value: best.value, step: best.state.step },
  };
  const text = new TextEncoder().encode(JSON.stringify(meta));
  const arrays = new Map<string, Tensor<TensorData>>([[META, { dims: [text.length], data: text }]]);
  const add = (prefix: string, { arrays: own }: TrainerState) => {
    for (const [name, data] of own) {
      arrays.set(`${prefix}${encodeURIComponent(name)}`, { dims: [data.length], data });
    }
  };
  add(CURRENT, state);
  if (best !== undefined) add(BEST, best.state);
  await writeFileAtomic(checkpointPath(folder), writeNpz(arrays));
}

/** The checkpoint of a folder; undefined where there is none. Throws `bad-file` for one that is damaged. */
export async function readCheckpoint(folder: string): Promise<Checkpoint | undefined> {
  const path = checkpointPath(folder);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new UnitscopeError('not-found', `cannot read ${path}: ${reasonOf(cause)}`, {
      subject: path,
      cause,
    });
  }
  const arrays = readNpz(bytes, path);
  const meta = parseMeta(arrays.get(META)?.data, path);
  const stateOf = (prefix: string, step: number): TrainerState => ({
    step,
    arrays: new Map(
      [...arrays].flatMap(([name, { data }]) =>
        name.startsWith(prefix) && data instanceof Float32Array
          ? [[decodeURIComponent(name.slice(prefix.length)), data] as const]
          : [],
      ),
    ),
  });
  const { identity, epoch, batch, tally, step, best } = meta;
  return {
    ...{ identity, epoch, batch, tally },
    state: stateOf(CURRENT, step),
    best:
      best === null ? undefined : { epoch: best.epoch, value: best.value, state: stateOf(BEST, best.step) },
  };
}

function parseMeta(data: TensorData | undefined, path: string): Meta {
  const bad = () =>
    new UnitscopeError(
      'bad-file',
      `${path} is no checkpoint of a training; remove it or choose another folder`,
      {
        subject: path,
      },
    );
  if (!(data instanceof Uint8Array)) throw bad();
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(data));
  } catch {
    throw bad();
  }
  if (!isMeta(value)) throw bad();
  return value;
}

function isMeta(value: unknown): value is Meta {
  if (typeof value !== 'object' || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  const best = fields.get('best');
  const isBest =
    best === null || (typeof best === 'object' && 'epoch' in best && 'value' in best && 'step' in best);
  const tally = fields.get('tally');
  return (
    typeof fields.get('identity') === 'string' &&
    ['epoch', 'batch', 'step'].every((name) => Number.isInteger(fields.get(name))) &&
    Array.isArray(tally) &&
    tally.every((item) => typeof item === 'number') &&
    isBest
  );
}
