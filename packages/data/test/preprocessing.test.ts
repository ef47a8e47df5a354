import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  describePreprocessing,
  fitPicture,
  normalisePicture,
  PREPROCESSING_NAMES,
  type Preprocessing,
  parsePreprocessing,
  preprocessingPreset,
  RESIZE_FILTERS,
  readPreprocessing,
  restorePicture,
} from '../src/index.js';
import { picture, temporaryFolder, texture } from './support/pictures.js';

const folder = temporaryFolder();
const valid = {
  resize: 'stretch',
  crop: 1,
  filter: 'bilinear',
  channelOrder: 'bgr',
  scale: 2,
  mean: [1, 2, 3],
  std: [4, 5, 6],
};

describe('presets', () => {
  it.each([
    ['imagenet', [(10 / 255 - 0.485) / 0.229, (20 / 255 - 0.456) / 0.224, (30 / 255 - 0.406) / 0.225]],
    ['tf', [10 / 127.5 - 1, 20 / 127.5 - 1, 30 / 127.5 - 1]],
    ['caffe', [30 - 104, 20 - 117, 10 - 123]],
    ['cifar10', [(10 / 255 - 0.485) / 0.229, (20 / 255 - 0.456) / 0.224, (30 / 255 - 0.406) / 0.225]],
    ['raw255', [10, 20, 30]],
  ] as const)('%s gives the values of its formula', (name, expected) => {
    const colour = picture(1, 1, (_x, _y, channel) => 10 * (channel + 1));
    const { dims, data } = normalisePicture(colour, preprocessingPreset(name));
    expect(dims).toEqual([1, 3, 1, 1]);
    expect([...data]).toEqual(expected.map(Math.fround));
  });

  it('puts the channels one after the other, rows from the top', () => {
    const { data } = normalisePicture(picture(3, 2, texture), preprocessingPreset('raw255'));
    const expected = [0, 1, 2].flatMap((channel) =>
      [0, 1].flatMap((y) => [0, 1, 2].map((x) => texture(x, y, channel))),
    );
    expect([...data]).toEqual(expected);
  });

  it.each(PREPROCESSING_NAMES)('%s can be undone', (name) => {
    const preset = preprocessingPreset(name);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 12, maxLength: 12 }), (data) => {
        const original = { width: 2, height: 2, channels: 3, data } as const;
        expect(restorePicture(normalisePicture(original, preset), preset)).toEqual(original);
      }),
    );
  });

  it('refuses to restore what is no single picture', () => {
    const input = { dims: [2, 3, 4, 4], data: new Float32Array(96) };
    expect(() => restorePicture(input, preprocessingPreset('tf'))).toThrow(/not from \[2, 3, 4, 4\]/);
  });

  it('names the preset that was meant', () => {
    expect(() => preprocessingPreset('imagnet')).toThrow('did you mean "imagenet"?');
    expect(() => preprocessingPreset('imagnet')).toThrow(expect.objectContaining({ code: 'wrong-use' }));
  });

  it('is described in one line that holds every choice', () => {
    expect(PREPROCESSING_NAMES.map((name) => describePreprocessing(preprocessingPreset(name)))).toEqual([
      'imagenet: shorter side to the size / 0.875, middle cut out (bilinear); RGB; (v / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]',
      'tf: shorter side to the size / 0.875, middle cut out (bilinear); RGB; v / 127.5 - [1, 1, 1]',
      'caffe: stretched whole (bilinear); BGR; v - [104, 117, 123]',
      'cifar10: stretched whole (bilinear); RGB; (v / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]',
      'raw255: stretched whole (bilinear); RGB; v',
    ]);
  });
});

