import { readdir, stat } from 'node:fs/promises';
import { reasonOf, UnitscopeError } from '@unitscope/tensor';
import type { DataSet } from './data-set.js';
import { readIndexMasks } from './index-masks.js';

/**
 * A data set of any layout that is known, told by what lies in the folder: `images/` and `masks/` for index masks (see
 * `readIndexMasks`). Throws `not-found`, `bad-file` for another layout, and the errors of the reader.
 */
export async function openDataSet(path: string): Promise<DataSet> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new UnitscopeError('not-found', `cannot read data set ${path}: ${reasonOf(cause)}`, {
      subject: path,
      cause,
    });
  });
  const names = found.isDirectory() ? await readdir(path) : [];
  if (names.includes('images') && names.includes('masks')) return readIndexMasks(path);
  throw new UnitscopeError(
    'bad-file',
    `${path} is no data set of a known layout; index masks are a folder with images/, masks/ and classes.json`,
    { subject: path },
  );
}
