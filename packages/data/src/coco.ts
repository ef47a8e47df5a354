import { createHash } from 'node:crypto';
import { reasonOf, UnitscopeError } from '@unitscope/tensor';
import { z } from 'zod';
import type {
  AnnotatedObject,
  Annotation,
  DataSet,
  Example,
  Label,
  LabelLayer,
  LabelTable,
} from './data-set.js';
import { FileWindow } from './file-window.js';
import { parseRuns, polygonRegion, type Region, regionPainter, runRegion } from './fill-region.js';
import { wrongField } from './json-file.js';
import { type JsonElement, readJsonLists } from './json-lists.js';
import { insideFolder, pictureFolder } from './paths.js';

const runs = z.object({
  size: z.tuple([z.int().positive(), z.int().positive()]),
  counts: z.union([z.array(z.int().nonnegative()), z.string()]),
});
const annotation = z.object({
  id: z.union([z.int(), z.string()]).optional(),
  image_id: z.union([z.int(), z.string()]),
  category_id: z.int(),
  bbox: z.tuple([z.number(), z.number(), z.number().nonnegative(), z.number().nonnegative()]).optional(),
  segmentation: z.union([z.array(z.array(z.number())), runs]).optional(),
  keypoints: z.array(z.number()).optional(),
});
const image = z.object({
  id: z.union([z.int(), z.string()]),
  file_name: z.string(),
  width: z.int().positive(),
  height: z.int().positive(),
});
const category = z.object({
  id: z.int(),
  name: z.string(),
  supercategory: z.string().optional(),
  keypoints: z.array(z.string()).optional(),
});

type CocoAnnotation = z.output<typeof annotation>;
type CocoImage = z.output<typeof image>;
type CocoCategory = z.output<typeof category>;

const WHAT = 'COCO file';
const NO_SUPERCATEGORY = 'object';
// A mask of this many pixels is a label map of 400 MB; larger ones are mistakes or attacks.
const MAX_PIXELS = 100e6;

/**
 * A data set in the format of COCO: one JSON file of images, annotations and categories, the pictures in `images/` beside
 * it or beside it themselves.
 *
 * Labels are the categories, numbered from 1 in the order of their ids; a label's category is its supercategory
 * (`object` where there is none), and each supercategory has a pixel layer of its own. Within a layer smaller regions lie
 * on larger ones. A pixel belongs to a polygon when its middle lies inside, by the even-odd rule. Keypoints are the
 * landmarks of their object; only those marked as visible (2) are seen.
 *
 * Of the annotations only their places in the file are held; those of a picture are read when they are asked for.
 *
 * Throws `not-found`, and `bad-file` naming the field that is wrong, an id that does not exist, a file outside the folder.
 */
export async function readCoco(path: string): Promise<DataSet> {
  const file = await indexFile(path);
  const bad = (why: string) => new UnitscopeError('bad-file', `${WHAT} ${path}: ${why}`, { subject: path });
  const categories = [...file.categories].sort((a, b) => a.id - b.id);
  const labels = categories.map(({ name, supercategory = NO_SUPERCATEGORY }, i): Label => {
    return { index: i + 1, name, category: supercategory };
  });
  const layers = [...new Set(labels.map(({ category }) => category))];
  const table: LabelTable = { categories: layers, labels, pixelLayers: layers, imageLayers: [] };
  const labelOf = new Map(categories.map(({ id }, i) => [id, labels[i]!]));
  if (labelOf.size !== categories.length) throw bad('two categories have one id');
  const namesOf = new Map(categories.map(({ id, keypoints = [] }) => [id, keypoints]));
  const imageIds = new Set(file.images.map(({ id }) => id));
  if (imageIds.size !== file.images.length) throw bad('two images have one id');
  if (new Set(file.images.map((image) => image.file_name)).size !== file.images.length)
    throw bad('two images have one file_name');
  for (const id of file.usedCategories) if (!labelOf.has(id)) throw bad(`there is no category ${id}`);
  for (const id of file.rangesOf.keys()) if (!imageIds.has(id)) throw bad(`there is no image ${id}`);
  const folder = await pictureFolder(path);
  const text = new FileWindow(path);
  const examples = file.images.map((image): Example => {
    if (image.width * image.height > MAX_PIXELS)
      throw bad(`image ${image.file_name} is said to be ${image.width}x${image.height}`);
    return {
      id: image.file_name,
      path: insideFolder(folder, image.file_name, path),
      annotate: async () => {
        const items = await readAnnotations(text, path, image, file.rangesOf.get(image.id) ?? []);
        return annotationOf(image, items, { path, table, labelOf, namesOf });
      },
    };
  });
  if (examples.length === 0) throw bad('it lists no images');
  return {
    format: 'coco',
    path,
    table,
    landmarkNames: [...new Set(categories.flatMap(({ keypoints = [] }) => keypoints))],
    objectCategories: categories.map(({ name }) => name),
    examples,
    sha256: file.sha256,
  };
}

/** What a file says of its pictures, and where the annotations of each lie. */
interface FileIndex {
  readonly images: readonly CocoImage[];
  readonly categories: readonly CocoCategory[];
  /** Of an image's id, in turn the first byte and the end of annotations that follow one another, commas included. */
  readonly rangesOf: ReadonlyMap<number | string, readonly number[]>;
  readonly usedCategories: ReadonlySet<number>;
  /** Of the bytes of the file. */
  readonly sha256: string;
}

