import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, parse } from 'node:path';
import { reasonOf, UnitscopeError } from '@unitscope/tensor';
import { readClassNames } from './class-names.js';
import type { Annotation, DataSet, Example, LabelTable } from './data-set.js';
import { type NumberPicture, readNumberPicture } from './index-picture.js';
import { layerOf } from './label-layer.js';

/** Names of classes that stand for pixels nobody labelled. */
const NO_LABEL = /^(unlabell?ed|void|background|ignore|none)$/i;
const PICTURE = /\.(jpe?g|png|webp|gif|tiff?|avif)$/i;
const CATEGORY = 'object';

/**
 * A folder of pictures with index masks, as CamVid comes: `images/` and `masks/` with files of the same name (masks are
 * PNG), and the names of the classes in `classes.json` (`["sky", …]` or `{"classes": […]}`) or `classes.txt`. The value
 * of a mask pixel is the index of a class; classes named unlabelled, void, background, ignore or none are no label. The
 * category of all labels is `object`, their indices are those of the classes plus 1.
 *
 * Throws `not-found` or `bad-file` for a folder that is not so. A mask of another size than its picture, a value without
 * a class and a damaged mask are `bad-file` when the picture is read.
 */
export async function readIndexMasks(folder: string): Promise<DataSet> {
  const classes = await classesOf(folder);
  const pictures = await filesOf(join(folder, 'images'), PICTURE);
  const masks = new Map(
    (await filesOf(join(folder, 'masks'), /\.png$/i)).map((file) => [parse(file).name, file]),
  );
  const labels = classes.flatMap((name, index) =>
    NO_LABEL.test(name) ? [] : [{ index: index + 1, name, category: CATEGORY }],
  );
  const table: LabelTable = { categories: [CATEGORY], labels, pixelLayers: [CATEGORY], imageLayers: [] };
  const hash = createHash('sha256').update(JSON.stringify(table));
  const labelOf = Int32Array.from(classes, (name, index) => (NO_LABEL.test(name) ? 0 : index + 1));
  const examples: Example[] = [];
  for (const file of pictures) {
    const mask = masks.get(parse(file).name);
    if (mask === undefined) {
      throw new UnitscopeError(
        'not-found',
        `${join(folder, 'images', file)} has no mask; expected ${join(folder, 'masks', `${parse(file).name}.png`)}`,
        { subject: file },
      );
    }
    const [path, maskPath] = [join(folder, 'images', file), join(folder, 'masks', mask)];
    const sizes = await Promise.all([path, maskPath].map(async (each) => (await stat(each)).size));
    hash.update(JSON.stringify([file, ...sizes]));
    examples.push({
      id: file,
      path,
      annotate: async () => annotationOf(await readNumberPicture(maskPath), maskPath, labelOf),
    });
  }
  if (examples.length === 0)
    throw new UnitscopeError('bad-file', `${join(folder, 'images')} holds no pictures`, { subject: folder });
  return {
    format: 'index-masks',
    path: folder,
    table,
    landmarkNames: [],
    objectCategories: [],
    examples,
    sha256: hash.digest('hex'),
  };
}

function annotationOf(
  { width, height, channels, data }: NumberPicture,
  path: string,
  labelOf: Int32Array,
): Annotation {
  if (channels !== 1) {
    throw new UnitscopeError(
      'bad-file',
      `mask ${path} has ${channels} channels; an index mask is grey or has a palette`,
      { subject: path },
    );
  }
  let stray = 0;
  while (stray < data.length && data[stray]! < labelOf.length) stray++;
  if (stray < data.length) {
    throw new UnitscopeError(
      'bad-file',
      `mask ${path} has the value ${data[stray]} at row ${Math.floor(stray / width)}, column ${stray % width}; ` +
        `there are ${labelOf.length} classes, counted from 0`,
      { subject: path },
    );
  }
  const layer = layerOf({ width, height }, (pixel) => labelOf[data[pixel]!]!);
  return { pixelLabels: [layer], imageLabels: [], objects: [] };
}

async function classesOf(folder: string): Promise<readonly string[]> {
  const files = await namesIn(folder);
  if (files.includes('classes.json')) {
    const path = join(folder, 'classes.json');
    const value: unknown = await readFile(path, 'utf8')
      .then((text) => JSON.parse(text))
      .catch((cause: unknown) => {
        throw new UnitscopeError('bad-file', `${path} is not JSON: ${reasonOf(cause)}`, {
          subject: path,
          cause,
        });
      });
    const list = typeof value === 'object' && value !== null && 'classes' in value ? value.classes : value;
    if (Array.isArray(list) && list.length > 0 && list.every((name) => typeof name === 'string')) return list;
    throw new UnitscopeError('bad-file', `${path} must be a list of class names, ["sky", "road"]`, {
      subject: path,
    });
  }
  if (files.includes('classes.txt')) return readClassNames(join(folder, 'classes.txt'));
  throw new UnitscopeError(
    'not-found',
    `${folder} has neither classes.json nor classes.txt; a data set of index masks names its classes there`,
    { subject: folder },
  );
}

/** Files of the folder whose names match, sorted by code points, so that every machine has the same order. */
async function filesOf(folder: string, pattern: RegExp): Promise<string[]> {
  const names = (await namesIn(folder)).filter((name) => pattern.test(name) && !name.startsWith('.'));
  return names.sort((a, b) => (a < b ? -1 : 1));
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((cause: unknown) => {
    throw new UnitscopeError('not-found', `cannot read folder ${folder}: ${reasonOf(cause)}`, {
      subject: folder,
      cause,
    });
  });
}
