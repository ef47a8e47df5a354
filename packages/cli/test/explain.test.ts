import { Model } from '@unitscope/model';
import { Random, type Tensor } from '@unitscope/tensor';
import { explain, methodNamed, methods } from '@unitscope/visualization';
import { describe, expect, it } from 'vitest';
import { recordOf, unitscope } from './support/command.js';
import { TemporaryFolder } from './support/files.js';
import { tinyNetwork } from './support/networks.js';

const folder = new TemporaryFolder();
const model = await folder.model('tiny.onnx', tinyNetwork());
const picture = folder.picture('noise.png').path;
const tensor: Tensor = new Random(5).normalTensor([2, 3, 8, 8]);
const array = folder.array('two.npy', tensor);
const names = folder.write('names.txt', 'cat\ndog\nowl\ncrane\ncrane\n');

const raw = ['--preprocess', 'raw255'];

describe('explain, in text', () => {
  it('prints the preprocessing, the top classes and nothing else', async () => {
    const { code, out, err } = await unitscope(['explain', model, picture, '--classes', names, ...raw]);
    expect([code, err]).toEqual([0, '']);
    const lines = out.trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toBe('preprocessing raw255: stretched whole (bilinear); RGB; v');
    expect(lines[1]).toMatch(/^noise\.png: \w+ \(\d\) [\d.]+ %, \w+ \(\d\) [\d.]+ %, \w+ \(\d\) [\d.]+ %$/);
  });

  it('says that it took the default preprocessing', async () => {
    const { out } = await unitscope(['explain', model, picture]);
    expect(out).toMatch(/^preprocessing imagenet: .* \(the default; see --preprocess\)$/m);
  });

  it('says no preprocessing for arrays, and names their samples', async () => {
    const { out } = await unitscope(['explain', model, array]);
    expect(out).toMatch(/^two\.npy\[0\]: class \d .*\ntwo\.npy\[1\]: class \d .*\n$/);
  });

  it('prints results only with --quiet', async () => {
    const { out } = await unitscope(['explain', model, picture, '--quiet', '--png', folder.at('quiet.png')]);
    expect(out).toMatch(/^noise\.png: class \d [^\n]*\n$/);
  });

  it('names the class asked for where it is not the top one', async () => {
    const { samples } = await recordOf(['explain', model, picture, ...raw]);
    const other = (samples[0].target + 1) % 5;
    const { out } = await unitscope([
      'explain',
      model,
      picture,
      '--target',
      String(other),
      '--quiet',
      ...raw,
    ]);
    expect(out).toContain(`; explained: class ${other}, score `);
  });

  it('notes an activation a method has no rule of its own for', async () => {
    const elu = await folder.model('elu.onnx', tinyNetwork({ activation: 'Elu' }));
    const { code, out } = await unitscope(['explain', elu, picture, '--method', 'guided-backprop']);
    expect(code).toBe(0);
    expect(out).toMatch(/^note: .*Elu/m);
    const plain = await unitscope(['explain', elu, picture, '--method', 'gradient']);
    expect(plain.out).not.toContain('note:');
  });
});

