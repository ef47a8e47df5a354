import { readFileSync } from 'node:fs';
import { loadPicture, preprocessingPreset, restorePicture } from '@unitscope/data';
import { Model } from '@unitscope/model';
import { concatBatch, Random, readNpy, readNpz, sliceBatch, type Tensor } from '@unitscope/tensor';
import {
  encodePng,
  explain,
  heatPicture,
  methodNamed,
  methods,
  montage,
  overlayMap,
  signedPicture,
} from '@unitscope/visualization';
import { describe, expect, it } from 'vitest';
import { unitscope } from './support/command.js';
import { pngPixels, pngSize, TemporaryFolder } from './support/files.js';
import { flatNetwork, tinyNetwork } from './support/networks.js';

const folder = new TemporaryFolder();
const model = await folder.model('tiny.onnx', tinyNetwork());
const picture = folder.picture('noise.png').path;
const tensor = new Random(5).normalTensor([2, 3, 8, 8]);
const array = folder.array('two.npy', tensor);

async function run(...args: string[]): Promise<string> {
  const { code, out, err } = await unitscope(['explain', model, ...args]);
  expect([code, err]).toEqual([0, '']);
  return out;
}

// The tiles of a montage are 224 pixels wide with 12 between and around them.
const widthOf = (tiles: number) => 224 * tiles + 12 * (tiles + 1);

