import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DataSet, openDataSet, readLandmarks } from '../src/index.js';
import { writeFiles } from './support/files.js';
import { temporaryFolder } from './support/pictures.js';

const folder = temporaryFolder();

const write = (name: string, content: string) => join(writeFiles(folder, { [name]: content }), name);

const HEADER = 'picture,category,left,top,width,height,landmark,x,y,visible\n';
const CSV = `${HEADER}\
b.jpg,bird,10,20,30.5,40,beak,12,25.5,1
"a, or b.jpg",cat,0,0,5,5,,,,
b.jpg,bird,10,20,30.5,40,tail,,,0

b.jpg,bird,1,2,3,4,tail,2,3,
`;
const JSON_OBJECTS = [
  { picture: 'b.jpg', category: 'bird', box: [10, 20, 30.5, 40], landmarks: { beak: [12, 25.5] } },
  { picture: 'a, or b.jpg', category: 'cat', box: [0, 0, 5, 5], landmarks: {} },
  { picture: 'b.jpg', category: 'bird', box: [1, 2, 3, 4], landmarks: { tail: [2, 3] } },
];

/** What a data set says, without where it lies. */
async function contentOf({ table, landmarkNames, objectCategories, examples, sha256 }: DataSet) {
  const annotations = await Promise.all(examples.map(async ({ id, annotate }) => [id, await annotate()]));
  return { table, landmarkNames, objectCategories, annotations, sha256 };
}

