import { readFile } from 'node:fs/promises';
import type { SkippedExample } from '@unitscope/data';
import { decodeState, encodeState, type StateReader, type StateValue } from '@unitscope/metrics';
import { reasonOf, UnitscopeError, writeFileAtomic } from '@unitscope/tensor';
import { z } from 'zod';
import { numbersOf, type RunIdentity, requireSameRun, type Shard } from './identity.js';

/** How far a pass over the pictures of a shard has come. */
export interface Pass<Identity extends RunIdentity = RunIdentity> {
  readonly identity: Identity;
  readonly shard: Shard;
  /** Pictures of the shard that are done, from its first on. */
  done: number;
  /** Those that could not be used. */
  readonly skipped: SkippedExample[];
}

export function isComplete({ identity, shard, done }: Pass): boolean {
  return done === numbersOf(shard, identity.count).length;
}

const identitySchema = z.object({ record: z.record(z.string(), z.json()), count: z.int().positive() });

/** The identity of a pass that says no more than every pass does. Throws `bad-file` for a damaged one. */
export function readRunIdentity(state: StateReader): RunIdentity {
  try {
    return identitySchema.parse(JSON.parse(state.string()));
  } catch {
    throw state.bad('is damaged');
  }
}

/** Saves a pass with what it has gathered. */
export async function savePass(
  path: string,
  { identity, shard, done, skipped }: Pass,
  gathered: { readonly [key: string]: StateValue },
): Promise<void> {
  const state = {
    identity: JSON.stringify(identity),
    shard: [shard.index, shard.of],
    done,
    skipped: skipped.map(({ number, id, reason }) => [number, id, reason]),
    ...gathered,
  };
  await writeFileAtomic(path, encodeState(state));
}

/**
 * A pass that was saved, and the state to take what it gathered from; undefined where there is no such file. Throws
 * `bad-file` for a damaged one.
 */
export async function readPass<Identity extends RunIdentity>(
  path: string,
  readIdentity: (state: StateReader) => Identity,
): Promise<{ pass: Pass<Identity>; state: StateReader } | undefined> {
  const state = await read(path);
  if (state === undefined) return undefined;
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
  return { pass: { identity, shard, done, skipped }, state };
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

/** Throws `wrong-use` unless a saved pass is of this run and shard, and the user wants to go on with it. */
export function requireResumable(
  path: string,
  pass: Pass | undefined,
  own: { readonly identity: RunIdentity; readonly shard: Shard; readonly resume: boolean },
): void {
  if (pass === undefined) return;
  requireSameRun(path, pass.identity, own.identity);
  const refuse = (why: string) =>
    new UnitscopeError('wrong-use', `${path} ${why}, or choose another folder`, { subject: path });
  const { index, of } = own.shard;
  if (pass.shard.index !== index || pass.shard.of !== of)
    throw refuse(`is of shard ${pass.shard.index}/${pass.shard.of}, not ${index}/${of}; name that one`);
  if (own.resume) return;
  const what = isComplete(pass) ? 'a finished pass' : 'a run that was stopped';
  throw refuse(`holds ${what}; go on with it by --resume`);
}
