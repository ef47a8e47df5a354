import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { Random, readNpy } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { recordOf, unitscope } from './support/command.js';
import { pngSize, TemporaryFolder } from './support/files.js';
import { labelledPictures } from './support/labelled.js';
import { flatNetwork, steepNetwork, tinyNetwork } from './support/networks.js';
import { expectRefusal } from './support/refusals.js';

const folder = new TemporaryFolder();
const model = await folder.model('tiny.onnx', tinyNetwork());
const flat = await folder.model('flat.onnx', flatNetwork());
const names = folder.write('names.txt', 'cat\ndog\nowl\nfox\nant\n');
const [first, second] = [folder.picture('a.png', 8, 1), folder.picture('b.png', 8, 2)];
const steep = await folder.model('steep.onnx', steepNetwork());
const ten = folder.array('ten.npy', new Random(1).normalTensor([1, 10]));
const attack = ['attack', model, first.path, second.path, '--preprocess', 'raw255'];
let runs = 0;
const outFolder = () => folder.at(`out${++runs}`);

/** The grey levels of an input by the preprocessing raw255 and those of a picture of these pixels, channel by channel. */
function largestChange(values: Float32Array, pixels: Uint8Array): number {
  const plane = pixels.length / 3;
  return Math.max(
    ...values.map((value, i) => Math.abs(value - pixels[(i % plane) * 3 + Math.floor(i / plane)]!)),
  );
}

interface SampleRecord {
  readonly success: boolean;
  readonly norms: { readonly linf: number; readonly l2: number; readonly linfLevels: number };
  readonly units: readonly { readonly unit: number; readonly change: number; readonly detects?: unknown }[];
}