describe('a file of landmarks', () => {
  it('is read as CSV: lines of one box are one object', async () => {
    const set = await readLandmarks(write('good.csv', CSV));
    expect(set.landmarkNames).toEqual(['beak', 'tail']);
    expect(set.objectCategories).toEqual(['bird', 'cat']);
    expect(set.examples.map(({ id }) => id)).toEqual(['b.jpg', 'a, or b.jpg']);
    expect(set.examples[0]!.path).toBe(join(folder, 'b.jpg'));
    expect((await set.examples[0]!.annotate()).objects).toEqual([
      {
        category: 'bird',
        box: { left: 10, top: 20, width: 30.5, height: 40 },
        landmarks: [{ name: 'beak', x: 12, y: 25.5 }],
      },
      {
        category: 'bird',
        box: { left: 1, top: 2, width: 3, height: 4 },
        landmarks: [{ name: 'tail', x: 2, y: 3 }],
      },
    ]);
    expect((await set.examples[1]!.annotate()).objects[0]!.landmarks).toEqual([]);
  });

  it('is read without the column of visibility', async () => {
    const lines = CSV.replace(',visible', '').replace('beak,12,25.5,1', 'beak,12,25.5');
    const text = lines.split('\n').filter((line) => !/,cat,|tail/.test(line));
    const set = await readLandmarks(write('plain.csv', text.join('\r\n')));
    const { objects } = await set.examples[0]!.annotate();
    expect(objects[0]!.landmarks).toEqual([{ name: 'beak', x: 12, y: 25.5 }]);
  });

  it('says as JSON what it says as CSV', async () => {
    const json = await openDataSet(write('good.json', JSON.stringify(JSON_OBJECTS, null, 2)));
    expect(json.format).toBe('landmarks');
    expect(await contentOf(json)).toEqual(await contentOf(await openDataSet(write('same.csv', CSV))));
  });

  it('says the same in both formats, whatever it holds', async () => {
    const name = fc.stringMatching(/^[a-zA-Z ,"']{1,6}$/);
    const number = fc.double({ min: -1000, max: 1000, noNaN: true }).filter((value) => !Object.is(value, -0));
    const length = fc.double({ min: 0.001, max: 1000, noNaN: true });
    const object = fc.record({
      picture: name,
      category: name,
      box: fc.tuple(number, number, length, length),
      landmarks: fc
        .uniqueArray(fc.tuple(name, fc.tuple(number, number)), { selector: ([key]) => key, maxLength: 4 })
        .map(Object.fromEntries<[number, number]>),
    });
    const objects = fc.uniqueArray(object, {
      selector: ({ picture, category, box }) => JSON.stringify([picture, category, box]),
      minLength: 1,
      maxLength: 6,
    });
    const cell = (value: string | number) => `"${String(value).replaceAll('"', '""')}"`;
    await fc.assert(
      fc.asyncProperty(objects, async (items) => {
        const lines = items.flatMap(({ picture, category, box, landmarks }) => {
          const points = Object.entries(landmarks).map(([key, point]) => [key, ...point]);
          return (points.length === 0 ? [['', '', '']] : points).map((point) =>
            [picture, category, ...box, ...point, 1].map(cell).join(','),
          );
        });
        const csv = await readLandmarks(write('random.csv', `${HEADER}${lines.join('\n')}`));
        const json = await readLandmarks(write('random.json', JSON.stringify(items)));
        expect(await contentOf(csv)).toEqual(await contentOf(json));
        const read = await Promise.all(csv.examples.map(({ annotate }) => annotate()));
        expect(read.flatMap((annotation) => annotation.objects)).toHaveLength(items.length);
      }),
      { numRuns: 60 },
    );
  });

  it.each<[string, string, string]>([
    ['no objects', HEADER, 'lists no objects'],
    ['nothing at all', '', 'is empty'],
    ['a column missing', 'picture,category\na,b\n', 'must have the column left; it has: picture, category'],
    ['a column twice', `${HEADER.trim()},x\n`, 'two columns have one name'],
    ['a line too short', `${HEADER}a.jpg,bird,1\n`, 'line 2: it has 3 fields, the header names 10'],
    ['no category', `${HEADER}a.jpg,,1,1,1,1,beak,1,1,1\n`, 'line 2: category is empty'],
    ['a box of words', `${HEADER}a.jpg,bird,1,1,wide,1,beak,1,1,1\n`, 'line 2: width must be a number'],
    ['a box of no area', `${HEADER}a.jpg,bird,1,1,0,1,beak,1,1,1\n`, 'line 2: the box has no area'],
    ['a nameless landmark', `${HEADER}a.jpg,bird,1,1,1,1,,1,1,1\n`, 'line 2: landmark is empty'],
    ['no position', `${HEADER}\na.jpg,bird,1,1,1,1,beak,,2,1\n`, 'line 3: x is empty'],
    ['a position that is none', `${HEADER}a.jpg,bird,1,1,1,1,beak,1e999,2,1\n`, 'x must be a number'],
    [
      'doubtful visibility',
      `${HEADER}a.jpg,bird,1,1,1,1,beak,1,2,2\n`,
      'visible must be an integer from 0 to 1',
    ],
    [
      'a landmark twice',
      `${HEADER}a.jpg,bird,1,1,1,1,beak,1,2,1\na.jpg,bird,1,1,1,1.0,beak,2,2,1\n`,
      'line 3: landmark "beak" of this object is given twice',
    ],
    ['a picture outside', `${HEADER}../a.jpg,bird,1,1,1,1,beak,1,2,1\n`, 'which is not inside'],
  ])('is refused as CSV with %s', async (name, content, message) => {
    await expect(readLandmarks(write(`${name}.csv`, content))).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringContaining(message),
    });
  });

  it.each<[string, unknown, string]>([
    ['no objects', [], 'lists no objects'],
    ['no category', [{ ...JSON_OBJECTS[0], category: '' }], 'field 0.category is wrong'],
    ['half a box', [{ ...JSON_OBJECTS[0], box: [1, 2, 3] }], 'field 0.box is wrong'],
    ['a flat box', [{ ...JSON_OBJECTS[0], box: [1, 2, 3, 0] }], 'field 0.box.3 is wrong'],
    ['half a point', [{ ...JSON_OBJECTS[0], landmarks: { beak: [1] } }], 'field 0.landmarks.beak is wrong'],
  ])('is refused as JSON with %s', async (name, value, message) => {
    await expect(readLandmarks(write(`${name}.json`, JSON.stringify(value)))).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringContaining(message),
    });
  });

  it.each(['csv', 'json'])('is missed as %s', async (kind) => {
    await expect(readLandmarks(join(folder, `nowhere.${kind}`))).rejects.toMatchObject({ code: 'not-found' });
  });
});