describe('--raw', () => {
  it('writes the map of one method as .npy, exactly as the library gives it', async () => {
    const file = folder.at('map.npy');
    expect(await run(array, '--method', 'guided-backprop', '--target', '3', '--raw', file)).toContain(
      `wrote ${file}\n`,
    );
    const loaded = await Model.load(model);
    const { map } = await explain(loaded, methodNamed('guided-backprop'), tensor, { target: 3 });
    await loaded.close();
    expect(readNpy(readFileSync(file))).toEqual({ dims: [2, 3, 8, 8], data: map.data });
  });

  it('writes the maps of all methods as .npz, each under its name', async () => {
    const file = folder.at('maps.npz');
    await run(array, '--method', 'all', '--raw', file);
    const maps = readNpz(readFileSync(file));
    expect([...maps.keys()]).toEqual(methods.map(({ name }) => name));
    const loaded = await Model.load(model);
    for (const method of methods) {
      const { map } = await explain(loaded, method, tensor);
      expect(maps.get(method.name)).toEqual({ dims: [...map.dims], data: map.data });
    }
    await loaded.close();
  });

  it('makes the folder it is to lie in, and replaces what is there', async () => {
    const file = folder.at('new/deep/map.npy');
    await run(array, '--method', 'gradient', '--raw', file);
    const first = readFileSync(file);
    await run(array, '--method', 'deconvnet', '--raw', file);
    expect(readFileSync(file).equals(first)).toBe(false);
    expect(folder.contents().filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('writes the map of a network without pictures', async () => {
    const flat = await folder.model('flat.onnx', flatNetwork());
    const numbers = folder.array('numbers.npy', new Random(1).normalTensor([3, 10]));
    const file = folder.at('flat.npy');
    const { code, err } = await unitscope(['explain', flat, numbers, '--method', 'gradient', '--raw', file]);
    expect([code, err]).toEqual([0, '']);
    expect(readNpy(readFileSync(file)).dims).toEqual([3, 10]);
  });
});

describe('--png', { timeout: 30_000 }, () => {
  it('shows photo, map and overlay of one method, below what was found', async () => {
    const file = folder.at('one.png');
    expect(await run(picture, '--png', file)).toContain(`wrote ${file}\n`);
    const [width, height] = pngSize(file);
    expect(width).toBe(widthOf(3));
    // A title, the tiles and their labels.
    expect(height).toBeGreaterThan(224 + 40);
  });

  it('shows a row of photo and maps for every sample', async () => {
    const file = folder.at('rows.png');
    await run(picture, array, '--method', 'all', '--png', file);
    const [width, height] = pngSize(file);
    expect(width).toBe(widthOf(1 + methods.length));
    expect(height).toBeGreaterThan(3 * 224);
    expect(height).toBeLessThan(4 * 224);
  });

  it('shows the right map in the right place, labelled', async () => {
    const file = folder.at('places.png');
    await run(picture, array, '--method', 'gradient,saliency-map', '--preprocess', 'caffe', '--png', file);

    const caffe = preprocessingPreset('caffe');
    const photo = await loadPicture(picture, caffe, { height: 8, width: 8 });
    const batch = concatBatch([photo.tensor, tensor]);
    const loaded = await Model.load(model);
    const gradient = await explain(loaded, methodNamed('gradient'), batch);
    const saliency = await explain(loaded, methodNamed('saliency-map'), batch);
    await loaded.close();
    const labels = ['noise.png', 'two.npy[0]', 'two.npy[1]'];
    const tiles = labels.flatMap((label, n) => {
      const scores = Array.from(gradient.logits!.data.subarray(n * 5, (n + 1) * 5));
      const top = scores.indexOf(Math.max(...scores));
      const share = Math.exp(scores[top]!) / scores.reduce((sum, score) => sum + Math.exp(score), 0);
      const at = (map: Tensor) => sliceBatch(map, n, n + 1);
      return [
        {
          picture: restorePicture(at(batch), caffe),
          label: `${label}\nclass ${top}, ${Math.round(100 * share)} %`,
        },
        { picture: signedPicture(at(gradient.map), { channelOrder: 'bgr' }), label: 'gradient' },
        { picture: heatPicture(at(saliency.map)), label: 'saliency-map' },
      ];
    });
    expect(pngPixels(file).equals(pngPixels(encodePng(montage(tiles, { columns: 3 }))))).toBe(true);
  });

  it('says what is explained in every row where it is no top class', async () => {
    const common = [array, '--method', 'gradient', '--png'];
    await run(...common, folder.at('top.png'));
    const [, plain] = pngSize(folder.at('top.png'));
    for (const [i, subject] of [
      ['--target', '4'],
      ['--layer', 'conv', '--unit', '1'],
    ].entries()) {
      const file = folder.at(`subject${i}.png`);
      await run(...common, file, ...subject);
      // One line of the title, and the gap below it.
      expect(pngSize(file)[1] - plain).toBe(20 + 12);
    }
  });

  it('stops after 32 rows', async () => {
    const many = folder.array('many.npy', new Random(2).normalTensor([34, 3, 8, 8]));
    const file = folder.at('many.png');
    await run(many, '--method', 'saliency-map', '--png', file);
    // Per row the picture, two lines and two gaps; once the last gap, and the line that says what is left out.
    expect(pngSize(file)[1]).toBe(32 * (224 + 2 * 20 + 2 * 12) + 12 + (20 + 12));
  });

  it.each(['map', 'overlay'])("shows the %s alone at the network's size", async (style) => {
    const file = folder.at(`${style}.png`);
    await run(picture, '--style', style, '--png', file, '--preprocess', 'raw255');
    expect(pngSize(file)).toEqual([8, 8]);
    const photo = await loadPicture(picture, preprocessingPreset('raw255'), { height: 8, width: 8 });
    const loaded = await Model.load(model);
    const { map } = await explain(loaded, methodNamed('guided-backprop'), photo.tensor);
    await loaded.close();
    const expected = style === 'map' ? signedPicture(map) : overlayMap(photo.rgb, map);
    expect(pngPixels(file).equals(pngPixels(encodePng(expected)))).toBe(true);
  });

  it('shows arrays of any number of channels', async () => {
    for (const channels of [1, 2]) {
      const other = await folder.model('other.onnx', tinyNetwork({ dims: ['N', channels, 8, 8] }));
      const input = folder.array('other.npy', new Random(2).normalTensor([1, channels, 8, 8]));
      const file = folder.at(`channels${channels}.png`);
      const { code, err } = await unitscope(['explain', other, input, '--method', 'all', '--png', file]);
      expect([code, err]).toEqual([0, '']);
      expect(pngSize(file)[0]).toBe(widthOf(4));
    }
  });

  it('notes in the file what it shows', async () => {
    const file = folder.at('noted.png');
    await run(picture, '--method', 'deconvnet', '--png', file);
    const text = readFileSync(file).toString('latin1');
    for (const noted of ['Software', 'unitscope ', 'Source', 'sha256 ', 'deconvnet', 'noise.png: class']) {
      expect(text).toContain(noted);
    }
    expect(text).not.toContain(folder.at(''));
  });
});
