import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDataSet, streamExamples } from '../src/index.js';
import { preprocessingPreset } from '../src/preprocessing.js';
import { encodeRgb, type Files, writeFiles } from './support/files.js';
import { temporaryFolder } from './support/pictures.js';

const folder = temporaryFolder();
const png = (level: number) => encodeRgb(4, 3, () => [level, level, level]);
const openPictures = (path: string) => openDataSet(path, { unlabelled: true });
const open = (name: string, files: Files) => openPictures(writeFiles(join(folder, name), files));

describe('a folder of pictures', () => {
  const FILES: Files = {
    'b.png': png(2),
    'a/z.PNG': png(3),
    'a/deeper/one.png': png(4),
    'notes.txt': 'no picture',
    '.hidden.png': png(5),
    '.trash/gone.png': png(6),
  };

  it('is its pictures and those of its folders, by name, without annotations', async () => {
    const set = await open('plain', FILES);
    expect(set.format).toBe('pictures');
    expect(set.examples.map(({ id }) => id)).toEqual(['a/deeper/one.png', 'a/z.PNG', 'b.png']);
    expect(set.table).toEqual({ categories: [], labels: [], pixelLayers: [], imageLayers: [] });
    expect(await set.examples[0]!.annotate()).toEqual({ pixelLabels: [], imageLabels: [], objects: [] });
    const preprocessing = preprocessingPreset('raw255');
    const size = { height: 3, width: 4 };
    const levels: number[] = [];
    for await (const { inputs } of streamExamples(set, { preprocessing, size, batchSize: 2 }))
      for (let i = 0; i < inputs.data.length; i += 36) levels.push(inputs.data[i]!);
    expect(levels).toEqual([4, 3, 2]);
  });

  it('has the same sha256 for the same files, another for others', async () => {
    const [first, same, other] = await Promise.all([
      open('first', FILES),
      open('same', FILES),
      open('other', { ...FILES, 'c.png': png(1) }),
    ]);
    expect(same.sha256).toBe(first.sha256);
    expect(other.sha256).not.toBe(first.sha256);
  });

  it('follows links to pictures, and leaves out what only has the name of one', async () => {
    const path = writeFiles(join(folder, 'links'), { 'x.png/inner.png': png(1) });
    symlinkSync(join(folder, 'links', 'x.png', 'inner.png'), join(path, 'link.png'));
    const set = await openPictures(path);
    expect(set.examples.map(({ id }) => id)).toEqual(['link.png', 'x.png/inner.png']);
    symlinkSync(join(folder, 'nowhere.png'), join(path, 'broken.png'));
    await expect(openPictures(path)).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(/cannot read .*broken\.png/),
    });
  });

  it('is refused without pictures, and has no splits', async () => {
    await expect(open('nothing', { 'readme.txt': '' })).rejects.toMatchObject({ code: 'bad-file' });
    const path = writeFiles(join(folder, 'unsplit'), FILES);
    await expect(openDataSet(path, { split: 'train', unlabelled: true })).rejects.toMatchObject({
      code: 'wrong-use',
    });
    // Where labels are needed it is no data set.
    await expect(openDataSet(path)).rejects.toThrow('is no data set of a known layout');
  });
});
