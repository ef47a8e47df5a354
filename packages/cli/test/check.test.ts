import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { Random } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { recordOf, unitscope } from './support/command.js';
import { pngPixels, pngSize, TemporaryFolder } from './support/files.js';
import { flatNetwork, tinyNetwork } from './support/networks.js';
import { expectRefusal } from './support/refusals.js';

const folder = new TemporaryFolder();
const model = await folder.model('tiny.onnx', tinyNetwork());
const [first, second] = [1, 2].map((seed) => folder.picture(`noise${seed}.png`, 8, seed).path);
const check = ['check', model, first!, second!, '--preprocess', 'tf'];

describe('check', () => {
  it('prints a table of verdicts for each check', async () => {
    const methods = ['--methods', 'gradient,input-times-gradient,integrated-gradients', '--steps', '4'];
    const { code, out, err } = await unitscope([...check, ...methods]);
    expect([code, err]).toEqual([0, '']);
    const lines = out.split('\n');
    const verdictOf = (start: RegExp) => lines.filter((line) => start.test(line)).map((line) => line.trim());
    expect(verdictOf(/^gradient .* invariant$/)[0]).not.toMatch(/not invariant/);
    expect(verdictOf(/^input-times-gradient .* not invariant$/).length).toBe(1);
    expect(verdictOf(/^integrated-gradients, zero baseline .* not invariant$/).length).toBe(1);
    expect(verdictOf(/^integrated-gradients, black baseline, shifted along .*[^t] invariant$/).length).toBe(
      1,
    );
    expect(lines.some((line) => line.startsWith('parameter randomisation'))).toBe(true);
    expect(verdictOf(/^gradient .*(passes|fails|undecided)$/).length).toBe(1);
  });

  it('writes a record, charts, figures and a table, and prints the same record', async () => {
    const out = folder.at('checks');
    const args = ['--methods', 'gradient,guided-backprop,smoothgrad', '--samples', '3', '--seed', '5'];
    const record = await recordOf([...check, ...args, '--out', out]);
    expect(record).toMatchObject({ schema: 'unitscope.check/1', parameterRandomisation: { seed: 5 } });
    expect(record.model.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(record.samples.map(({ target }: { target: number }) => target)).toHaveLength(2);
    expect(record.inputShift.verdicts.map(({ name }: { name: string }) => name)).toEqual([
      'gradient',
      'guided-backprop',
      'smoothgrad',
    ]);
    const [, , smooth] = record.parameterRandomisation.results;
    expect(smooth.parameters).toMatchObject({ samples: 3, seed: 5 });
    const steps = record.parameterRandomisation.results[0].orders.cascading;
    expect(steps.map(({ layer }: { layer: string }) => layer)).toEqual(['fc', 'conv2', 'conv']);
    expect(JSON.parse(readFileSync(`${out}/check.json`, 'utf8'))).toEqual(record);
    const files = readdirSync(out).sort();
    expect(files).toEqual([...record.files, 'check.json'].sort());
    expect(files.filter((name) => name.endsWith('.svg')).length).toBe(12);
    for (const name of ['cascading-01', 'cascading-02', 'independent-01', 'input-shift-02'])
      expect(pngSize(`${out}/${name}.png`)[0]).toBeGreaterThan(400);
    expect(pngPixels(`${out}/cascading-01.png`)).not.toEqual(pngPixels(`${out}/cascading-02.png`));
    const rows = readFileSync(`${out}/randomisation.csv`, 'utf8').trim().split(/\r?\n/);
    expect(rows[0]).toBe('method,order,layer,forgotten,maps,measure,mean,interval,pictures');
    // 3 methods, 2 orders, 3 layers, 2 kinds of map, 3 measures.
    expect(rows.length).toBe(1 + 3 * 2 * 3 * 2 * 3);
    // SSIM has no window and HOG no cell in a picture of 8 x 8.
    expect(rows.filter((row) => /structuralSimilarity,,,0$/.test(row)).length).toBe(36);
    expect(readFileSync(`${out}/cascading-signed-rank.svg`, 'utf8')).toMatch(/^<svg/);
  });

  it('takes a shift, layers, an order and a class of its own', async () => {
    const number = await recordOf([...check, '--check', 'input-shift', '--shift', '-0.5', '--target', '3']);
    expect(number.inputShift.shifts).toMatchObject([{ name: '-0.5', largest: 0.5 }]);
    expect(number.parameterRandomisation).toBeUndefined();
    expect(number.samples.map(({ target }: { target: number }) => target)).toEqual([3, 3]);
    const picture = await recordOf([...check, '--check', 'input-shift', '--shift', second!]);
    expect(picture.inputShift.shifts[0].name).toBe('picture');
    expect(picture.inputShift.shifts[0].largest).toBeGreaterThan(1.5);
    const one = ['--check', 'parameter-randomisation', '--methods', 'gradient'];
    const chosen = await recordOf([...check, ...one, '--layers', 'conv2,fc', '--order', 'independent']);
    const [{ orders, verdict }] = chosen.parameterRandomisation.results;
    expect(Object.keys(orders)).toEqual(['independent']);
    expect(orders.independent.map(({ layer }: { layer: string }) => layer)).toEqual(['fc', 'conv2']);
    expect(verdict).toBeNull();
    expect(chosen.inputShift).toBeUndefined();
  });

  it('takes arrays for a network without maps', async () => {
    const flat = await folder.model('flat.onnx', flatNetwork());
    const array = folder.array('numbers.npy', new Random(1).normalTensor([2, 10]));
    const args = ['--check', 'input-shift', '--methods', 'gradient,input-times-gradient'];
    const { inputShift } = await recordOf(['check', flat, array, ...args]);
    expect(inputShift.verdicts.map(({ invariant }: { invariant: boolean }) => invariant)).toEqual([
      true,
      false,
    ]);
    expect(inputShift.shifts.length).toBe(1);
  });

  it('ends when it is interrupted, and leaves nothing behind', async () => {
    const abort = new AbortController();
    abort.abort();
    const out = folder.at('aborted');
    const { code, err } = await unitscope([...check, '--out', out], abort.signal);
    expect([code, err]).toEqual([130, 'unitscope: interrupted\n']);
    expect(existsSync(out)).toBe(false);
  });
});

describe('what cannot be checked', () => {
  const out = ['--out', folder.at('refused')];
  it.each([
    [['--methods', 'gradeint'], 2, /no method "gradeint"; did you mean "gradient"/],
    [['--check', 'shift'], 2, /Allowed choices are input-shift, parameter-randomisation, all/],
    [['--layers', '0'], 2, /It must be a positive integer/],
    [['--layers', 'conv9'], 1, /no layer with weights "conv9"; did you mean "conv/],
    [['--order', 'upwards'], 2, /Allowed choices are cascading, independent, both/],
    [['--shift', 'far'], 1, /cannot read picture far/],
    [['--shift', 'x.npy'], 2, /--shift x\.npy: give a number or a picture/],
    [['--shift', '1e9', '--check', 'input-shift'], 1, /the scores differ by .* take a smaller shift/],
    [['--shift', '1', '--check', 'parameter-randomisation'], 2, /--shift is about the check input-shift/],
    [['--tolerance', '0'], 2, /It must be a number above 0/],
    [['--steps', '5'], 2, /--steps is about integrated-gradients; none of them was asked for/],
    [['--target', '99'], 1, /99/],
    [['--target', 'cat'], 2, /--target "cat" is neither top1 nor a number/],
    [['--seed', '-1'], 2, /It must be a whole number/],
  ] as const)('%j', (args, code, line) => expectRefusal(folder, [...check, ...args, ...out], code, line));

  it('a network of no convolution by Grad-CAM, weights that are NaN, an array in place of a picture', async () => {
    const flat = await folder.model('flat2.onnx', flatNetwork());
    const array = folder.array('ten.npy', { dims: [1, 10], data: new Float32Array(10).fill(1) });
    await expectRefusal(folder, ['check', flat, array, '--methods', 'grad-cam'], 1, /no convolution/);
    const graph = tinyNetwork();
    const weight = graph.initializers.get('w1')!;
    const data = new Float32Array(108).fill(Number.NaN);
    const broken = await folder.model('nan.onnx', {
      ...graph,
      initializers: new Map(graph.initializers).set('w1', { ...weight, data }),
    });
    for (const name of ['input-shift', 'parameter-randomisation']) {
      const args = ['check', broken, first!, '--check', name, '--methods', 'gradient'];
      await expectRefusal(folder, args, 1, /NaN/);
    }
    await expectRefusal(folder, ['check', model, array], 1, /ten\.npy has dims \[1, 10\]/);
  });
});
