import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf, UnitscopeError } from '@unitscope/tensor';
import { readCoco } from './coco.js';
import type { DataSet } from './data-set.js';
import { readIndexMasks } from './index-masks.js';

/** One line on how the layouts are told apart. */
export const DATA_SET_LAYOUTS =
  'a folder with images/, masks/ and classes.json, a COCO .json file or its folder';

const COCO_FILE = /^(annotations|instances|person_keypoints).*\.json$/i;

/**
 * A data set of any layout that is known, told by what lies in the folder: `images/` and `masks/` for index masks (see
 * `readIndexMasks`), one `.json` file for COCO (see `readCoco`). Throws `not-found`, `bad-file` for another layout, and
 * the errors of the reader.
 */
export async function openDataSet(path: string): Promise<DataSet> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new UnitscopeError('not-found', `cannot read data set ${path}: ${reasonOf(cause)}`, {
      subject: path,
      cause,
    });
  });
  if (!found.isDirectory() && path.endsWith('.json')) return readCoco(path);
  const names = found.isDirectory() ? await readdir(path) : [];
  if (names.includes('images') && names.includes('masks')) return readIndexMasks(path);
  const files = names.filter((name) => COCO_FILE.test(name));
  if (files.length > 1) {
    throw new UnitscopeError('wrong-use', `${path} holds ${files.join(', ')}; name one of them`, {
      subject: path,
      alternatives: files,
    });
  }
  if (files[0] !== undefined) return readCoco(join(path, files[0]));
  throw new UnitscopeError('bad-file', `${path} is no data set of a known layout; give ${DATA_SET_LAYOUTS}`, {
    subject: path,
  });
}
