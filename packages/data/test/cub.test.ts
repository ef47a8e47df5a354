import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDataSet, preprocessingPreset, readCub, streamExamples } from '../src/index.js';
import { collect } from '../src/load.js';
import { encodeRgb, type Files, writeFiles } from './support/files.js';
import { temporaryFolder } from './support/pictures.js';

const folder = temporaryFolder();

const FILES = {
  'images.txt': '1 001.Gull/gull one.png\n2 002.Wren/wren.png\n3 001.Gull/gull two.png\n',
  'classes.txt': '1 001.Gull\n2 002.Wren\n',
  'image_class_labels.txt': '1 1\n2 2\n3 1\n',
  'bounding_boxes.txt': '1 1.0 2.0 5.0 4.0\n2 0.0 0.0 8.0 6.0\n3 0.5 0.0 3.0 3.0\n',
  'parts/parts.txt': '1 back\n2 left eye\n',
  'parts/part_locs.txt':
    '1 1 3.0 4.0 1\n1 2 0.0 0.0 0\n2 1 5.5 2.0 1\n2 2 7.0 5.0 1\n3 1 0.0 0.0 0\n3 2 0.0 0.0 0\n',
  'train_test_split.txt': '1 1\n2 0\n3 0\n',
  'images/001.Gull/gull one.png': encodeRgb(8, 6, () => [10, 20, 30]),
  'images/001.Gull/gull two.png': encodeRgb(8, 6, () => [40, 50, 60]),
  'images/002.Wren/wren.png': encodeRgb(8, 6, () => [70, 80, 90]),
} satisfies Files;

const make = (name: string, changes: Files = {}) => writeFiles(join(folder, name), { ...FILES, ...changes });

describe('the text files of CUB-200-2011', () => {
  it('are read: one object a picture, with its box and visible parts', async () => {
    const set = await readCub(make('good'));
    expect(set.table).toEqual({
      categories: ['object'],
      labels: [
        { index: 1, name: '001.Gull', category: 'object' },
        { index: 2, name: '002.Wren', category: 'object' },
      ],
      pixelLayers: [],
      imageLayers: ['object'],
    });
    expect(set.landmarkNames).toEqual(['back', 'left eye']);
    expect(set.objectCategories).toEqual(['001.Gull', '002.Wren']);
    expect(set.examples.map(({ id }) => id)).toEqual([
      '001.Gull/gull one.png',
      '002.Wren/wren.png',
      '001.Gull/gull two.png',
    ]);
    expect(await set.examples[0]!.annotate()).toEqual({
      pixelLabels: [],
      imageLabels: [1],
      objects: [
        {
          category: '001.Gull',
          box: { left: 1, top: 2, width: 5, height: 4 },
          landmarks: [{ name: 'back', x: 3, y: 4 }],
        },
      ],
    });
    const [wren] = (await set.examples[1]!.annotate()).objects;
    expect(wren!.landmarks).toEqual([
      { name: 'back', x: 5.5, y: 2 },
      { name: 'left eye', x: 7, y: 5 },
    ]);
  });

  it('stream as pictures with labels of their own and none of pixels', async () => {
    const set = await openDataSet(make('streamed'));
    const size = { height: 4, width: 4 };
    const preprocessing = preprocessingPreset('raw255');
    const [batch, ...rest] = await collect(
      streamExamples(set, { preprocessing, size, labelSize: { height: 2, width: 2 }, batchSize: 8 }),
    );
    expect(rest).toEqual([]);
    expect(batch!.inputs.dims).toEqual([3, 3, 4, 4]);
    expect(batch!.pixelLabels).toEqual({ dims: [3, 0, 2, 2], data: new Int32Array(0) });
    expect(batch!.imageLabels).toEqual({ dims: [3, 1], data: Int32Array.of(1, 2, 1) });
  });

  it('are taken by split', async () => {
    const path = make('split');
    const ids = async (split: string) => (await openDataSet(path, { split })).examples.map(({ id }) => id);
    expect(await ids('train')).toEqual(['001.Gull/gull one.png']);
    expect(await ids('test')).toEqual(['002.Wren/wren.png', '001.Gull/gull two.png']);
    await expect(ids('val')).rejects.toThrow('has no split "val"; there are: train, test');
    const [all, test] = [await readCub(path), await readCub(path, { split: 'test' })];
    expect(test.table).toEqual(all.table);
    expect(test.sha256).not.toBe(all.sha256);
    await expect(
      readCub(make('no test', { 'train_test_split.txt': '1 1\n2 1\n3 1\n' }), { split: 'test' }),
    ).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining('no pictures of the split'),
    });
  });

  it('are another data set when a position is', async () => {
    const first = await readCub(make('first'));
    const same = await readCub(make('same'));
    const moved = FILES['parts/part_locs.txt'].replace('3.0 4.0', '3.0 4.5');
    expect(same.sha256).toBe(first.sha256);
    expect((await readCub(make('moved', { 'parts/part_locs.txt': moved }))).sha256).not.toBe(first.sha256);
  });

  it.each<[string, keyof typeof FILES, string, string]>([
    ['a line too short', 'images.txt', '1 a.png\n2\n', 'images.txt, line 2: must be <image> <name>'],
    [
      'no number',
      'bounding_boxes.txt',
      '1 1 2 5 high\n',
      'bounding_boxes.txt, line 1: height must be a number',
    ],
    ['an id that is none', 'images.txt', 'x a.png', 'line 1: image must be a number, not "x"'],
    ['an id given twice', 'classes.txt', '1 a\n\n1 b\n', 'classes.txt, line 3: class 1 is given twice'],
    ['a picture given twice', 'images.txt', '1 a.png\n2 a.png\n3 c.png', 'line 2: name a.png is given twice'],
    ['an unknown class', 'image_class_labels.txt', '1 9\n2 1\n3 1', 'line 1: there is no class 9'],
    ['an unknown part', 'parts/part_locs.txt', '1 1 1 1 1\n1 9 1 1 1', 'line 2: there is no part 9'],
    ['a part of no picture', 'parts/part_locs.txt', '8 1 1 1 1', 'line 1: there is no image 8'],
    ['a part given twice', 'parts/part_locs.txt', '1 2 1 1 1\n1 2 1 1 0', 'line 2: left eye of this picture'],
    ['a doubtful part', 'parts/part_locs.txt', '1 2 1 1 2', 'line 1: visible must be an integer from 0 to 1'],
    [
      'a picture without box',
      'bounding_boxes.txt',
      '1 1 2 5 4',
      'says nothing of picture 2, 002.Wren/wren.png',
    ],
    ['a box of no area', 'bounding_boxes.txt', '1 1 2 0 4', 'line 1: the box has no area'],
    [
      'a picture outside',
      'images.txt',
      '1 ../secret.png\n2 b.png\n3 c.png',
      'names "../secret.png", which is not inside',
    ],
    ['no pictures', 'images.txt', '\n', 'lists no pictures'],
  ])('are refused with %s', async (name, file, content, message) => {
    const path = make(name, { [file]: content });
    await expect(readCub(path)).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringContaining(message),
    });
  });

  it.each(Object.keys(FILES).filter((name) => name.endsWith('.txt')))('are missed: %s', async (name) => {
    const path = make(`without ${name.replace('/', ' ')}`, { [name]: undefined });
    await expect(readCub(path, { split: 'train' })).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining(join(path, name)),
    });
  });
});