describe('explain, as a record', () => {
  it('has these fields for a class', async () => {
    const record = await recordOf(['explain', model, picture, array, ...raw, '--method', 'all', '--plan']);
    expect(Object.keys(record)).toEqual([
      'unitscope',
      'model',
      'engine',
      'objective',
      'inputs',
      'samples',
      'explanations',
      'files',
    ]);
    expect(record.model).toEqual({ path: model, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(record.engine).toEqual({
      requested: 'auto',
      name: expect.any(String),
      versions: expect.any(Object),
      lowering: expect.any(String),
      ...(record.engine.lowering === 'blocked' ? { block: expect.any(Number) } : {}),
    });
    expect(record.objective).toEqual({ kind: 'class', score: 'logit' });
    expect(record.inputs).toHaveLength(2);
    expect(record.inputs[0]).toEqual({
      path: picture,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      format: 'png',
      width: 8,
      height: 8,
      preprocessing: expect.objectContaining({ name: 'raw255' }),
      size: { height: 8, width: 8 },
    });
    expect(record.inputs[1]).toEqual({
      path: array,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      dims: [2, 3, 8, 8],
    });
    expect(record.samples.map(({ path, index }: { path: string; index: number }) => [path, index])).toEqual([
      [picture, 0],
      [array, 0],
      [array, 1],
    ]);
    for (const sample of record.samples) {
      expect(Object.keys(sample)).toEqual(['path', 'index', 'target', 'score', 'top']);
      expect(sample.top).toHaveLength(5);
      expect(Object.keys(sample.top[0])).toEqual(['index', 'logit', 'probability']);
      expect(sample.target).toBe(sample.top[0].index);
      expect(sample.score).toBe(sample.top[0].logit);
      const total = sample.top.reduce(
        (sum: number, { probability }: { probability: number }) => sum + probability,
        0,
      );
      expect(total).toBeCloseTo(1, 12);
    }
    expect(record.explanations.map(({ method }: { method: string }) => method)).toEqual(
      methods.map(({ name }) => name),
    );
    for (const explanation of record.explanations) {
      const complete = explanation.method === 'integrated-gradients' ? ['completeness'] : [];
      const plan = explanation.method === 'occlusion' ? [] : ['plan'];
      const fields = ['method', 'parameters', ...complete, 'dims', 'min', 'max', 'notes', ...plan];
      expect(Object.keys(explanation)).toEqual(fields);
      const grey = ['saliency-map', 'grad-cam', 'occlusion'].includes(explanation.method);
      expect(explanation.dims).toEqual([3, grey ? 1 : 3, 8, 8]);
      expect(explanation.max).toBeGreaterThan(explanation.min);
    }
    expect(record.files).toEqual({});
  });

  it('has names where they are given, files where they are written, and no plan unless asked for', async () => {
    const [png, npy] = [folder.at('record.png'), folder.at('record.npy')];
    const record = await recordOf([
      'explain',
      model,
      picture,
      '--classes',
      names,
      '--png',
      png,
      '--raw',
      npy,
    ]);
    expect(record.files).toEqual({ png, raw: npy });
    expect(Object.keys(record.samples[0])).toEqual(['path', 'index', 'target', 'class', 'score', 'top']);
    expect(Object.keys(record.samples[0].top[0])).toEqual(['index', 'logit', 'probability', 'class']);
    expect(record.explanations[0]).not.toHaveProperty('plan');
  });
});

describe('what is explained', () => {
  it('takes a class by its number and by its name, whatever the case', async () => {
    const byNumber = await recordOf(['explain', model, picture, '--target', '2']);
    const byName = await recordOf(['explain', model, picture, '--target', 'OWL', '--classes', names]);
    expect(byNumber.samples[0].target).toBe(2);
    expect(byName.samples[0]).toMatchObject({ target: 2, class: 'owl', score: byNumber.samples[0].score });
  });

  it("takes every sample's own top class by default", async () => {
    const usual = await recordOf(['explain', model, picture, array]);
    const asked = await recordOf(['explain', model, picture, array, '--target', 'top1']);
    expect(asked).toEqual(usual);
  });

  it('takes the score after the softmax', async () => {
    const asked = ['--target', '1', '--score', 'probability', '--method', 'gradient'];
    const record = await recordOf(['explain', model, picture, ...asked]);
    expect(record.objective).toEqual({ kind: 'class', score: 'probability' });
    const { top, score } = record.samples[0];
    const { probability } = top.find(({ index }: { index: number }) => index === 1);
    expect(Math.abs(score - probability)).toBeLessThan(1e-6);
  });

  it('takes a unit where it is strongest, at a position, and as a mean', async () => {
    const common = ['explain', model, array, '--layer', 'pool'];
    const strongest = await recordOf([...common, '--unit', '2']);
    expect(strongest.objective).toEqual({ kind: 'unit', layer: 'pool', channel: 2, position: 'max' });
    expect(Object.keys(strongest.samples[0])).toEqual(['path', 'index', 'target', 'position', 'score']);

    const activations = await (await Model.load(model)).activations(['pool'], tensor);
    const map = Array.from(activations.get('pool')!.data.subarray(2 * 16, 3 * 16));
    const highest = map.indexOf(Math.max(...map));
    const position = [Math.floor(highest / 4), highest % 4];
    expect(strongest.samples[0]).toMatchObject({ target: 2, position, score: map[highest] });

    const placed = await recordOf([...common, '--unit', '2,1,3']);
    expect(placed.objective).toEqual({ kind: 'unit', layer: 'pool', channel: 2, position: [1, 3] });
    expect(placed.samples[0]).toMatchObject({ target: 2, position: [1, 3], score: map[7] });

    const mean = await recordOf([...common, '--unit', '2,mean']);
    expect(mean.objective).toEqual({ kind: 'unit', layer: 'pool', channel: 2, position: 'mean' });
    expect(mean.samples[0]).not.toHaveProperty('position');
    const average = map.reduce((sum, value) => sum + value, 0) / 16;
    expect(Math.abs(mean.samples[0].score - average)).toBeLessThan(1e-6);

    const { out } = await unitscope([...common, '--unit', '2,1,3', '--quiet']);
    expect(out).toMatch(/^two\.npy\[0\]: unit 2 of pool at 1,3, activation [\d.e-]+$/m);
    const meanText = await unitscope([...common, '--unit', '2,mean', '--quiet']);
    expect(meanText.out).toMatch(/^two\.npy\[0\]: unit 2 of pool, mean activation [\d.e-]+$/m);
  });

  it('takes a layer by its value and last-conv, and says its name', async () => {
    const byValue = await recordOf(['explain', model, array, '--layer', 'conv2:out', '--unit', '0']);
    const last = await recordOf(['explain', model, array, '--layer', 'last-conv', '--unit', '0']);
    expect(last).toEqual(byValue);
    expect(last.objective.layer).toBe('conv2');
  });

  it('does every method once, in the order they are named', async () => {
    const asked = 'deconvnet, gradient,deconvnet';
    const { explanations } = await recordOf(['explain', model, array, '--method', asked]);
    expect(explanations.map(({ method }: { method: string }) => method)).toEqual(['deconvnet', 'gradient']);
  });

  it('explains a network of open size at --size', async () => {
    const open = await folder.model('open.onnx', tinyNetwork({ dims: ['N', 3, 'h', 'w'] }));
    const { explanations, inputs } = await recordOf(['explain', open, picture, '--size', '12x10']);
    expect(explanations[0].dims).toEqual([1, 3, 12, 10]);
    expect(inputs[0].size).toEqual({ height: 12, width: 10 });
  });

  it('gives the same whatever the batch size and threads', async () => {
    const usual = await recordOf(['explain', model, picture, array]);
    const single = await recordOf(['explain', model, picture, array, '--batch-size', '1', '--threads', '1']);
    // One picture at a time is summed in another order than several.
    const targets = (record: typeof usual) => record.samples.map(({ target }: { target: number }) => target);
    expect(targets(single)).toEqual(targets(usual));
    single.samples.forEach(({ score }: { score: number }, i: number) => {
      expect(score).toBeCloseTo(usual.samples[i].score, 4);
    });
  });
});

describe('preprocessing', () => {
  const mean = [0.485, 0.456, 0.406];
  const std = [0.229, 0.224, 0.225];
  it.each([
    ['imagenet', { channelOrder: 'rgb', scale: 255, mean, std }],
    ['tf', { channelOrder: 'rgb', scale: 127.5, mean: [1, 1, 1], std: [1, 1, 1] }],
    ['caffe', { channelOrder: 'bgr', scale: 1, mean: [104, 117, 123], std: [1, 1, 1] }],
    ['cifar10', { channelOrder: 'rgb', scale: 255, mean, std }],
    ['raw255', { channelOrder: 'rgb', scale: 1, mean: [0, 0, 0], std: [1, 1, 1] }],
  ])('%s is applied and recorded', async (name, expected) => {
    const { inputs } = await recordOf(['explain', model, picture, '--preprocess', name]);
    expect(inputs[0].preprocessing).toMatchObject({ name, ...expected });
  });

  it('of a JSON file turns pixels into the numbers it says', async () => {
    const file = folder.write(
      'own.json',
      JSON.stringify({
        resize: 'stretch',
        crop: 1,
        filter: 'bilinear',
        channelOrder: 'bgr',
        scale: 2,
        mean: [1, 2, 3],
        std: [4, 5, 8],
      }),
    );
    const { path, pixels } = folder.picture('own.png', 8, 3);
    const record = await recordOf(['explain', model, path, '--preprocess', file, '--method', 'gradient']);
    expect(record.inputs[0].preprocessing.name).toBe('own');

    const data = new Float32Array(3 * 64);
    for (let c = 0; c < 3; c++) {
      for (let i = 0; i < 64; i++) {
        data[c * 64 + i] = (pixels[3 * i + 2 - c]! / 2 - [1, 2, 3][c]!) / [4, 5, 8][c]!;
      }
    }
    const loaded = await Model.load(model);
    const expected = await explain(loaded, methodNamed('gradient'), { dims: [1, 3, 8, 8], data });
    await loaded.close();
    expect(record.samples[0]).toMatchObject({ target: expected.target[0], score: expected.score[0] });
  });
});
