import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import {
  type DataSet,
  type ObjectBatch,
  type ObjectOptions,
  preprocessingPreset,
  readLandmarks,
  streamObjects,
} from '../src/index.js';
import { collect } from '../src/load.js';
import { writeFiles } from './support/files.js';
import { temporaryFolder } from './support/pictures.js';

const folder = temporaryFolder();

/** A picture whose red is 10 times its column and whose green 10 times its row. */
async function drawRamp(name: string, width: number, height: number): Promise<void> {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return [10 * (pixel % width), 10 * Math.floor(pixel / width), 0][i % 3]!;
  });
  await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toFile(join(folder, name));
}

type Points = Readonly<Record<string, readonly [number, number]>>;
let sets = 0;
/** A data set of objects `[picture, category, box, landmarks]`. */
const setOf = (...objects: readonly (readonly [string, string, readonly number[], Points])[]) => {
  const items = objects.map(([picture, category, box, landmarks]) => ({ picture, category, box, landmarks }));
  const name = `set-${sets++}.json`;
  writeFiles(folder, { [name]: JSON.stringify(items) });
  return readLandmarks(join(folder, name));
};

const OPTIONS: ObjectOptions = {
  preprocessing: { ...preprocessingPreset('raw255'), filter: 'nearest' },
  size: { height: 4, width: 4 },
  batchSize: 8,
  minimumArea: 1,
};
const stream = (set: DataSet, options: Partial<ObjectOptions> = {}) =>
  collect(streamObjects(set, { ...OPTIONS, ...options }));

/** Of one object: red of the input's first row, green of its first column. */
function shownBy({ inputs }: ObjectBatch, object: number) {
  const at = (channel: number, y: number, x: number) => inputs.data[object * 48 + channel * 16 + y * 4 + x]!;
  return {
    columns: [0, 1, 2, 3].map((x) => at(0, 0, x) / 10),
    rows: [0, 1, 2, 3].map((y) => at(1, y, 0) / 10),
  };
}

