import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rasteriseSvg } from '@unitscope/data';
import { Random } from '@unitscope/tensor';
import { encodePng } from '@unitscope/visualization';
import { describe, expect, it, vi } from 'vitest';
import { recordOf, unitscope } from './support/command.js';
import { pngSize, TemporaryFolder } from './support/files.js';
import { tinyNetwork } from './support/networks.js';
import { expectRefusal } from './support/refusals.js';

// Whole runs of the command: on a machine that does other things besides they take their time.
vi.setConfig({ testTimeout: 120_000 });

const folder = new TemporaryFolder();
const DIMS = ['N', 3, 16, 16] as const;
const model = await folder.model('tiny.onnx', tinyNetwork({ dims: DIMS }));
const SIDE = 64;

/** Pictures of a bright square on grey whose middle is a landmark, with a box around everything. */
function squares(name: string, count: number): string {
  mkdirSync(folder.at(`${name}/images`), { recursive: true });
  const objects = Array.from({ length: count }, (_, i) => {
    const random = new Random(i + 1);
    const data = new Uint8Array(SIDE * SIDE * 3).fill(40);
    const [top, left] = [16 + random.integer(0, 20), 16 + random.integer(0, 20)];
    for (let y = top; y < top + 12; y++)
      for (let x = left; x < left + 12; x++) data.set([255, 200, 0], (y * SIDE + x) * 3);
    folder.write(`${name}/images/${i}.png`, encodePng({ width: SIDE, height: SIDE, channels: 3, data }));
    return {
      picture: `${i}.png`,
      category: i % 4 === 3 ? 'other' : 'square',
      box: [0, 0, SIDE, SIDE],
      landmarks: { middle: [left + 5.5, top + 5.5], corner: [4, 4] },
    };
  });
  return folder.write(`${name}/objects.json`, JSON.stringify(objects));
}

const data = squares('squares', 16);
const pictures = folder.at('squares/images');
const LAYERS = ['--layers', 'conv,conv2', '--preprocess', 'cifar10', '--iterations', '3'];
const learn = (out: string, ...more: string[]) => [
  'explanatory-graph',
  'learn',
  model,
  '--data',
  data,
  ...LAYERS,
  '--out',
  folder.at(out),
  ...more,
];
const picture = folder.at('squares/images/0.png');

