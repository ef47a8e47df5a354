import { createHash } from 'node:crypto';
import { UnitscopeError } from '@unitscope/tensor';
import { z } from 'zod';
import { readCsvFile } from './csv-file.js';
import type { AnnotatedObject, DataSet, Example, Landmark } from './data-set.js';
import { parseJsonFile } from './json-file.js';
import { insideFolder, pictureFolder } from './paths.js';
import type { Box } from './picture.js';
import { badLine, fieldOf, integerOf, numberOf, type Row, textOf } from './text-file.js';

const BOX = ['left', 'top', 'width', 'height'] as const;
const POINT = ['landmark', 'x', 'y'] as const;

const schema = z.array(
  z.object({
    picture: z.string().min(1),
    category: z.string().min(1),
    box: z.tuple([z.number(), z.number(), z.number().positive(), z.number().positive()]),
    landmarks: z.record(z.string().min(1), z.tuple([z.number(), z.number()])),
  }),
);

/** An object as a file gives it; `landmarks` holds undefined for those that cannot be seen. */
interface Given {
  readonly picture: string;
  readonly category: string;
  readonly box: Box;
  readonly landmarks: Map<string, Landmark | undefined>;
}

/**
 * Objects with landmarks from a CSV or JSON file, the pictures in `images/` beside it or beside it themselves.
 *
 * - CSV: `picture,category,left,top,width,height,landmark,x,y[,visible]`, a line for each landmark. Lines of the same
 *   picture, category and box are one object; `landmark`, `x` and `y` are empty for an object without. `visible` is 1 or
 *   0; a landmark that cannot be seen needs no position.
 * - JSON: `[{"picture": "a.jpg", "category": "bird", "box": [left, top, width, height], "landmarks": {"beak": [x, y]}}]`,
 *   without the landmarks that cannot be seen.
 *
 * Positions are in pixels, 0, 0 being the middle of the top left pixel; a box begins at the edge of a pixel. Nothing is
 * said of labels, so the table is empty. Names keep the order in which the file first says them.
 *
 * Throws `not-found`, and `bad-file` naming the line or the field that is wrong.
 */
export async function readLandmarks(path: string): Promise<DataSet> {
  const objects = /\.json$/i.test(path) ? await objectsOfJson(path) : await objectsOfCsv(path);
  if (objects.length === 0)
    throw new UnitscopeError('bad-file', `landmark file ${path} lists no objects`, { subject: path });
  const ofPicture = new Map<string, AnnotatedObject[]>();
  for (const { picture, category, box, landmarks } of objects) {
    const seen = [...landmarks.values()].filter((landmark) => landmark !== undefined);
    const object = { category, box, landmarks: seen };
    const list = ofPicture.get(picture);
    if (list === undefined) ofPicture.set(picture, [object]);
    else list.push(object);
  }
  const folder = await pictureFolder(path);
  const examples = [...ofPicture].map(
    ([picture, list]): Example => ({
      id: picture,
      path: insideFolder(folder, picture, path),
      annotate: async () => ({ pixelLabels: [], imageLabels: [], objects: list }),
    }),
  );
  return {
    format: 'landmarks',
    path,
    table: { categories: [], labels: [], pixelLayers: [], imageLayers: [] },
    landmarkNames: [...new Set(objects.flatMap(({ landmarks }) => [...landmarks.keys()]))],
    objectCategories: [...new Set(objects.map(({ category }) => category))],
    examples,
    sha256: createHash('sha256')
      .update(JSON.stringify([...ofPicture]))
      .digest('hex'),
  };
}

async function objectsOfJson(path: string): Promise<Given[]> {
  const items = await parseJsonFile(path, schema, 'landmark file');
  return items.map(({ picture, category, box: [left, top, width, height], landmarks }) => ({
    picture,
    category,
    box: { top, left, height, width },
    landmarks: new Map(Object.entries(landmarks).map(([name, [x, y]]) => [name, { name, y, x }])),
  }));
}

async function objectsOfCsv(path: string): Promise<Given[]> {
  const columns = ['picture', 'category', ...BOX, ...POINT];
  const { rows } = await readCsvFile(path, columns, 'landmark file');
  const objects = new Map<string, Given>();
  for (const row of rows) {
    const [picture, category] = [textOf(row, 'picture'), textOf(row, 'category')];
    const box = boxOf(row);
    const key = JSON.stringify([picture, category, box]);
    const object = objects.get(key) ?? { picture, category, box, landmarks: new Map() };
    objects.set(key, object);
    if (POINT.every((name) => fieldOf(row, name) === '')) continue;
    const name = textOf(row, 'landmark');
    if (object.landmarks.has(name))
      throw badLine(row.path, row.line, `landmark "${name}" of this object is given twice`);
    const isSeen = fieldOf(row, 'visible') === '' || integerOf(row, 'visible', 0, 1) === 1;
    object.landmarks.set(name, isSeen ? { name, y: numberOf(row, 'y'), x: numberOf(row, 'x') } : undefined);
  }
  return [...objects.values()];
}

function boxOf(row: Row): Box {
  const [left, top, width, height] = BOX.map((name) => numberOf(row, name));
  if (width! > 0 && height! > 0) return { top: top!, left: left!, height: height!, width: width! };
  throw badLine(row.path, row.line, `the box has no area: ${width} x ${height}`);
}