// Figures are drawn in full size, which takes its time on a machine that does much else.
describe('attack', { timeout: 60_000 }, () => {
  it('writes a record, the pictures as arrays, and a figure of each', async () => {
    const out = outFolder();
    const record = await recordOf([
      ...attack,
      '--classes',
      names,
      '--epsilon',
      '30',
      '--seed',
      '4',
      '--out',
      out,
    ]);
    expect(record).toMatchObject({
      schema: { name: 'unitscope.attack', version: 1 },
      attack: { method: 'pgd', norm: 'linf', seed: 4, steps: 10, randomStart: true, targeted: false },
      layer: 'conv2',
      explanation: { method: 'grad-cam' },
      preprocessing: { name: 'raw255' },
    });
    expect(record.attack.epsilon).toBeCloseTo(30 / 255, 12);
    expect([record.model.sha256, record.samples[0].sha256]).toEqual([
      expect.stringMatching(/^[0-9a-f]{64}$/),
      expect.stringMatching(/^[0-9a-f]{64}$/),
    ]);
    expect(record.samples.map(({ norms }: SampleRecord) => norms.linfLevels <= 30 + 1e-9)).toEqual([
      true,
      true,
    ]);
    expect(readdirSync(out).sort()).toEqual(['001-a.png', '002-b.png', 'adversarial.npy', 'attack.json']);
    expect(JSON.parse(readFileSync(`${out}/attack.json`, 'utf8'))).toEqual(record);
    expect(pngSize(`${out}/001-a.png`)[0]).toBe(6 * 224 + 7 * 12);
    const { dims, data } = readNpy(readFileSync(`${out}/adversarial.npy`));
    expect(dims).toEqual([2, 3, 8, 8]);
    const values = data as Float32Array;
    expect(largestChange(values.subarray(0, 192), first.pixels)).toBeLessThan(30.001);
    expect(largestChange(values.subarray(192), second.pixels)).toBeLessThan(30.001);
    expect(values.every((value) => value > -0.001 && value < 255.001)).toBe(true);

    // What is written is what was attacked: the network says of it what the record says.
    const again = await recordOf(['explain', model, `${out}/adversarial.npy`, '--method', 'gradient']);
    again.samples.forEach(({ target }: { target: number }, n: number) => {
      expect(target).toBe(record.samples[n].after.index);
    });
  });

  it('is the same for the same seed', async () => {
    const [one, two] = [outFolder(), outFolder()];
    const alone = ['attack', model, first.path, '--preprocess', 'raw255', '--steps', '3'];
    const records = [await recordOf([...alone, '--out', one]), await recordOf([...alone, '--out', two])];
    expect(records[1]).toEqual(records[0]);
    for (const name of readdirSync(one))
      expect(readFileSync(`${two}/${name}`)).toEqual(readFileSync(`${one}/${name}`));
  });

  it('takes fgsm, l2, targets by name, ranges, starts and other layers', async () => {
    const fgsm = await recordOf([...attack, '--method', 'fgsm', '--epsilon', '3', '--out', outFolder()]);
    expect(fgsm.attack).toMatchObject({ method: 'fgsm', steps: 1, randomStart: false });
    for (const { norms } of fgsm.samples) expect(norms.linfLevels).toBeCloseTo(3, 9);
    const l2 = await recordOf([
      ...[
        ...attack,
        '--norm',
        'l2',
        '--range',
        '1',
        '--epsilon',
        '0.5',
        '--steps',
        '3',
        '--step-size',
        '0.3',
      ],
      ...['--start', 'picture', '--target', 'fox', '--classes', names, '--layer', 'conv', '--explain', 'lrp'],
      ...['--out', outFolder()],
    ]);
    expect(l2.attack).toMatchObject({ epsilon: 0.5, stepSize: 0.3, randomStart: false, targeted: true });
    expect(l2.samples.map(({ units }: SampleRecord) => units.length)).toEqual([4, 4]);
    for (const { norms, target, before, after } of l2.samples) {
      expect(norms.l2).toBeLessThan(0.5 + 1e-9);
      expect(target.before.class).toBe('fox');
      expect(after.score - target.after.score).toBeLessThan(before.score - target.before.score);
    }
  });

  it('takes arrays of one channel as pictures in 0..1', async () => {
    const grey = await folder.model('grey.onnx', tinyNetwork({ dims: ['N', 1, 8, 8] }));
    const array = folder.array('grey.npy', {
      dims: [2, 1, 8, 8],
      data: new Random(3).normalTensor([2, 1, 8, 8]).data.map((value) => Math.min(1, Math.abs(value))),
    });
    const out = outFolder();
    const { samples } = await recordOf(['attack', grey, array, '--out', out]);
    expect(samples.map(({ png }: { png: string }) => png)).toEqual(['001-grey-0.png', '002-grey-1.png']);
    expect(pngSize(`${out}/002-grey-1.png`)[0]).toBe(6 * 224 + 7 * 12);
  });

  it('says which concepts changed, of the layer that was dissected', async () => {
    const data = labelledPictures(folder, 'labelled', 12);
    const concepts = folder.at('concepts');
    const dissected = await unitscope([
      ...[
        'dissect',
        model,
        '--data',
        data,
        '--layer',
        'conv2',
        '--preprocess',
        'raw255',
        '--quantile',
        '0.2',
      ],
      ...['--quiet', '--out', concepts],
    ]);
    expect(dissected).toMatchObject({ code: 0, err: '' });
    const dissection = JSON.parse(readFileSync(`${concepts}/dissection.json`, 'utf8'));
    const detectors = dissection.units.filter(
      ({ iou }: { iou: number }) => iou > dissection.parameters.iouThreshold,
    );
    expect(detectors.length).toBeGreaterThan(0);
    const given = [...attack, '--dissection', `${concepts}/dissection.json`];
    const { samples } = await recordOf([...given, '--layer', 'conv2', '--out', outFolder()]);
    for (const { units, concepts: found } of samples) {
      for (const { unit, label } of detectors) {
        const changed = units.find((one: { unit: number }) => one.unit === unit);
        expect(changed.detects.concept).toBe(label.name);
        expect(found.find(({ concept }: { concept: string }) => concept === label.name).units).toContain(
          unit,
        );
      }
    }
    const [{ units, concepts: found }] = samples;
    const [{ units: own, before, after }] = found;
    const sum = (when: 'before' | 'after') =>
      units
        .filter(({ unit }: { unit: number }) => own.includes(unit))
        .reduce((total: number, unit: { mean: Record<string, number> }) => total + unit.mean[when]!, 0);
    expect(before).toBeCloseTo(sum('before'), 9);
    expect(after).toBeCloseTo(sum('after'), 9);
    await expectRefusal(
      folder,
      [...given, '--layer', 'conv', '--out', folder.at('no')],
      2,
      /dissects conv2, not conv/,
    );
    const other = folder.write(
      'other.json',
      JSON.stringify({ ...dissection, model: { ...dissection.model, sha256: '0'.repeat(64) } }),
    );
    await expectRefusal(
      folder,
      [...attack, '--dissection', other, '--out', folder.at('no')],
      2,
      /another network/,
    );
    const broken = folder.write('broken.json', JSON.stringify({ ...dissection, units: [{ unit: 'x' }] }));
    await expectRefusal(
      folder,
      [...attack, '--dissection', broken, '--out', folder.at('no')],
      1,
      /units\.0\.unit/,
    );
  });

  it('ends when it is interrupted, without a file that is half written', async () => {
    const before = folder.contents();
    const args = [...attack, '--steps', '1000000', '--out', folder.at('stopped')];
    expect(await unitscope(args, AbortSignal.timeout(150))).toMatchObject({
      code: 130,
      err: 'unitscope: interrupted\n',
    });
    expect(folder.contents()).toEqual(before);
    expect(existsSync(folder.at('stopped'))).toBe(false);
  });

  const none = folder.at('none');
  const own = [model, first.path, '--preprocess', 'raw255'];
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [[model], 2, /missing required argument 'input'/],
    [[...own, '--method', 'cw'], 2, /Allowed choices are fgsm, pgd/],
    [[...own, '--norm', 'l1'], 2, /Allowed choices are linf, l2/],
    [[...own, '--epsilon', '0'], 2, /above 0/],
    [[...own, '--epsilon', '300'], 2, /more than the whole range of a picture, 255/],
    [[...own, '--epsilon', '2', '--range', '1'], 2, /more than the whole range of a picture, 1 /],
    [[...own, '--steps', '0'], 2, /positive integer/],
    [[...own, '--step-size', '-1'], 2, /above 0/],
    [[...own, '--seed', '1.5'], 2, /whole number/],
    [[...own, '--method', 'fgsm', '--steps', '2'], 2, /--steps is about pgd/],
    [[...own, '--method', 'fgsm', '--seed', '2'], 2, /--seed is about pgd/],
    [[...own, '--method', 'fgsm', '--norm', 'l2'], 2, /under l2 take --method pgd/],
    [[...own, '--target', '9'], 1, /no class 9; the network has the classes 0 to 4/],
    [[...own, '--target', 'top1'], 2, /names the class to reach/],
    [[...own, '--target', 'owl'], 2, /--classes FILE/],
    [[...own, '--layer', 'cnv'], 1, /did you mean "conv"/],
    [[...own, '--layer', 'fc'], 2, /not maps/],
    [[...own, '--explain', 'gradcam'], 2, /did you mean "grad-cam"/],
    [[...own, '--dissection', folder.at('none.json')], 1, /none\.json/],
    [[...own, '--out', first.path], 1, /cannot write/],
    [[model, folder.at('none.jpg')], 1, /none\.jpg/],
    [[model, ten], 1, /the network takes/],
    [[flat, ten], 1, /no convolution/],
    [
      [steep, folder.array('steep.npy', { dims: [1, 3, 4, 4], data: new Float32Array(48).fill(1) })],
      1,
      /check the weights/,
    ],
  ];
  it.each(cases)('refuses %j', async (args, code, line) => {
    await expectRefusal(
      folder,
      ['attack', ...args, ...(args.includes('--out') ? [] : ['--out', none])],
      code,
      line,
    );
  });

  it('refuses arrays that are no pictures of the preprocessing', async () => {
    const wild = folder.array('wild.npy', new Random(2).normalTensor([1, 3, 8, 8], 0, 900));
    await expectRefusal(
      folder,
      ['attack', model, wild, '--preprocess', 'raw255', '--out', none],
      1,
      /range of pictures/,
    );
  });

  it('asks for a folder', async () => {
    await expectRefusal(folder, attack, 2, /required option '--out <dir>' not specified/);
  });
});
