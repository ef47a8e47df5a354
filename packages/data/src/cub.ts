import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { UnitscopeError } from '@unitscope/tensor';
import type { AnnotatedObject, DataSet, Example, Label, LabelTable, Landmark } from './data-set.js';
import { insideFolder } from './paths.js';
import type { Box } from './picture.js';
import { badLine, integerOf, numberOf, type Row, readFieldLines, requireOnce, textOf } from './text-file.js';

export const CUB_SPLITS = ['train', 'test'] as const;

export interface CubOptions {
  /** The pictures that `train_test_split.txt` marks so; all by default, for which the file need not be there. */
  readonly split?: (typeof CUB_SPLITS)[number];
}

const CATEGORY = 'object';

/**
 * A data set in the text files of CUB-200-2011: `images.txt`, `classes.txt`, `image_class_labels.txt`,
 * `bounding_boxes.txt`, `parts/parts.txt`, `parts/part_locs.txt`, `train_test_split.txt`, and the pictures in `images/`.
 *
 * Every picture shows one object, with its box and those parts that are marked as visible. Positions of parts are taken
 * as pixels counted from 0, so that 0, 0 is the middle of the top left pixel; a box begins at the edge of a pixel. Pixels
 * carry no labels; the class is a label of the whole picture, of the category `object` and with the number it has in
 * `classes.txt`, and the category of the object.
 *
 * Throws `not-found`, `bad-file` naming file and line, or a file that says nothing of a picture; `not-found` for a split
 * without pictures.
 */
export async function readCub(folder: string, { split }: CubOptions = {}): Promise<DataSet> {
  const read = (name: string, fields: readonly string[]) =>
    readFieldLines(join(folder, name), fields, "CUB's list");
  const imagesPath = join(folder, 'images.txt');
  const imageRows = await read('images.txt', ['image', 'name']);
  requireOnce(imageRows, 'name');
  const images = byId(imageRows, 'image');
  const classes = byId(await read('classes.txt', ['class', 'name']), 'class');
  const parts = byId(await read('parts/parts.txt', ['part', 'name']), 'part');
  const classOf = byId(await read('image_class_labels.txt', ['image', 'class']), 'image');
  const boxes = byId(await read('bounding_boxes.txt', ['image', 'x', 'y', 'width', 'height']), 'image');
  const locations = await read('parts/part_locs.txt', ['image', 'part', 'x', 'y', 'visible']);
  const isWanted = await wantedBy(folder, split);
  if (images.size === 0)
    throw new UnitscopeError('bad-file', `${imagesPath} lists no pictures`, { subject: imagesPath });

  const labels = new Map(
    [...classes].map(([index, row]): [number, Label] => [
      index,
      { index, name: textOf(row, 'name'), category: CATEGORY },
    ]),
  );
  const table: LabelTable = {
    categories: [CATEGORY],
    labels: [...labels.values()].sort((a, b) => a.index - b.index),
    pixelLayers: [],
    imageLayers: [CATEGORY],
  };
  const landmarksOf = landmarksByImage(locations, images, parts);
  const hash = createHash('sha256').update(JSON.stringify(table));
  const examples: Example[] = [];
  for (const [id, row] of images) {
    if (!isWanted(id)) continue;
    const name = textOf(row, 'name');
    const about = (rows: ReadonlyMap<number, Row>, file: string): Row => {
      const found = rows.get(id);
      if (found !== undefined) return found;
      const path = join(folder, file);
      throw new UnitscopeError('bad-file', `${path} says nothing of picture ${id}, ${name}`, {
        subject: path,
      });
    };
    const label = knownOf(about(classOf, 'image_class_labels.txt'), 'class', labels);
    const object: AnnotatedObject = {
      category: label.name,
      box: boxOf(about(boxes, 'bounding_boxes.txt')),
      landmarks: landmarksOf.get(id) ?? [],
    };
    hash.update(JSON.stringify([name, label.index, object]));
    examples.push({
      id: name,
      path: insideFolder(join(folder, 'images'), name, imagesPath),
      annotate: async () => ({ pixelLabels: [], imageLabels: [label.index], objects: [object] }),
    });
  }
  if (examples.length === 0) {
    throw new UnitscopeError('not-found', `${folder} has no pictures of the split "${split}"`, {
      subject: folder,
      alternatives: CUB_SPLITS,
    });
  }
  return {
    format: 'cub',
    path: folder,
    ...(split === undefined ? {} : { split }),
    table,
    landmarkNames: [...parts.values()].map((row) => textOf(row, 'name')),
    objectCategories: table.labels.map(({ name }) => name),
    examples,
    sha256: hash.digest('hex'),
  };
}

/** Rows by the number in their field `key`, in the order of the file. */
function byId(rows: readonly Row[], key: string): Map<number, Row> {
  const found = new Map<number, Row>();
  for (const row of rows) {
    const id = integerOf(row, key, 1);
    if (found.has(id)) throw badLine(row.path, row.line, `${key} ${id} is given twice`);
    found.set(id, row);
  }
  return found;
}

/** What the number in a field stands for. */
function knownOf<T>(row: Row, key: string, known: ReadonlyMap<number, T>): T {
  const id = integerOf(row, key, 1);
  const found = known.get(id);
  if (found === undefined) throw badLine(row.path, row.line, `there is no ${key} ${id}`);
  return found;
}

function boxOf(row: Row): Box {
  const box = {
    top: numberOf(row, 'y'),
    left: numberOf(row, 'x'),
    height: numberOf(row, 'height'),
    width: numberOf(row, 'width'),
  };
  if (box.height > 0 && box.width > 0) return box;
  throw badLine(row.path, row.line, `the box has no area: ${box.width} x ${box.height}`);
}

function landmarksByImage(
  locations: readonly Row[],
  images: ReadonlyMap<number, Row>,
  parts: ReadonlyMap<number, Row>,
): Map<number, Landmark[]> {
  const found = new Map<number, Landmark[]>([...images.keys()].map((id) => [id, []]));
  const given = new Set<string>();
  for (const row of locations) {
    const list = knownOf(row, 'image', found);
    const name = textOf(knownOf(row, 'part', parts), 'name');
    const key = `${integerOf(row, 'image', 1)} ${integerOf(row, 'part', 1)}`;
    if (given.has(key)) throw badLine(row.path, row.line, `${name} of this picture is given twice`);
    given.add(key);
    const [x, y] = [numberOf(row, 'x'), numberOf(row, 'y')];
    if (integerOf(row, 'visible', 0, 1) === 1) list.push({ name, y, x });
  }
  return found;
}

async function wantedBy(folder: string, split: CubOptions['split']): Promise<(id: number) => boolean> {
  if (split === undefined) return () => true;
  const file = join(folder, 'train_test_split.txt');
  const rows = byId(await readFieldLines(file, ['image', 'train'], "CUB's list"), 'image');
  const wanted = split === 'train' ? 1 : 0;
  return (id) => {
    const row = rows.get(id);
    if (row === undefined)
      throw new UnitscopeError('bad-file', `${file} says nothing of picture ${id}`, { subject: file });
    return integerOf(row, 'train', 0, 1) === wanted;
  };
}