describe('fitPicture', () => {
  const cropping: Preprocessing = { ...preprocessingPreset('imagenet'), filter: 'nearest' };

  it('cuts the middle out of the picture whose shorter side was scaled', async () => {
    // Shorter side 16 = 14 / 0.875: nothing is scaled, and the 14x14 in the middle of 24x16 starts at (5, 1).
    const fitted = await fitPicture(picture(24, 16, texture), cropping, { height: 14, width: 14 });
    expect(fitted).toEqual(picture(14, 14, (x, y, channel) => texture(x + 5, y + 1, channel)));
  });

  it('rounds half a pixel of offset to the even side, as Python does', async () => {
    // Nothing is scaled at crop 14 / 16; 19 - 14 is odd, and so is 21 - 14: offsets 2.5 and 3.5.
    for (const [width, left] of [
      [19, 2],
      [21, 4],
    ] as const) {
      const fitted = await fitPicture(picture(width, 16, texture), cropping, { height: 14, width: 14 });
      expect(fitted).toEqual(picture(14, 14, (x, y, channel) => texture(x + left, y + 1, channel)));
    }
  });

  it('covers a size that is not square', async () => {
    const preprocessing = { ...cropping, crop: 1 };
    const fitted = await fitPicture(picture(20, 20, texture), preprocessing, { height: 10, width: 20 });
    expect(fitted).toEqual(picture(20, 10, (x, y, channel) => texture(x, y + 5, channel)));
  });

  it('stretches the middle', async () => {
    const preprocessing = { ...preprocessingPreset('caffe'), crop: 0.5 };
    const fitted = await fitPicture(picture(8, 4, texture), preprocessing, { height: 2, width: 4 });
    expect(fitted).toEqual(picture(4, 2, (x, y, channel) => texture(x + 2, y + 1, channel)));
  });

  it('leaves a picture of the size alone: cifar10', async () => {
    const small = picture(32, 32, texture);
    expect(await fitPicture(small, preprocessingPreset('cifar10'), small)).toEqual(small);
  });

  it('gives the size asked for, whatever the shape of the picture', async () => {
    const side = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(5000));
    const asked = fc.integer({ min: 1, max: 24 });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('stretch' as const, 'shortest-side-crop' as const),
        fc.constantFrom(...RESIZE_FILTERS),
        fc.double({ min: 0.05, max: 1, noNaN: true }),
        fc.tuple(side, fc.integer({ min: 1, max: 40 }), asked, asked, fc.boolean()),
        async (resize, filter, crop, [long, short, height, width, upright]) => {
          const source = upright ? picture(short, long, () => 7) : picture(long, short, () => 7);
          const fitted = await fitPicture(source, { ...cropping, resize, filter, crop }, { height, width });
          expect(fitted).toEqual(picture(width, height, () => 7));
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('a preprocessing of one’s own', () => {
  it('is read from a JSON file and bears its name', async () => {
    const path = join(folder, 'mine.json');
    writeFileSync(path, JSON.stringify(valid));
    expect(await readPreprocessing(path)).toEqual({ name: 'mine', ...valid });
    expect(await readPreprocessing('tf')).toEqual(preprocessingPreset('tf'));
  });

  it.each(PREPROCESSING_NAMES)('survives being written and read: %s', (name) => {
    const preset = preprocessingPreset(name);
    expect(parsePreprocessing(JSON.parse(JSON.stringify(preset)), 'x.json')).toEqual(preset);
  });

  it.each([
    [{ ...valid, chanelOrder: 'rgb' }, 'no field "chanelOrder"; did you mean "channelOrder"?'],
    [{ ...valid, zzz: 1 }, 'no field "zzz"; there are: name, resize'],
    [{ ...valid, crop: undefined }, 'field "crop" must be a number above 0, at most 1'],
    [{ ...valid, crop: 1.5 }, 'field "crop" must be a number above 0, at most 1'],
    [{ ...valid, scale: 0 }, 'field "scale" must be a number above 0'],
    [{ ...valid, scale: '255' }, 'field "scale" must be a number above 0'],
    [{ ...valid, filter: 'cubic' }, 'field "filter" must be one of nearest, bilinear, bicubic'],
    [{ ...valid, resize: null }, 'field "resize" must be one of stretch, shortest-side-crop'],
    [{ ...valid, channelOrder: 'BGR' }, 'field "channelOrder" must be one of rgb, bgr'],
    [{ ...valid, mean: [1, 2] }, 'field "mean" must be three numbers'],
    [{ ...valid, mean: [1, 2, 3, 4] }, 'field "mean" must be three numbers'],
    [{ ...valid, mean: [1, null, 3] }, 'field "mean" must be three numbers'],
    [{ ...valid, std: [1, 0, 1] }, 'field "std" must be three numbers above 0'],
    [{ ...valid, name: 5 }, 'field "name" must be a text'],
    [[valid], 'it must be an object'],
    [null, 'it must be an object'],
  ])('names the field that is wrong: %j', (value, message) => {
    expect(() => parsePreprocessing(value, 'p.json')).toThrow(`preprocessing p.json: ${message}`);
  });

  it('names the field that is missing', () => {
    const { std: _, ...rest } = valid;
    expect(() => parsePreprocessing(rest, 'p.json')).toThrow('field "std" is missing');
  });

  it('says when the file is missing or no JSON', async () => {
    await expect(readPreprocessing(join(folder, 'none.json'))).rejects.toMatchObject({ code: 'not-found' });
    const path = join(folder, 'broken.json');
    writeFileSync(path, '{');
    await expect(readPreprocessing(path)).rejects.toMatchObject({ code: 'bad-file' });
  });
});
