import { createHash } from 'node:crypto';
import { UnitscopeError } from '@unitscope/tensor';
import { z } from 'zod';
import type {
  AnnotatedObject,
  Annotation,
  DataSet,
  Example,
  Label,
  LabelMap,
  LabelTable,
} from './data-set.js';
import { fillPolygons, fillRuns, parseRuns } from './fill-region.js';
import { parseJsonFile } from './json-file.js';
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
const schema = z.object({
  images: z.array(
    z.object({
      id: z.union([z.int(), z.string()]),
      file_name: z.string(),
      width: z.int().positive(),
      height: z.int().positive(),
    }),
  ),
  annotations: z.array(annotation),
  categories: z.array(
    z.object({
      id: z.int(),
      name: z.string(),
      supercategory: z.string().optional(),
      keypoints: z.array(z.string()).optional(),
    }),
  ),
});

type CocoFile = z.output<typeof schema>;
type CocoAnnotation = z.output<typeof annotation>;
type CocoImage = CocoFile['images'][number];

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
 * Throws `not-found`, and `bad-file` naming the field that is wrong, an id that does not exist, a file outside the folder.
 */
export async function readCoco(path: string): Promise<DataSet> {
  const file = await parseJsonFile(path, schema, 'COCO file');
  const bad = (why: string) => new UnitscopeError('bad-file', `COCO file ${path}: ${why}`, { subject: path });
  const categories = [...file.categories].sort((a, b) => a.id - b.id);
  const labels = categories.map(({ name, supercategory = NO_SUPERCATEGORY }, i): Label => {
    return { index: i + 1, name, category: supercategory };
  });
  const layers = [...new Set(labels.map(({ category }) => category))];
  const table: LabelTable = { categories: layers, labels, pixelLayers: layers, imageLayers: [] };
  const labelOf = new Map(categories.map(({ id }, i) => [id, labels[i]!]));
  if (labelOf.size !== categories.length) throw bad('two categories have one id');
  const namesOf = new Map(categories.map(({ id, keypoints = [] }) => [id, keypoints]));
  const ofImage = new Map<number | string, CocoAnnotation[]>(file.images.map(({ id }) => [id, []]));
  if (ofImage.size !== file.images.length) throw bad('two images have one id');
  if (new Set(file.images.map((image) => image.file_name)).size !== file.images.length)
    throw bad('two images have one file_name');
  for (const item of file.annotations) {
    if (!labelOf.has(item.category_id)) throw bad(`there is no category ${item.category_id}`);
    const list = ofImage.get(item.image_id);
    if (list === undefined) throw bad(`there is no image ${item.image_id}`);
    list.push(item);
  }
  const folder = await pictureFolder(path);
  const hash = createHash('sha256').update(JSON.stringify(file));
  const examples = file.images.map((image): Example => {
    if (image.width * image.height > MAX_PIXELS)
      throw bad(`image ${image.file_name} is said to be ${image.width}x${image.height}`);
    return {
      id: image.file_name,
      path: insideFolder(folder, image.file_name, path),
      annotate: async () =>
        annotationOf(image, ofImage.get(image.id) ?? [], { path, table, labelOf, namesOf }),
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
    sha256: hash.digest('hex'),
  };
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
      const pixels = regionOf(item, image, names.path);
      return pixels === undefined ? [] : [{ label: names.labelOf.get(item.category_id)!, pixels }];
    })
    .sort((a, b) => b.pixels.length - a.pixels.length);
  const pixelLabels = names.table.pixelLayers.map((layer): LabelMap => {
    const data = new Int32Array(width * height);
    for (const { label, pixels } of regions) {
      if (label.category !== layer) continue;
      for (const pixel of pixels) data[pixel] = label.index;
    }
    return { width, height, data };
  });
  return { pixelLabels, imageLabels: [], objects: items.flatMap((item) => objectOf(item, image, names)) };
}

/** The pixels of an annotation's region, undefined where it has none. */
function regionOf(
  { segmentation }: CocoAnnotation,
  { width, height, file_name }: CocoImage,
  path: string,
): Int32Array | undefined {
  if (segmentation === undefined) return undefined;
  if (Array.isArray(segmentation)) return fillPolygons(segmentation, { width, height });
  const [rows, columns] = segmentation.size;
  const { counts } = segmentation;
  const decoded = typeof counts === 'string' ? parseRuns(counts) : counts;
  const pixels =
    rows === height && columns === width && decoded !== undefined
      ? fillRuns(decoded, { width, height })
      : undefined;
  if (pixels !== undefined) return pixels;
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
