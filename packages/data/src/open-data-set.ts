import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf, UnitscopeError } from '@unitscope/tensor';
import { readBroden } from './broden.js';
import { readCoco } from './coco.js';
import { CUB_SPLITS, readCub } from './cub.js';
import type { DataSet } from './data-set.js';
import { readIndexMasks } from './index-masks.js';
import { readLandmarks } from './landmarks.js';
import { readPictureFolder } from './picture-folder.js';

/** One line on how the layouts are told apart. */
export const DATA_SET_LAYOUTS =
  'a folder with images/, masks/ and classes.json, a COCO .json file or its folder, a folder of CUB-200-2011 or Broden, ' +
  'a .csv or .json file of landmarks or its folder';

const COCO_FILE = /^(annotations|instances|person_keypoints).*\.json$/i;
const LANDMARK_FILE = /^landmarks\.(csv|json)$/i;

export interface OpenOptions {
  /** The pictures of one split, where the layout has them: `train`, `test` (CUB-200-2011), `val` (Broden). */
  readonly split?: string;
  /**
   * Whether a folder of none of the layouts is one of pictures without annotations (`readPictureFolder`): for what needs no
   * labels. Not by default.
   */
  readonly unlabelled?: boolean;
}

/**
 * A data set of any layout that is known, told by what lies in the folder: `index.csv` and `label.csv` for Broden (see
 * `readBroden`), `images.txt` and `bounding_boxes.txt` for CUB-200-2011 (`readCub`), `images/` and `masks/` for index
 * masks (`readIndexMasks`), one `.json` file for COCO (`readCoco`), `landmarks.csv` or `landmarks.json` for landmarks
 * (`readLandmarks`). A file that is named itself is of landmarks when it is `.csv` or a JSON list, otherwise COCO.
 *
 * Throws `not-found`, `bad-file` for another layout, `wrong-use` for a split of a layout without splits, and the errors
 * of the reader.
 */
export async function openDataSet(
  path: string,
  { split, unlabelled = false }: OpenOptions = {},
): Promise<DataSet> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new UnitscopeError('not-found', `cannot read data set ${path}: ${reasonOf(cause)}`, {
      subject: path,
      cause,
    });
  });
  const names = found.isDirectory() ? await readdir(path) : [];
  const holds = (...wanted: readonly string[]) => wanted.every((name) => names.includes(name));
  if (holds('index.csv', 'label.csv')) return readBroden(path, split === undefined ? {} : { split });
  if (holds('images.txt', 'bounding_boxes.txt')) return readCub(path, cubOptions(path, split));
  if (split !== undefined) {
    throw new UnitscopeError('wrong-use', `${path} has no splits; those of CUB-200-2011 and Broden have`, {
      subject: path,
    });
  }
  if (!found.isDirectory()) {
    if (/\.csv$/i.test(path)) return readLandmarks(path);
    if (/\.json$/i.test(path)) return (await isJsonList(path)) ? readLandmarks(path) : readCoco(path);
  }
  if (holds('images', 'masks')) return readIndexMasks(path);
  const files = names.filter((name) => COCO_FILE.test(name) || LANDMARK_FILE.test(name));
  if (files.length > 1) {
    throw new UnitscopeError('wrong-use', `${path} holds ${files.join(', ')}; name one of them`, {
      subject: path,
      alternatives: files,
    });
  }
  const [file] = files;
  if (file !== undefined) return (LANDMARK_FILE.test(file) ? readLandmarks : readCoco)(join(path, file));
  const pictures = unlabelled && found.isDirectory() ? await readPictureFolder(path) : undefined;
  if (pictures !== undefined) return pictures;
  const layouts = unlabelled ? `${DATA_SET_LAYOUTS}, or a folder of pictures` : DATA_SET_LAYOUTS;
  throw new UnitscopeError('bad-file', `${path} is no data set of a known layout; give ${layouts}`, {
    subject: path,
  });
}

function cubOptions(path: string, name: string | undefined): Parameters<typeof readCub>[1] {
  if (name === undefined) return {};
  const split = CUB_SPLITS.find((each) => each === name);
  if (split !== undefined) return { split };
  throw new UnitscopeError(
    'not-found',
    `${path} has no split "${name}"; there are: ${CUB_SPLITS.join(', ')}`,
    {
      subject: path,
      alternatives: CUB_SPLITS,
    },
  );
}

/** Whether a JSON file holds a list: told by its beginning, for a COCO file is large. */
async function isJsonList(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(1024), 0, 1024, 0);
    return /^\uFEFF?\s*\[/.test(buffer.toString('utf8', 0, bytesRead));
  } finally {
    await file.close();
  }
}