const LISTS = ['images', 'annotations', 'categories'] as const;

async function indexFile(path: string): Promise<FileIndex> {
  const images: CocoImage[] = [];
  const categories: CocoCategory[] = [];
  const rangesOf = new Map<number | string, number[]>();
  const usedCategories = new Set<number>();
  let before: number | string | undefined;
  const hash = createHash('sha256');
  const found = await readJsonLists(path, LISTS, WHAT, {
    onBytes: (bytes) => hash.update(bytes),
    onElement: (element) => {
      if (element.list === 'images') images.push(checked(image, element, path));
      else if (element.list === 'categories') categories.push(checked(category, element, path));
      else {
        const { image_id, category_id } = checked(annotation, element, path);
        usedCategories.add(category_id);
        const ranges = rangesOf.get(image_id) ?? [];
        if (image_id === before) ranges[ranges.length - 1] = element.end;
        else ranges.push(element.start, element.end);
        rangesOf.set(image_id, ranges);
        before = image_id;
      }
    },
  });
  const missing = LISTS.find((list) => !found.has(list));
  if (missing !== undefined)
    throw new UnitscopeError('bad-file', `${WHAT} ${path}: field ${missing} is missing`, { subject: path });
  return { images, categories, rangesOf, usedCategories, sha256: hash.digest('hex') };
}

function checked<T extends z.ZodType>(
  schema: T,
  { list, index, value }: JsonElement,
  path: string,
): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw wrongField(path, WHAT, parsed.error, [list, index]);
}

const annotations = z.array(annotation);

async function readAnnotations(
  file: FileWindow,
  path: string,
  { id, file_name }: CocoImage,
  ranges: readonly number[],
): Promise<CocoAnnotation[]> {
  const texts: string[] = [];
  try {
    for (let i = 0; i < ranges.length; i += 2)
      texts.push((await file.read(ranges[i]!, ranges[i + 1]!)).toString());
  } catch (cause) {
    throw new UnitscopeError('not-found', `cannot read ${WHAT} ${path}: ${reasonOf(cause)}`, {
      subject: path,
      cause,
    });
  }
  try {
    const items = annotations.parse(JSON.parse(`[${texts.join()}]`));
    if (items.some(({ image_id }) => image_id !== id)) throw new Error('of another image');
    return items;
  } catch (cause) {
    // They were sound when the file was opened.
    throw new UnitscopeError(
      'bad-file',
      `${WHAT} ${path} has changed while it was used: the annotations of ${file_name} are not where they were`,
      { subject: path, cause },
    );
  }
}

interface Names {
  readonly path: string;
  readonly table: LabelTable;
  readonly labelOf: ReadonlyMap<number, Label>;
  readonly namesOf: ReadonlyMap<number, readonly string[]>;
}

function annotationOf(image: CocoImage, items: readonly CocoAnnotation[], names: Names): Annotation {
  const { width, height } = image;
  const regions = items
    .flatMap((item) => {
      const region = regionOf(item, image, names.path);
      return region === undefined ? [] : [{ label: names.labelOf.get(item.category_id)!, region }];
    })
    .sort((a, b) => b.region.area - a.region.area);
  const pixelLabels = names.table.pixelLayers.map((layer): LabelLayer | undefined => {
    const own = regions.filter(({ label }) => label.category === layer);
    if (own.length === 0) return undefined;
    return {
      width,
      height,
      draw: (grid, into) => {
        into.fill(0);
        const paint = regionPainter(grid, image);
        for (const { label, region } of own) paint(region, label.index, into);
      },
    };
  });
  return { pixelLabels, imageLabels: [], objects: items.flatMap((item) => objectOf(item, image, names)) };
}

/** The pixels of an annotation, undefined where it has none. */
function regionOf(
  { segmentation }: CocoAnnotation,
  { width, height, file_name }: CocoImage,
  path: string,
): Region | undefined {
  if (segmentation === undefined) return undefined;
  if (Array.isArray(segmentation)) return polygonRegion(segmentation, { width, height });
  const [rows, columns] = segmentation.size;
  const { counts } = segmentation;
  const decoded = typeof counts === 'string' ? parseRuns(counts) : counts;
  const region =
    rows === height && columns === width && decoded !== undefined
      ? runRegion(decoded, { width, height })
      : undefined;
  if (region !== undefined) return region;
  throw new UnitscopeError(
    'bad-file',
    `COCO file ${path}: a run-length mask of ${file_name} does not make ${width}x${height} pixels`,
    { subject: path },
  );
}

function objectOf(
  { bbox, keypoints = [], category_id }: CocoAnnotation,
  { file_name }: CocoImage,
  { path, labelOf, namesOf }: Names,
): AnnotatedObject[] {
  if (bbox === undefined) return [];
  const names = namesOf.get(category_id) ?? [];
  if (keypoints.length !== 0 && keypoints.length !== 3 * names.length) {
    throw new UnitscopeError(
      'bad-file',
      `COCO file ${path}: an object of ${file_name} has ${keypoints.length / 3} keypoints, its category names ${names.length}`,
      { subject: path },
    );
  }
  const [left, top, width, height] = bbox;
  const landmarks = names.flatMap((name, i) => {
    const [x = 0, y = 0, visible = 0] = keypoints.slice(3 * i, 3 * i + 3);
    return visible === 2 ? [{ name, y, x }] : [];
  });
  return [{ category: labelOf.get(category_id)!.name, box: { top, left, height, width }, landmarks }];
}
