import { join } from 'node:path';
import { encode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { labelMapOf, openDataSet, preprocessingPreset, readBroden, streamExamples } from '../src/index.js';
import { collect } from '../src/load.js';
import { encodeRgb, type Files, writeFiles } from './support/files.js';
import { temporaryFolder } from './support/pictures.js';

const folder = temporaryFolder();

const photo = encodeRgb(8, 4, () => [90, 90, 90]);
/** A mask of 4 x 2: the left half is one label, the right half another. */
const halves = (left: number, right: number) =>
  encodeRgb(4, 2, (x) => {
    const label = x < 2 ? left : right;
    return [label % 256, Math.floor(label / 256), 0];
  });

const HEADER = 'image,split,ih,iw,sh,sw,object,part,scene,texture\n';
const FILES = {
  'category.csv':
    'name,first,last,count,frequency\nobject,1,300,3,4\npart,2,2,1,1\nscene,5,5,1,1\ntexture,6,7,2,2\n',
  // "skin, of a fruit" is more often an object, but covers more as a part.
  'label.csv':
    'number,name,category,frequency,coverage,syns\n' +
    '1,sky,object(3),3,1.5,\n' +
    '300,"skin, of a fruit",object(5);part(2),7,2.5,peel;rind\n' +
    '2,wheel,part(1),1,0.1,\n' +
    '5,beach-s,scene(1),1,1.0,\n' +
    '6,dotted,texture(2),2,2.0,\n' +
    '7,lined,texture(1),1,1.0,\n',
  'c_object.csv': 'code,number,name,frequency,coverage\n1,300,skin,5,0.5\n2,1,sky,3,1.5\n',
  'c_part.csv': 'code,number,name,frequency,coverage\n1,300,skin,2,2.0\n2,2,wheel,1,0.1\n',
  'index.csv':
    HEADER +
    'a/one.png,train,4,8,2,4,a/one_object.png,a/one_part_1.png;a/one_part_2.png,5,\n' +
    'a/two.png,val,4,8,2,4,a/two_object.png,,,\n' +
    'b/three.png,train,4,8,1,1,,,,6;7\n' +
    'b/none.png,train,4,8,2,4,,,0,\n',
  'images/a/one.png': photo,
  'images/a/two.png': photo,
  'images/b/three.png': photo,
  'images/a/one_object.png': halves(1, 300),
  'images/a/one_part_1.png': halves(0, 2),
  'images/a/one_part_2.png': halves(300, 0),
  'images/a/two_object.png': halves(0, 1),
} satisfies Files;

const make = (name: string, changes: Files = {}) => writeFiles(join(folder, name), { ...FILES, ...changes });
const indexOf = (...rows: readonly string[]) => HEADER + rows.map((row) => `${row}\n`).join('');

describe('the layout of Broden', () => {
  it('is read: labels with their primary category, layers as many as the deepest picture has', async () => {
    const set = await readBroden(make('good'));
    expect(set.table).toEqual({
      categories: ['object', 'part', 'scene', 'texture'],
      labels: [
        { index: 1, name: 'sky', category: 'object' },
        { index: 300, name: 'skin, of a fruit', category: 'part' },
        { index: 2, name: 'wheel', category: 'part' },
        { index: 5, name: 'beach-s', category: 'scene' },
        { index: 6, name: 'dotted', category: 'texture' },
        { index: 7, name: 'lined', category: 'texture' },
      ],
      pixelLayers: ['object', 'part', 'part'],
      imageLayers: ['scene', 'texture', 'texture'],
    });
    // What nothing is known about is left out.
    expect(set.examples.map(({ id }) => id)).toEqual(['a/one.png', 'a/two.png', 'b/three.png']);
    const one = await set.examples[0]!.annotate();
    const row = (left: number, right: number) => [left, left, right, right, left, left, right, right];
    expect(one.pixelLabels.map((layer) => labelMapOf(layer!))).toEqual(
      [row(1, 300), row(0, 2), row(300, 0)].map((data) => ({
        width: 4,
        height: 2,
        data: Int32Array.from(data),
      })),
    );
    expect(one.imageLabels).toEqual([5, 0, 0]);
    const three = await set.examples[2]!.annotate();
    expect(three).toEqual({
      pixelLabels: [undefined, undefined, undefined],
      imageLabels: [0, 6, 7],
      objects: [],
    });
  });

  it('streams with label 0 where a picture says nothing of a category', async () => {
    const set = await openDataSet(make('streamed'));
    const [batch] = await collect(
      streamExamples(set, {
        preprocessing: preprocessingPreset('raw255'),
        size: { height: 4, width: 8 },
        labelSize: { height: 1, width: 2 },
        batchSize: 3,
      }),
    );
    expect(batch!.pixelLabels).toEqual({
      dims: [3, 3, 1, 2],
      data: Int32Array.of(1, 300, 0, 2, 300, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    });
    expect(batch!.imageLabels).toEqual({ dims: [3, 3], data: Int32Array.of(5, 0, 0, 0, 0, 0, 0, 6, 7) });
  });

  it('takes a scene as a mask too, and masks beside numbers', async () => {
    const index = indexOf('a/two.png,train,4,8,2,4,,,a/scene.png;5,', 'a/one.png,train,4,8,2,4,,,5,');
    const set = await readBroden(make('scene', { 'index.csv': index, 'images/a/scene.png': halves(5, 0) }));
    expect(set.table).toMatchObject({ pixelLayers: ['scene'], imageLayers: ['scene'] });
    const { pixelLabels, imageLabels } = await set.examples[0]!.annotate();
    expect([...labelMapOf(pixelLabels[0]!).data]).toEqual([5, 5, 0, 0, 5, 5, 0, 0]);
    expect(imageLabels).toEqual([5]);
  });

  it('takes masks of half an odd size, rounded down', async () => {
    const index = indexOf('a/odd.png,train,5,9,2,4,a/one_object.png,,,');
    const set = await readBroden(
      make('odd', { 'index.csv': index, 'images/a/odd.png': encodeRgb(9, 5, () => [0, 0, 0]) }),
    );
    const size = { height: 5, width: 9 };
    const preprocessing = preprocessingPreset('raw255');
    const [batch] = await collect(
      streamExamples(set, { preprocessing, size, labelSize: { height: 2, width: 4 }, batchSize: 1 }),
    );
    expect([...batch!.pixelLabels.data]).toEqual([1, 1, 300, 300, 1, 1, 300, 300]);
  });

  it('is taken by split, with the table of the whole', async () => {
    const path = make('split');
    const val = await openDataSet(path, { split: 'val' });
    expect(val.examples.map(({ id }) => id)).toEqual(['a/two.png']);
    const whole = await readBroden(path);
    expect(val.table).toEqual(whole.table);
    expect(val.sha256).not.toBe(whole.sha256);
    expect((await readBroden(`${make('elsewhere')}/`)).sha256).toBe(whole.sha256);
    const other = FILES['index.csv'].replace('6;7', '7;6');
    expect((await readBroden(make('other', { 'index.csv': other }))).sha256).not.toBe(whole.sha256);
    await expect(readBroden(path, { split: 'test' })).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining('there are: train, val'),
      alternatives: ['train', 'val'],
    });
  });

  it.each<[string, keyof typeof FILES, string, string]>([
    ['no categories', 'category.csv', 'name\n', 'lists no categories'],
    [
      'a category given twice',
      'category.csv',
      'name\nobject\nobject\n',
      'line 3: name object is given twice',
    ],
    ['no labels', 'label.csv', 'number,name,category\n', 'lists no labels'],
    [
      'an unknown category',
      'label.csv',
      'number,name,category\n1,sky,thing(3)\n',
      'label.csv, line 2: there is no category "thing"; there are: object, part',
    ],
    ['a label above 16 bits', 'label.csv', 'number,name,category\n65536,sky,object(3)\n', 'from 1 to 65535'],
    [
      'a label given twice',
      'label.csv',
      'number,name,category\n1,sky,object(3)\n1,sea,object(3)\n',
      'line 3: label 1 is given twice',
    ],
    ['a nameless label', 'label.csv', 'number,name,category\n1,,object(3)\n', 'line 2: name is empty'],
    ['a column missing', 'index.csv', 'image,split,ih,iw,sh,sw,object\n', 'must have the column part'],
    [
      'a line too short',
      'index.csv',
      indexOf('a/one.png,train,4,8'),
      'line 2: it has 4 fields, the header names 10',
    ],
    [
      'a size that is none',
      'index.csv',
      indexOf('a/one.png,train,4,-8,2,4,,,5,'),
      'line 2: iw must be an integer',
    ],
    [
      'an unknown number',
      'index.csv',
      indexOf('a/one.png,train,4,8,2,4,,,5;77,'),
      'line 2: scene has the label 77',
    ],
    [
      'masks of another shape',
      'index.csv',
      indexOf('a/one.png,train,4,8,1,4,a/one_object.png,,,'),
      'line 2: masks of 4x1 are not those of a picture of 8x4',
    ],
    [
      'a picture twice',
      'index.csv',
      indexOf('a/one.png,train,4,8,2,4,,,5,', 'a/one.png,val,4,8,2,4,,,5,'),
      'line 3: image a/one.png is given twice',
    ],
    ['a mask outside', 'index.csv', indexOf('a/one.png,train,4,8,2,4,../../x.png,,,'), 'which is not inside'],
    ['a picture outside', 'index.csv', indexOf('/etc/x.png,train,4,8,2,4,,,5,'), 'which is not inside'],
    [
      'nothing annotated',
      'index.csv',
      indexOf('b/none.png,train,4,8,2,4,,,0,'),
      'lists no annotated pictures',
    ],
    ['an open quote', 'index.csv', `${HEADER}"a/one.png,train\n`, 'is not CSV'],
  ])('is refused with %s', async (name, file, content, message) => {
    await expect(readBroden(make(name, { [file]: content }))).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringContaining(message),
    });
  });

  it.each(['category.csv', 'label.csv', 'index.csv', 'c_part.csv'])('is missed: %s', async (name) => {
    await expect(readBroden(make(`without ${name}`, { [name]: undefined }))).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining(name),
    });
  });

  it.each<[string, Uint8Array | undefined, string, string]>([
    ['is missing', undefined, 'not-found', 'cannot read mask'],
    ['has an unknown label', halves(1, 301), 'bad-file', 'has the label 301 at row 0, column 2'],
    ['has another size', encodeRgb(2, 2, () => [1, 0, 0]), 'bad-file', 'is 2x2; the index says 4x2'],
    [
      'is grey',
      encode({ width: 4, height: 2, channels: 1, depth: 8, data: new Uint8Array(8) }),
      'bad-file',
      'is not of 8-bit colours',
    ],
    ['is damaged', halves(1, 300).subarray(0, 60), 'bad-file', 'is a damaged or truncated PNG file'],
  ])('names a mask that %s', async (name, mask, code, message) => {
    const set = await readBroden(make(name, { 'images/a/one_object.png': mask }));
    await expect(set.examples[0]!.annotate()).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
    await expect(set.examples[0]!.annotate()).rejects.toThrow('one_object.png');
  });
});
