import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { UnitscopeError } from '@unitscope/tensor';
import { readCsvFile } from './csv-file.js';
import type { Annotation, DataSet, Example, Label, LabelLayer, LabelTable } from './data-set.js';
import { isReduced } from './fit-labels.js';
import { readNumberPicture } from './index-picture.js';
import { layerOf } from './label-layer.js';
import { insideFolder } from './paths.js';
import type { Size } from './picture.js';
import { badLine, fieldOf, integerOf, numberOf, type Row, requireOnce, textOf } from './text-file.js';

export interface BrodenOptions {
  /** `train` or `val` in Broden; all pictures by default. */
  readonly split?: string;
}

// Red and green of a mask: 16 bits.
const MAX_LABEL = 2 ** 16 - 1;
const MAX_SIDE = 2 ** 15;
// Every layer of the deepest picture is one of all pictures, so a stray cell must not ask for gigabytes.
const MAX_DEPTH = 64;
const SIZES = ['ih', 'iw', 'sh', 'sw'] as const;

/** What the index says of a picture's annotation in one category. */
interface Entry {
  /** Paths of masks. */
  readonly masks: readonly string[];
  /** Labels of the whole picture. */
  readonly numbers: readonly number[];
}

interface IndexRow {
  readonly image: string;
  readonly split: string;
  readonly maskSize: Size;
  /** By category, in the order of the table. */
  readonly entries: readonly Entry[];
}

/** Layers of each category. */
interface Depths {
  readonly masks: readonly number[];
  readonly numbers: readonly number[];
}

/**
 * A data set in the layout of Broden (Bau et al., arXiv:1704.05796): `index.csv` of pictures and their annotations,
 * `label.csv`, `category.csv`, `c_CATEGORY.csv`, pictures and masks in `images/`.
 *
 * In the index a category's cell holds masks and numbers with semicolons between them, each a layer of its own: a mask's
 * pixel has the label red + 256 green, a number is a label of the whole picture, 0 is none. A category has as many
 * layers as the picture with the most. A label's category is that in which it covers most, by the `c_CATEGORY.csv` of
 * those that `label.csv` lists for it. Pictures without an annotation are left out.
 *
 * Throws `not-found`, for a split without pictures too, and `bad-file` naming file and line. A mask of another size than
 * the index says, a label that `label.csv` does not list and a damaged mask are `bad-file` when the picture is read.
 */
export async function readBroden(folder: string, { split }: BrodenOptions = {}): Promise<DataSet> {
  const categories = await readCategories(join(folder, 'category.csv'));
  const labels = await readLabels(folder, categories);
  const known = new Set(labels.map(({ index }) => index));
  const indexPath = join(folder, 'index.csv');
  const { rows } = await readCsvFile(indexPath, ['image', 'split', ...SIZES, ...categories], 'index');
  requireOnce(rows, 'image');
  const index = rows
    .map((row) => indexRowOf(row, folder, categories, known))
    .filter(({ entries }) => entries.some(({ masks, numbers }) => masks.length + numbers.length > 0));
  const depths = depthsOf(index, categories.length);
  const layers = (depth: readonly number[]) =>
    categories.flatMap((name, place) => new Array<string>(depth[place]!).fill(name));
  const table: LabelTable = {
    categories,
    labels,
    pixelLayers: layers(depths.masks),
    imageLayers: layers(depths.numbers),
  };
  const isWanted = (name: string) => split === undefined || name === split;
  const examples = index
    .filter((row) => isWanted(row.split))
    .map(
      (row): Example => ({
        id: row.image,
        path: insideFolder(join(folder, 'images'), row.image, indexPath),
        annotate: () => annotationOf(row, depths, known),
      }),
    );
  if (index.length === 0)
    throw new UnitscopeError('bad-file', `${indexPath} lists no annotated pictures`, { subject: indexPath });
  if (examples.length === 0) {
    const splits = [...new Set(index.map((row) => row.split))];
    throw new UnitscopeError(
      'not-found',
      `${indexPath} has no pictures of the split "${split}"; there are: ${splits.join(', ')}`,
      { subject: indexPath, alternatives: splits },
    );
  }
  const hash = createHash('sha256').update(JSON.stringify(table));
  for (const row of rows) if (isWanted(fieldOf(row, 'split'))) hash.update(JSON.stringify(row.values));
  return {
    format: 'broden',
    path: folder,
    ...(split === undefined ? {} : { split }),
    table,
    landmarkNames: [],
    objectCategories: [],
    examples,
    sha256: hash.digest('hex'),
  };
}

async function readCategories(path: string): Promise<string[]> {
  const { rows } = await readCsvFile(path, ['name'], 'category list');
  requireOnce(rows, 'name');
  if (rows.length === 0)
    throw new UnitscopeError('bad-file', `${path} lists no categories`, { subject: path });
  return rows.map((row) => textOf(row, 'name'));
}

function depthsOf(index: readonly IndexRow[], categories: number): Depths {
  const most = (count: (entry: Entry) => number) =>
    Array.from({ length: categories }, (_, place) =>
      index.reduce((depth, { entries }) => Math.max(depth, count(entries[place]!)), 0),
    );
  return { masks: most(({ masks }) => masks.length), numbers: most(({ numbers }) => numbers.length) };
}

