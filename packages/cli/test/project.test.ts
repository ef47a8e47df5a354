import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadPictures, preprocessingPreset } from '@unitscope/data';
import { Model } from '@unitscope/model';
import { readNpz } from '@unitscope/tensor';
import { beforeAll, describe, expect, it } from 'vitest';
import { unitscope } from './support/command.js';
import { pngSize, TemporaryFolder } from './support/files.js';
import { flatNetwork, tinyNetwork } from './support/networks.js';
import { expectRefusal } from './support/refusals.js';

const folder = new TemporaryFolder();
const SILENT = 2;
const COUNT = 23;
const TOP = 4;

/** The small network with one unit of `conv2` that nothing activates. */
function withSilentUnit() {
  const graph = tinyNetwork();
  const bias = graph.initializers.get('b2')!;
  const data = Float32Array.from(bias.data as Float32Array);
  data[SILENT] = -1000;
  return { ...graph, initializers: new Map(graph.initializers).set('b2', { ...bias, data }) };
}

const graph = withSilentUnit();
const model = await folder.model('tiny.onnx', graph);

/** Noise; every fifth picture is the one four before it once more, so that there are ties. */
function photos(name: string): string {
  mkdirSync(folder.at(`${name}/more`), { recursive: true });
  const fileOf = (i: number) => `${name}/${i % 2 === 0 ? '' : 'more/'}${String(i).padStart(2, '0')}.png`;
  for (let i = 0; i < COUNT; i++) {
    if (i % 5 === 4) copyFileSync(folder.at(fileOf(i - 4)), folder.at(fileOf(i)));
    else folder.picture(fileOf(i), 8, i + 1);
  }
  return folder.at(name);
}

const data = photos('photos');
const RUN = [
  'project',
  model,
  '--data',
  data,
  '--layer',
  'relu2',
  '--preprocess',
  'cifar10',
  '--top',
  `${TOP}`,
];
/** In the order of the data set: by name, folders among the files. */
const IDS = [
  ...Array.from(
    { length: COUNT },
    (_, i) => `${i % 2 === 0 ? '' : 'more/'}${String(i).padStart(2, '0')}.png`,
  ),
].sort();

interface Found {
  readonly unit: number;
  readonly pictures: readonly {
    readonly picture: number;
    readonly id: string;
    readonly activation: number;
    readonly position: readonly [number, number];
  }[];
}

/** Every picture's map of every unit, sorted whole. */
async function ranked(count = COUNT): Promise<Found[]> {
  const network = await Model.load(graph);
  try {
    const paths = IDS.slice(0, count).map((id) => join(data, id));
    const pictures = await loadPictures(paths, preprocessingPreset('cifar10'), { height: 8, width: 8 });
    const maps: Float32Array[] = [];
    for (const { tensor } of pictures)
      maps.push((await network.activations(['relu2'], tensor)).get('relu2')!.data);
    return Array.from({ length: 5 }, (_, unit) => {
      const all = maps.map((map, picture) => {
        const own = [...map.subarray(unit * 4, unit * 4 + 4)];
        const activation = Math.max(...own);
        const place = own.indexOf(activation);
        return { picture, id: IDS[picture]!, activation, position: [place >> 1, place & 1] as const };
      });
      all.sort((a, b) => b.activation - a.activation || a.picture - b.picture);
      return { unit, pictures: all.slice(0, TOP).filter(({ activation }) => activation > 0) };
    });
  } finally {
    await network.close();
  }
}

const readRecord = (out: string) => JSON.parse(readFileSync(join(out, 'projections.json'), 'utf8'));