describe('explanatory-graph learn', () => {
  it('learns of objects of a category, from the top layer down, and leaves no state behind', async () => {
    const record = await recordOf(learn('graph', '--category', 'square'));
    expect(record).toMatchObject({
      method: 'explanatory-graph',
      layers: [
        { layer: 'conv2', maps: [6, 6], filters: 5, parents: 0 },
        { layer: 'conv', maps: [16, 16], filters: 4, parents: 15 },
      ],
      data: { format: 'landmarks', of: 'objects', category: 'square' },
      pictures: 12,
      parameters: { seed: 1, iterations: 3, flip: true, parentWeight: 'exact' },
      skipped: [],
    });
    expect(record.files).toEqual(['graph.json', 'graph.npz', 'nodes-1-conv2.png', 'nodes-2-conv.png']);
    expect(readdirSync(folder.at('graph')).sort()).toEqual([...record.files].sort());
    const written = JSON.parse(readFileSync(folder.at('graph/graph.json'), 'utf8'));
    expect(written).toMatchObject({ format: 'unitscope-explanatory-graph', version: 1, pictures: 12 });
    expect(written.record.pictures.slice(0, 4)).toEqual(['0.png#0', '1.png#0', '2.png#0', '4.png#0']);
    expect(written.record.model.sha256).toMatch(/^[0-9a-f]{64}$/);
    // Eight patches in a row, a row for each filter with a node.
    const [width, height] = pngSize(folder.at('graph/nodes-1-conv2.png'));
    expect(width).toBe(8 * 96 + 9 * 6);
    expect(height).toBeGreaterThan(4 * 96);
  });

  it('gives the same bytes again, whole or interrupted and gone on with', async () => {
    const bytes = (out: string) => readFileSync(folder.at(`${out}/graph.npz`));
    const stop = new AbortController();
    const running = unitscope(learn('stopped', '--category', 'square', '--quiet'), stop.signal);
    const watch = setInterval(() => {
      if (existsSync(folder.at('stopped/features/chunks.npz'))) stop.abort();
    }, 1);
    const outcome = await running;
    clearInterval(watch);
    // A machine so fast that it had finished before has nothing to go on with.
    if (outcome.code === 130) {
      expect(outcome.err).toBe('unitscope: interrupted\n');
      const refused = await unitscope(learn('stopped', '--category', 'square'));
      expect(refused.err).toMatch(/holds a run that was stopped; go on with it by --resume/);
      const other = await unitscope(learn('stopped', '--category', 'other', '--resume'));
      expect(other.err).toMatch(/belongs to another run/);
      expect((await unitscope(learn('stopped', '--category', 'square', '--resume'))).code).toBe(0);
    }
    expect(bytes('stopped').equals(bytes('graph'))).toBe(true);
  });

  it('takes whole pictures of a folder, with negatives, as the released code reads the method', async () => {
    const out = folder.at('whole');
    const { code, out: text } = await unitscope([
      ...['explanatory-graph', 'learn', model, '--data', pictures, ...LAYERS, '--out', out],
      ...['--negatives', pictures, '--limit', '6', '--released', '--no-flip', '--density', '0.2,0.05'],
    ]);
    expect(code).toBe(0);
    expect(text).toMatch(/learned from 6 pictures\n/);
    expect(text).toMatch(/conv2 +6x6 +5 +\d+ +8 /);
    const { parameters, record } = JSON.parse(readFileSync(join(out, 'graph.json'), 'utf8'));
    expect(parameters).toMatchObject({
      flip: false,
      quantised: true,
      parentChoice: 'every',
      density: [0.2, 0.05],
    });
    expect(record).toMatchObject({
      data: { of: 'whole pictures', limit: 6 },
      negatives: { of: 'whole pictures' },
    });
  });

  it.each<[string, string[], number, RegExp]>([
    ['a folder with a graph', ['--out', folder.at('graph')], 2, /holds a finished graph/],
    ['a layer that is not there', ['--layers', 'conv9'], 1, /no layer "conv9"/],
    ['a layer without maps', ['--layers', 'fc'], 1, /layer fc gives no maps/],
    ['a layer twice', ['--layers', 'conv,conv'], 2, /layer conv is named twice/],
    ['no names', ['--layers', ','], 2, /names, separated by commas/],
    [
      'a category that is not there',
      ['--category', 'circle'],
      1,
      /no category "circle"; there are: square, other/,
    ],
    ['a category of whole pictures', ['--category', 'square', '--whole'], 2, /--category chooses objects/],
    ['one density for two layers', ['--density', '0.1'], 2, /--density has 1 numbers for 2 layers/],
    ['a density of 2', ['--density', '2'], 2, /above 0, at most 1/],
    ['no iterations', ['--iterations', '0'], 2, /positive integer/],
    ['a seed below 0', ['--seed', '-1'], 2, /integer from 0/],
    ['one picture', ['--whole', '--limit', '1'], 1, /two pictures or more, there are 1/],
    ['negatives that are not there', ['--negatives', folder.at('nowhere')], 1, /nowhere/],
  ])('refuses %s', async (name, more, code, line) => {
    const out = `refused-${name.replaceAll(' ', '-')}`;
    const outcome = await unitscope(learn(out, ...more));
    expect(outcome.err).toMatch(/^unitscope: [^\n]+\n$/);
    expect(outcome.err).toMatch(line);
    expect([outcome.code, outcome.out.replace(/^preprocessing.*\n/, '')]).toEqual([code, '']);
  });
});