function indexRowOf(
  row: Row,
  folder: string,
  categories: readonly string[],
  known: ReadonlySet<number>,
): IndexRow {
  const [ih, iw, sh, sw] = SIZES.map((name) => integerOf(row, name, 1, MAX_SIDE));
  const [picture, maskSize] = [
    { height: ih!, width: iw! },
    { height: sh!, width: sw! },
  ];
  const entries = categories.map((category): Entry => {
    const items = fieldOf(row, category)
      .split(';')
      .filter((item) => item !== '');
    if (items.length > MAX_DEPTH)
      throw badLine(
        row.path,
        row.line,
        `${category} has ${items.length} annotations, more than ${MAX_DEPTH}`,
      );
    const numbers = items.filter((item) => /^\d+$/.test(item)).map(Number);
    const stray = numbers.find((number) => number !== 0 && !known.has(number));
    if (stray !== undefined)
      throw badLine(row.path, row.line, `${category} has the label ${stray}, which label.csv does not list`);
    const masks = items
      .filter((item) => !/^\d+$/.test(item))
      .map((item) => insideFolder(join(folder, 'images'), item, row.path));
    return { masks, numbers: numbers.filter((number) => number !== 0) };
  });
  if (entries.some(({ masks }) => masks.length > 0) && !isReduced(maskSize, picture)) {
    throw badLine(
      row.path,
      row.line,
      `masks of ${sw}x${sh} are not those of a picture of ${iw}x${ih} made smaller by a whole factor`,
    );
  }
  return { image: textOf(row, 'image'), split: fieldOf(row, 'split'), maskSize, entries };
}

async function readLabels(folder: string, categories: readonly string[]): Promise<Label[]> {
  const path = join(folder, 'label.csv');
  const { rows } = await readCsvFile(path, ['number', 'name', 'category'], 'label list');
  const given = new Set<number>();
  const listed = rows.map((row) => {
    const index = integerOf(row, 'number', 1, MAX_LABEL);
    if (given.has(index)) throw badLine(row.path, row.line, `label ${index} is given twice`);
    given.add(index);
    const names = textOf(row, 'category')
      .split(';')
      .map((item) => {
        // The number of pictures follows in brackets.
        const name = item.replace(/\(\d+\)$/, '');
        if (!categories.includes(name))
          throw badLine(
            row.path,
            row.line,
            `there is no category "${name}"; there are: ${categories.join(', ')}`,
          );
        return name;
      });
    return { index, name: textOf(row, 'name'), names };
  });
  if (listed.length === 0) throw new UnitscopeError('bad-file', `${path} lists no labels`, { subject: path });
  const shared = new Set(listed.flatMap(({ names }) => (names.length > 1 ? names : [])));
  const coverage = new Map<string, ReadonlyMap<number, number>>();
  for (const category of shared) coverage.set(category, await readCoverage(folder, category));
  return listed.map(({ index, name, names }) => {
    const covered = (category: string) => coverage.get(category)?.get(index) ?? 0;
    const category = names.reduce((best, next) => (covered(next) > covered(best) ? next : best));
    return { index, name, category };
  });
}

/** How much each label covers in a category, in whole pictures. */
async function readCoverage(folder: string, category: string): Promise<Map<number, number>> {
  const path = insideFolder(folder, `c_${category}.csv`, join(folder, 'category.csv'));
  const { rows } = await readCsvFile(path, ['number', 'coverage'], 'label list of a category');
  return new Map(rows.map((row) => [integerOf(row, 'number', 1, MAX_LABEL), numberOf(row, 'coverage')]));
}

async function annotationOf(
  { entries, maskSize }: IndexRow,
  depths: Depths,
  known: ReadonlySet<number>,
): Promise<Annotation> {
  const paths = entries.flatMap(({ masks }, place) =>
    Array.from({ length: depths.masks[place]! }, (_, layer) => masks[layer]),
  );
  const imageLabels = entries.flatMap(({ numbers }, place) =>
    Array.from({ length: depths.numbers[place]! }, (_, layer) => numbers[layer] ?? 0),
  );
  const pixelLabels = await Promise.all(
    paths.map((path) => (path === undefined ? undefined : readMask(path, maskSize, known))),
  );
  return { pixelLabels, imageLabels, objects: [] };
}

async function readMask(path: string, size: Size, known: ReadonlySet<number>): Promise<LabelLayer> {
  const { width, height, channels, data } = await readNumberPicture(path);
  const bad = (why: string) => new UnitscopeError('bad-file', `mask ${path} ${why}`, { subject: path });
  if (channels < 3 || data.BYTES_PER_ELEMENT !== 1)
    throw bad('is not of 8-bit colours; a label is red + 256 green');
  if (width !== size.width || height !== size.height)
    throw bad(`is ${width}x${height}; the index says ${size.width}x${size.height}`);
  const labelAt = (pixel: number) => data[pixel * channels]! + 256 * data[pixel * channels + 1]!;
  // Neighbours mostly have one label.
  let before = 0;
  for (let pixel = 0; pixel < width * height; pixel++) {
    const label = labelAt(pixel);
    if (label === before) continue;
    if (label !== 0 && !known.has(label)) {
      const place = `row ${Math.floor(pixel / width)}, column ${pixel % width}`;
      throw bad(`has the label ${label} at ${place}, which label.csv does not list`);
    }
    before = label;
  }
  return layerOf({ width, height }, labelAt);
}