describe('project', () => {
  let expected: Found[];
  beforeAll(async () => {
    expected = await ranked();
  });

  it('ranks pictures as a full sort does, ties by their number', async () => {
    const out = folder.at('all');
    const { code, out: text } = await unitscope([...RUN, '--units', '0-4', '--out', out]);
    expect(code).toBe(0);
    const record = readRecord(out);
    expect(record).toMatchObject({
      method: 'deconvnet',
      layer: 'relu2',
      parameters: { top: TOP },
      data: { format: 'pictures', pictures: COUNT },
      pictures: COUNT,
      receptiveField: { size: [8, 8], stride: [2, 2], offset: [-1, -1] },
    });
    expect(record.units).toHaveLength(5);
    const activations = expected.flatMap(({ pictures }) => pictures.map(({ activation }) => activation));
    expect(new Set(activations).size).toBeLessThan(activations.length);
    for (const [unit, { pictures }] of expected.entries()) {
      expect(record.units[unit].pictures.map((each: { id: string }) => each.id)).toEqual(
        pictures.map(({ id }) => id),
      );
      for (const [i, each] of pictures.entries()) {
        const found = record.units[unit].pictures[i];
        expect(found.position).toEqual(each.position);
        // Two lowerings of one network round in another order.
        expect(Math.abs(found.activation - each.activation)).toBeLessThan(1e-5 * each.activation);
        expect(found.outside).toBe(0);
      }
    }
    expect(record.units[SILENT].pictures).toEqual([]);
    expect(text).toContain(`note: never active in these pictures, and not in the figure: unit ${SILENT}\n`);
  });

  it('writes what the units saw and the projections as arrays', () => {
    const out = folder.at('all');
    const arrays = readNpz(readFileSync(join(out, 'projections-01.npz')), 'npz');
    const unit = expected.find(({ pictures }) => pictures.length === TOP)!;
    const of = (name: string) => arrays.get(`unit${unit.unit}_${name}`)!;
    expect(of('projections').dims).toEqual([TOP, 3, 8, 8]);
    expect(of('pictures').dims).toEqual([TOP, 8, 8, 3]);
    expect([...of('positions').data]).toEqual(unit.pictures.flatMap(({ position }) => position));
    expect([...of('numbers').data]).toEqual(unit.pictures.map(({ picture }) => picture));
    expect(arrays.has(`unit${SILENT}_projections`)).toBe(false);
    const [top, left] = [...of('fields').data].map(Number);
    const [y, x] = unit.pictures[0]!.position;
    expect([top, left]).toEqual([2 * y - 1, 2 * x - 1]);
    // The strongest picture's pixels where its unit sees them, and nothing beyond its border.
    const seed = Number(/(\d+)\.png/.exec(unit.pictures[0]!.id)![1]);
    const { pixels } = folder.picture('again.png', 8, (seed % 5 === 4 ? seed - 4 : seed) + 1);
    for (let row = 0; row < 8; row++) {
      for (let column = 0; column < 8; column++) {
        const [py, px] = [row + top!, column + left!];
        const isInside = py >= 0 && py < 8 && px >= 0 && px < 8;
        for (let channel = 0; channel < 3; channel++) {
          const level = of('pictures').data[(row * 8 + column) * 3 + channel];
          expect(level).toBe(isInside ? pixels[(py * 8 + px) * 3 + channel] : 0);
          if (!isInside) expect(of('projections').data[(channel * 8 + row) * 8 + column]).toBe(0);
        }
      }
    }
  });

  it('chooses the strongest units, and goes on with another choice without ranking again', async () => {
    const out = folder.at('all');
    const args = [
      ...RUN,
      '--units',
      'strongest:2',
      '--method',
      'gradient',
      '--out',
      out,
      '--resume',
      '--json',
    ];
    const { code, out: text } = await unitscope(args);
    expect(code).toBe(0);
    const record = JSON.parse(text);
    const strongest = [...expected].sort(
      (a, b) => (b.pictures[0]?.activation ?? 0) - (a.pictures[0]?.activation ?? 0) || a.unit - b.unit,
    );
    expect(record.method).toBe('gradient');
    expect(record.units.map(({ unit }: Found) => unit)).toEqual(
      strongest.slice(0, 2).map(({ unit }) => unit),
    );
    expect(record.files).toEqual(
      ['projections-01.png', 'projections-01.npz', 'projections.json'].map((name) => join(out, name)),
    );
  });

  it('takes the first pictures alone, and one picture at a time, with the same ranking', async () => {
    const out = folder.at('first');
    const args = [...RUN, '--units', '1', '--limit', '9', '--batch-size', '1', '--out', out];
    expect((await unitscope([...args, '--quiet'])).code).toBe(0);
    const first = await ranked(9);
    expect(readRecord(out).pictures).toBe(9);
    expect(readRecord(out).units[0].pictures.map((each: { id: string }) => each.id)).toEqual(
      first[1]!.pictures.map(({ id }) => id),
    );
  });

  it('draws one figure of the units that are active', async () => {
    const png = folder.at('figure.png');
    const { code, out } = await unitscope([...RUN, '--units', `0,${SILENT}`, '--png', png]);
    expect(code).toBe(0);
    expect(out).toContain(`wrote ${png}`);
    // A field of 8 pixels is drawn as 96; 2 x 2 places beside 2 x 2, a label, two margins.
    const [width] = pngSize(png);
    expect(width).toBe(2 * (2 * 98 - 2) + 6 + 28);
  });

  it('goes on from where it was interrupted, to the same bytes', async () => {
    const whole = folder.at('whole');
    const args = [...RUN, '--units', '0-1', '--batch-size', '2'];
    expect((await unitscope([...args, '--out', whole])).code).toBe(0);
    const out = folder.at('cut');
    // A picture that cannot be read stops the run in the middle; the state before it is kept.
    const broken = join(data, IDS[15]!);
    const sound = readFileSync(broken);
    folder.write(`photos/${IDS[15]}`, Buffer.alloc(sound.length));
    const stopped = await unitscope([...args, '--out', out]);
    expect(stopped.code).toBe(1);
    expect(stopped.err).toContain(IDS[15]!);
    folder.write(`photos/${IDS[15]}`, sound);
    const refused = await unitscope([...args, '--out', out]);
    expect(refused.err).toMatch(/holds a run that was stopped; go on with it by --resume/);
    expect((await unitscope([...args, '--out', out, '--resume'])).code).toBe(0);
    for (const name of ['projections.json', 'projections-01.npz', 'projections-01.png', 'top-pictures.npz'])
      expect(readFileSync(join(out, name))).toEqual(readFileSync(join(whole, name)));
  });

  it('leaves out pictures that cannot be used, where that is wanted', async () => {
    const set = photos('damaged');
    folder.write('damaged/00.png', 'not a picture');
    const args = RUN.map((argument) => (argument === data ? set : argument));
    const out = folder.at('skipping');
    const { code, out: text } = await unitscope([
      ...args,
      '--units',
      '0',
      '--on-error',
      'skip',
      '--out',
      out,
    ]);
    expect(code).toBe(0);
    expect(text).toContain('left out 1 pictures');
    expect(readRecord(out)).toMatchObject({ pictures: COUNT - 1, skipped: [{ id: '00.png' }] });
  });

  it('stops at an interrupt with nothing half-written', async () => {
    const before = folder.contents();
    const { code, err } = await unitscope([...RUN, '--png', folder.at('stopped.png')], AbortSignal.abort());
    expect([code, err]).toEqual([130, 'unitscope: interrupted\n']);
    expect(folder.contents()).toEqual(before);
  });
});

