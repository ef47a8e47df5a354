import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeNpy } from '@unitscope/tensor';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  loadArray,
  loadInputs,
  loadPicture,
  loadPictures,
  normalisePicture,
  preprocessingPreset,
  streamPictures,
} from '../src/index.js';
import { picture, temporaryFolder, texture } from './support/pictures.js';

const folder = temporaryFolder();
const caffe = preprocessingPreset('caffe');
const size = { height: 8, width: 12 };
const paths = Array.from({ length: 12 }, (_, i) => join(folder, `${i}.png`));

beforeAll(async () => {
  for (const [i, path] of paths.entries()) {
    const { data } = picture(12, 8, (x, y, channel) => texture(x + i, y, channel));
    await sharp(data, { raw: { width: 12, height: 8, channels: 3 } })
      .png()
      .toFile(path);
  }
});

describe('loadPicture', () => {
  it('gives the tensor, the pixels in it, and a record', async () => {
    const loaded = await loadPicture(paths[0]!, caffe, size);
    expect(loaded.rgb).toEqual(picture(12, 8, texture));
    expect(loaded.tensor).toEqual(normalisePicture(loaded.rgb, caffe));
    expect(loaded.tensor.dims).toEqual([1, 3, 8, 12]);
    expect(loaded.record).toMatchObject({ path: paths[0], format: 'png', preprocessing: caffe, size });
    expect(loaded.record.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each([0, -1, 1.5, Number.NaN, 1e9])('refuses the size %d', async (height) => {
    await expect(loadPicture(paths[0]!, caffe, { height, width: 8 })).rejects.toMatchObject({
      code: 'wrong-use',
      message: expect.stringContaining(`cannot be scaled to ${height}x8`),
    });
  });
});

describe('loadPictures', () => {
  it('keeps the order and reports progress', async () => {
    const progress: string[] = [];
    const loaded = await loadPictures(paths, caffe, size, {
      concurrency: 3,
      onProgress: ({ done, total, path }) => progress.push(`${done}/${total} ${path}`),
    });
    expect(loaded.map(({ path }) => path)).toEqual(paths);
    expect(loaded[5]!.rgb.data[0]).toBe(texture(5, 0, 0));
    expect(progress).toEqual(paths.map((path, i) => `${i + 1}/12 ${path}`));
    expect(await loadPictures([], caffe, size)).toEqual([]);
  });

  it('names the file that fails', async () => {
    const missing = join(folder, 'missing.png');
    await expect(loadPictures([...paths, missing], caffe, size)).rejects.toMatchObject({ subject: missing });
  });

  it('stops when told', async () => {
    const controller = new AbortController();
    const seen: number[] = [];
    const loading = loadPictures(paths, caffe, size, {
      concurrency: 2,
      signal: controller.signal,
      onProgress: ({ done }) => {
        seen.push(done);
        if (done === 3) controller.abort();
      },
    });
    await expect(loading).rejects.toMatchObject({ code: 'aborted' });
    expect(seen).toEqual([1, 2, 3]);
    await expect(loadPictures(paths, caffe, size, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'aborted',
    });
  });

  it('refuses a concurrency that is none', async () => {
    await expect(loadPictures(paths, caffe, size, { concurrency: 0 })).rejects.toMatchObject({
      code: 'wrong-use',
    });
  });
});

describe('streamPictures', () => {
  it('looks ahead no further than asked, and ends cleanly when left early', async () => {
    // The third file is missing: with a look-ahead of 2 its error must not disturb the first.
    const some = [paths[0]!, paths[1]!, join(folder, 'missing.png'), paths[3]!];
    for await (const loaded of streamPictures(some, caffe, size, { concurrency: 2 })) {
      expect(loaded.path).toBe(paths[0]);
      break;
    }
  });
});

describe('loadInputs', () => {
  const put = (name: string, array: Parameters<typeof writeNpy>[0]): string => {
    const path = join(folder, name);
    writeFileSync(path, writeNpy(array));
    return path;
  };

  it('feeds arrays as they are and pictures through the preprocessing', async () => {
    const values = Float32Array.from({ length: 24 }, (_, i) => i / 7);
    const path = put('batch.npy', { dims: [2, 3, 2, 2], data: values });
    const [first, second] = await loadInputs([path, paths[0]!], caffe, size);
    expect(first).toMatchObject({ kind: 'array', path, tensor: { dims: [2, 3, 2, 2], data: values } });
    expect(first!.record.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(second).toMatchObject({ kind: 'picture', ...(await loadPicture(paths[0]!, caffe, size)) });
  });

  it.each([
    ['f8', new Float64Array([0.5, -2])],
    ['u1', new Uint8Array([0, 255])],
    ['i4', new Int32Array([-(2 ** 24), 2 ** 30])],
    ['i8', new BigInt64Array([3n, -(2n ** 40n)])],
  ])('converts %s that float32 can hold', async (name, data) => {
    const { tensor } = await loadArray(put(`${name}.npy`, { dims: [1, 2], data }));
    expect(tensor.data).toBeInstanceOf(Float32Array);
    expect([...tensor.data]).toEqual([...data].map(Number));
  });

  it.each([
    ['0.1', new Float64Array([1, 0.1]), /element 1 \(0.1\) is not a float32/],
    ['1e300', new Float64Array([1, 1e300]), /element 1 \(1e\+300\) is not a float32/],
    ['2^24+1', new Int32Array([1, 2 ** 24 + 1]), /element 1 \(16777217\) is not a float32/],
    ['2^53+1', new BigInt64Array([1n, 2n ** 53n + 1n]), /element 1 \(9007199254740993\) is not/],
    ['NaN', new Float32Array([1, Number.NaN]), /element 1 is NaN; every element must be finite/],
    ['float64 NaN', new Float64Array([1, Number.NaN]), /element 1 is NaN/],
    ['infinity', new Float32Array([Infinity, 1]), /element 0 is Infinity/],
  ])('refuses %s', async (_, data, message) => {
    const path = put('refused.npy', { dims: [1, 2], data });
    await expect(loadArray(path)).rejects.toMatchObject({
      code: 'bad-input',
      subject: path,
      message: expect.stringMatching(message),
    });
  });

  it('refuses an array without batch axis or elements, and files that are none', async () => {
    const data = new Float32Array([1]);
    await expect(loadArray(put('flat.npy', { dims: [1], data }))).rejects.toThrow(/\[1\] have no batch axis/);
    const none = put('none.npy', { dims: [0, 3], data: new Float32Array(0) });
    await expect(loadArray(none)).rejects.toThrow(/\[0, 3\] hold no elements/);
    const broken = join(folder, 'broken.npy');
    writeFileSync(broken, 'nothing');
    await expect(loadArray(broken)).rejects.toMatchObject({ code: 'bad-file' });
    await expect(loadArray(join(folder, 'missing.npy'))).rejects.toMatchObject({ code: 'not-found' });
    await expect(loadArray(broken, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'aborted',
    });
  });
});