describe('objects of a data set', () => {
  it('are cut out by their boxes and stretched, their landmarks with them', async () => {
    await drawRamp('ramp.png', 12, 10);
    // 8 x 2 pixels become 4 x 4: half as wide, twice as high.
    const [batch] = await stream(
      await setOf(['ramp.png', 'bird', [2, 3, 8, 2], { beak: [2, 3], tail: [9, 4] }]),
    );
    expect(batch!.inputs.dims).toEqual([1, 3, 4, 4]);
    expect(shownBy(batch!, 0)).toEqual({ columns: [3, 5, 7, 9], rows: [3, 3, 4, 4] });
    expect(batch!.landmarks.dims).toEqual([1, 2, 2]);
    // The middle of the first pixel: (0 + 1/2) 4/2 - 1/2 down, (0 + 1/2) 4/8 - 1/2 across.
    expect([...batch!.landmarks.data]).toEqual([0.5, -0.25, 2.5, 3.25]);
    expect(batch!.categories).toEqual([0]);
    expect(batch!.skipped).toEqual([]);
  });

  it('are clipped to the picture, to whole pixels', async () => {
    await drawRamp('clip.png', 6, 6);
    const set = await setOf(
      ['clip.png', 'a', [-2, 3, 4, 9], { point: [1, 4] }],
      ['clip.png', 'a', [1.5, 1.5, 2, 2], { point: [2, 2] }],
      ['clip.png', 'b', [7, 7, 3, 3], { point: [5, 5] }],
    );
    const [batch] = await stream(set);
    // Left 0 to 2 and top 3 to 6; then 1 to 4 both ways; the third has nothing in the picture.
    expect(batch!.objectNumbers).toEqual([0, 1]);
    expect(shownBy(batch!, 0)).toEqual({ columns: [0, 0, 1, 1], rows: [3, 4, 4, 5] });
    expect(shownBy(batch!, 1)).toEqual({ columns: [1, 2, 2, 3], rows: [1, 2, 2, 3] });
    const [y, x] = batch!.landmarks.data;
    expect(y).toBeCloseTo(((4.5 - 3) * 4) / 3 - 0.5, 12);
    expect(x).toBeCloseTo(((1.5 - 0) * 4) / 2 - 0.5, 12);
  });

  it('have NaN for landmarks that are not seen or lie outside the box', async () => {
    await drawRamp('unseen.png', 8, 8);
    const set = await setOf(
      ['unseen.png', 'a', [0, 0, 4, 4], { seen: [1, 1], outside: [6, 1] }],
      ['unseen.png', 'b', [4, 4, 4, 4], { other: [5, 6] }],
    );
    const [batch] = await stream(set);
    expect(batch!.categories).toEqual([0, 1]);
    const nan = Number.NaN;
    expect([...batch!.landmarks.data]).toEqual([1, 1, nan, nan, nan, nan, nan, nan, nan, nan, 2, 1]);
  });

  it('are left out below the least area and without a landmark, their pictures are not', async () => {
    await drawRamp('small.png', 60, 60);
    const set = await setOf(
      ['small.png', 'a', [0, 0, 50, 49.9], { point: [1, 1] }],
      ['small.png', 'a', [0, 0, 50, 50], { point: [1, 1] }],
      ['small.png', 'a', [0, 0, 60, 60], {}],
      // Nothing is wanted of it, so it is not even read.
      ['not there.png', 'a', [0, 0, 60, 60], {}],
    );
    const { minimumArea: _, ...rest } = OPTIONS;
    const [batch] = await collect(streamObjects(set, rest));
    expect(batch!.objectNumbers).toEqual([1]);
    expect(batch!.numbers).toEqual([0, 1]);
    const [all] = await stream(set, { numbers: [0], minimumArea: 2495 });
    expect(all!.objectNumbers).toEqual([0, 1]);
    const [none] = await stream(set, { numbers: [1] });
    expect(none!.inputs.dims).toEqual([0, 3, 4, 4]);
    expect(none!.landmarks.dims).toEqual([0, 1, 2]);
  });

  it('have numbers that do not depend on the batch', async () => {
    await drawRamp('one.png', 8, 8);
    await drawRamp('two.png', 8, 8);
    const object = (picture: string, left: number) =>
      [picture, 'a', [left, 0, 4, 4], { point: [left, 1] }] as const;
    const set = await setOf(object('one.png', 0), object('two.png', 1), object('two.png', 3));
    const batches = await stream(set, { batchSize: 1, numbers: [1, 0] });
    expect(batches.map(({ objectNumbers }) => objectNumbers)).toEqual([[4096, 4097], [0]]);
    const [batch] = await stream(set);
    expect(batch!.objectNumbers).toEqual([0, 4096, 4097]);
  });

  it('end it all, or are reported, where picture or landmark cannot be used', async () => {
    await drawRamp('good.png', 8, 8);
    const set = await setOf(
      ['good.png', 'a', [0, 0, 4, 4], { point: [1, 1] }],
      ['gone.png', 'a', [0, 0, 4, 4], { point: [1, 1] }],
    );
    await expect(stream(set)).rejects.toMatchObject({ code: 'not-found' });
    const [batch] = await stream(set, { onError: 'skip' });
    expect(batch!.numbers).toEqual([0]);
    expect(batch!.objectNumbers).toEqual([0]);
    expect(batch!.skipped).toEqual([
      { number: 1, id: 'gone.png', reason: expect.stringContaining('gone.png') },
    ]);
  });

  it.each<[string, readonly [number, number], boolean]>([
    ['at the edge', [7, 7], true],
    ['a pixel below', [0, 8], true],
    ['a pixel left', [-1, 0], true],
    ['more than a pixel right', [8.1, 3], false],
    ['more than a pixel above', [3, -1.1], false],
  ])('may have a landmark %s', async (_, point, allowed) => {
    await drawRamp('edge.png', 8, 8);
    const set = await setOf(['edge.png', 'a', [0, 0, 8, 8], { tip: point, middle: [4, 4] }]);
    if (allowed) {
      expect((await stream(set))[0]!.objectNumbers).toEqual([0]);
      return;
    }
    await expect(stream(set)).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringMatching(
        /^landmark "tip" of .*edge\.png lies at x .* outside the picture of 8x8$/,
      ),
    });
    expect((await stream(set, { onError: 'skip' }))[0]!.skipped).toHaveLength(1);
  });

  it('need a batch size, and examples that are there', async () => {
    const set = await setOf(['good.png', 'a', [0, 0, 4, 4], { point: [1, 1] }]);
    await expect(stream(set, { batchSize: 0 })).rejects.toMatchObject({ code: 'wrong-use' });
    await expect(stream(set, { numbers: [3] })).rejects.toThrow('there is no example 3; there are 1');
  });
});