describe('explanatory-graph parse', () => {
  const parse = (...more: string[]) => [
    ...['explanatory-graph', 'parse', model, folder.at('graph'), picture, '--preprocess', 'cifar10'],
    ...more,
  ];

  it('finds nodes where the picture has something, and draws them', async () => {
    const [png, svg] = [folder.at('drawn/heat.png'), folder.at('drawn/edges.svg')];
    const record = await recordOf(parse('--png', png, '--svg', svg));
    expect(record).toMatchObject({
      method: 'explanatory-graph-parse',
      parameters: { share: 0.1 },
      input: { path: picture },
      files: [png, svg],
    });
    const [top, low] = record.layers;
    expect([top.layer, low.layer]).toEqual(['conv2', 'conv']);
    // 8 nodes of each of 5 filters: a tenth of 40.
    expect(top.nodes).toHaveLength(4);
    for (const { pixel } of low.nodes) for (const at of pixel) expect(Number.isFinite(at)).toBe(true);
    const scores = low.nodes.map(({ score }: { score: number }) => score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    // Three tiles: the picture and a heat map of each layer.
    expect(pngSize(png)[0]).toBe(3 * 224 + 4 * 12);
    const text = readFileSync(svg, 'utf8');
    expect(text.match(/<image /g)).toHaveLength(2);
    expect(text.match(/<line /g)!.length).toBeGreaterThan(0);
    // What draws SVG takes it, with the pictures inside.
    folder.write('edges.png', await rasteriseSvg(text));
    const [width, height] = pngSize(folder.at('edges.png'));
    expect(width / height).toBeCloseTo((2 * 336 + 36) / 384, 2);
  });

  it('says it in words, and of a larger share more', async () => {
    const { out } = await unitscope(parse('--share', '0.5', '--quiet'));
    expect(out).toMatch(/^layer +found +strongest/);
    expect(out).toMatch(/conv2 +20 +\d+\.\d+ at -?\d+,-?\d+ \(/);
  });

  it('refuses what does not fit', async () => {
    const other = await folder.model('other.onnx', tinyNetwork({ dims: DIMS, activation: 'Sigmoid' }));
    const [graph, cifar] = [folder.at('graph'), ['--preprocess', 'cifar10']];
    const start = ['explanatory-graph', 'parse'];
    await expectRefusal(
      folder,
      [...start, other, graph, picture, ...cifar],
      2,
      /learned of another network than/,
    );
    await expectRefusal(
      folder,
      [...start, model, folder.at('none'), picture],
      1,
      /cannot read explanatory graph/,
    );
    await expectRefusal(folder, parse('--png', folder.at('heat.jpg')), 2, /name the file \.png/);
    await expectRefusal(folder, parse('--share', '0'), 2, /above 0 and at most 1/);
    await expectRefusal(folder, [...start, model, graph, folder.at('none.jpg'), ...cifar], 1, /none\.jpg/);
    mkdirSync(folder.at('spoiled'), { recursive: true });
    writeFileSync(folder.at('spoiled/graph.json'), '{"format": "mine"}');
    writeFileSync(folder.at('spoiled/graph.npz'), readFileSync(join(graph, 'graph.npz')));
    await expectRefusal(
      folder,
      [...start, model, folder.at('spoiled'), picture],
      1,
      /has a wrong field format/,
    );
  });
});

describe('explanatory-graph measure', () => {
  const measure = (...more: string[]) => [
    ...['explanatory-graph', 'measure', model, folder.at('graph'), '--data', data, '--preprocess', 'cifar10'],
    ...more,
  ];

  it('compares nodes with raw filters, at every landmark', async () => {
    const record = await recordOf(measure('--out', folder.at('measured')));
    expect(record).toMatchObject({
      method: 'explanatory-graph-measure',
      objects: 16,
      parameters: { protocol: 'explanatory-graph', shots: 3, seed: 1 },
      localisation: { shots: 3, objects: 13, landmarks: [{ name: 'middle' }, { name: 'corner' }] },
    });
    expect(record.instability.layers.map(({ layer }: { layer: string }) => layer)).toEqual(['conv2', 'conv']);
    for (const { nodes, filters, still } of record.instability.layers) {
      for (const { instability, interval } of [nodes, filters, still]) {
        expect(instability).toBeGreaterThan(0);
        expect(interval[0]).toBeLessThanOrEqual(interval[1]);
      }
    }
    // Written as it was printed, up to how lines are broken.
    expect(JSON.parse(readFileSync(folder.at('measured/measured.json'), 'utf8'))).toEqual(record);
    const { out } = await unitscope(measure('--category', 'square'));
    expect(out).toMatch(
      /location instability in diagonals, over 12 objects: nodes 0\.\d+, raw filters 0\.\d+, places that do not move 0\.\d+/,
    );
    expect(out).toMatch(/corner +0\.\d{4} +0\.\d{4} +0\.0000/);
  });

  it('refuses data without landmarks, and more shots than objects', async () => {
    const plain = ['explanatory-graph', 'measure', model, folder.at('graph'), '--data', pictures];
    await expectRefusal(folder, plain, 1, /has no landmarks/);
    await expectRefusal(folder, measure('--whole'), 2, /--whole has no landmarks/);
    await expectRefusal(folder, measure('--shots', '16'), 2, /leaves none of the 16 objects/);
  });

  it('is explained by --help, with examples', async () => {
    for (const command of ['learn', 'parse', 'measure']) {
      const { code, out } = await unitscope(['explanatory-graph', command, '--help']);
      expect(code).toBe(0);
      expect(out).toMatch(/Examples?:\n +unitscope explanatory-graph/);
    }
  });
});