describe('project refuses', () => {
  const png = ['--png', folder.at('refused.png')];

  it.each<[string, string[], number, RegExp]>([
    ['a unit out of range', [...png, '--units', '0,5'], 1, /no unit 5; relu2 has the units 0 to 4/],
    ['a layer without a map', [...png, '--layer', 'flat'], 2, /layer flat gives \[N, 5\], not maps/],
    ['a layer that is not there', [...png, '--layer', 'relu3'], 1, /no layer "relu3"; did you mean/],
    [
      'units that are never active',
      [...png, '--units', `${SILENT}`, '--quiet'],
      1,
      /none of the chosen units of relu2/,
    ],
    ['nowhere to write to', [], 2, /--png FILE, or all by --out DIR/],
    ['a figure that is no PNG', ['--png', folder.at('figure.jpg')], 2, /name the file \.png/],
    [
      'a figure of too many units',
      [...png, '--units', 'strongest:17'],
      2,
      /16 units at most, 17 are asked for/,
    ],
    ['to go on without a folder', [...png, '--resume'], 2, /name it by --out/],
    ['units that are no numbers', [...png, '--units', '3-1'], 2, /such as 0,5,8-15/],
    ['no units', [...png, '--units', 'strongest:0'], 2, /such as 0,5,8-15/],
    ['a thousand million units', [...png, '--units', '0-999999999'], 2, /such as 0,5,8-15/],
    ['no pictures of a unit', [...png, '--top', '0'], 2, /positive integer/],
    ['a method that projects nothing', [...png, '--method', 'saliency-map'], 2, /Allowed choices/],
    ['a data set that is not there', [...png, '--data', folder.at('nowhere')], 1, /cannot read data set/],
  ])('%s', async (_, args, code, line) => {
    await expectRefusal(folder, [...RUN, ...args], code, line);
  });

  it('a data set without pictures', async () => {
    mkdirSync(folder.at('empty'), { recursive: true });
    await expectRefusal(
      folder,
      [...RUN, '--data', folder.at('empty'), ...png],
      1,
      /is no data set of a known layout/,
    );
    const coco = folder.write('none.json', JSON.stringify({ images: [], annotations: [], categories: [] }));
    await expectRefusal(folder, [...RUN, '--data', coco, ...png], 1, /none\.json/);
  });

  it('a network that takes no pictures', async () => {
    const flat = await folder.model('flat.onnx', flatNetwork());
    const args = RUN.map((argument) => (argument === model ? flat : argument));
    await expectRefusal(folder, [...args, ...png, '--layer', 'scores'], 2, /not maps/);
  });

  it('the state of another run', async () => {
    const args = [...RUN, '--out', folder.at('other')];
    expect((await unitscope([...args, '--limit', '3'])).code).toBe(0);
    await expectRefusal(folder, [...args, '--limit', '3', '--layer', 'act', '--resume'], 2, /its layer is/);
    await expectRefusal(folder, [...args, '--limit', '4', '--resume'], 2, /its count is 3, not 4/);
  });
});
