import { readFile, stat } from 'node:fs/promises';
import { readNpy, reasonOf, UnitscopeError } from '@unitscope/tensor';
import { isComplete } from '../passes/saved-pass.js';
import type { Identity } from './identity.js';
import { readThresholds, type ThresholdPass } from './saved-pass.js';

/**
 * Thresholds that were made before: a merged folder of all shards, or an `.npy` file of one number for each unit. Throws
 * `bad-input` where they are of other units, `wrong-use` for a folder that is not yet of all pictures.
 */
export async function readThresholdFile(
  path: string,
  { units }: Pick<Identity, 'units'>,
): Promise<{ thresholds: Float64Array; pass?: ThresholdPass }> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new UnitscopeError('not-found', `cannot read thresholds ${path}: ${reasonOf(cause)}`, {
      subject: path,
      cause,
    });
  });
  if (!found.isDirectory()) {
    const { dims, data } = readNpy(await readFile(path), path);
    if ((!(data instanceof Float64Array) && !(data instanceof Float32Array)) || data.length !== units) {
      throw new UnitscopeError(
        'bad-input',
        `${path} must hold ${units} numbers, one for each unit; its dims are [${dims.join(', ')}]`,
        { subject: path },
      );
    }
    return { thresholds: Float64Array.from(data) };
  }
  const pass = await readThresholds(path);
  if (pass === undefined || !isComplete(pass) || pass.shard.of !== 1) {
    throw new UnitscopeError(
      'wrong-use',
      `${path} holds no thresholds of all pictures; merge the shards first: unitscope merge SHARD... --out ${path}`,
      { subject: path },
    );
  }
  return { thresholds: pass.thresholds.result(), pass };
}
