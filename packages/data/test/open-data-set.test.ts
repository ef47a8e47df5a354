import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDataSet } from '../src/index.js';
import { type Files, writeFiles } from './support/files.js';
import { temporaryFolder } from './support/pictures.js';

const folder = temporaryFolder();

const COCO = JSON.stringify({
  images: [{ id: 1, file_name: 'a.png', width: 2, height: 2 }],
  annotations: [],
  categories: [{ id: 1, name: 'bird' }],
});
const LANDMARKS = 'picture,category,left,top,width,height,landmark,x,y\na.png,bird,0,0,2,2,beak,1,1\n';
const LIST = '\uFEFF \n[{"picture": "a.png", "category": "bird", "box": [0, 0, 2, 2], "landmarks": {}}]';
const CUB: Files = {
  'images.txt': '1 a.png\n',
  'classes.txt': '1 bird\n',
  'image_class_labels.txt': '1 1\n',
  'bounding_boxes.txt': '1 0 0 2 2\n',
  'parts/parts.txt': '1 beak\n',
  'parts/part_locs.txt': '',
};
const BRODEN: Files = {
  'category.csv': 'name\nscene\n',
  'label.csv': 'number,name,category\n1,beach,scene(1)\n',
  'index.csv': 'image,split,ih,iw,sh,sw,scene\na.png,train,2,2,1,1,1\n',
};
const MASKS: Files = { 'images/a.png': 'x', 'masks/a.png': 'x', 'classes.txt': 'sky\n' };

describe('a data set of unknown layout', () => {
  it.each<[string, Files, string, string]>([
    ['broden', BRODEN, '', 'broden'],
    ['cub', CUB, '', 'cub'],
    ['index masks', MASKS, '', 'index-masks'],
    ['coco folder', { 'instances_val.json': COCO, 'other.json': '{' }, '', 'coco'],
    ['coco file', { 'any.json': COCO }, 'any.json', 'coco'],
    ['landmark folder', { 'landmarks.csv': LANDMARKS }, '', 'landmarks'],
    ['landmark folder in JSON', { 'landmarks.json': LIST }, '', 'landmarks'],
    ['landmark file', { 'any.CSV': LANDMARKS }, 'any.CSV', 'landmarks'],
    ['landmark file in JSON', { 'any.json': LIST }, 'any.json', 'landmarks'],
  ])('is told to be %s', async (name, files, file, format) => {
    const set = await openDataSet(join(writeFiles(join(folder, name), files), file));
    expect(set.format).toBe(format);
    expect(set.examples).toHaveLength(1);
  });

  it('is refused where nothing or two things fit', async () => {
    const open = (name: string, files: Files) => openDataSet(writeFiles(join(folder, name), files));
    await expect(open('nothing', { 'readme.txt': '' })).rejects.toThrow('is no data set of a known layout');
    await expect(
      open('both', { 'landmarks.csv': LANDMARKS, 'annotations.json': COCO }),
    ).rejects.toMatchObject({ code: 'wrong-use', alternatives: ['annotations.json', 'landmarks.csv'] });
    await expect(openDataSet(join(folder, 'nothing', 'readme.txt'))).rejects.toMatchObject({
      code: 'bad-file',
    });
    await expect(openDataSet(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'not-found' });
  });

  it('has no splits in a layout that knows none', async () => {
    const path = writeFiles(join(folder, 'no splits'), MASKS);
    await expect(openDataSet(path, { split: 'train' })).rejects.toMatchObject({
      code: 'wrong-use',
      message: expect.stringContaining('has no splits'),
    });
  });
});
