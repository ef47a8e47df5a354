import { Model } from '@unitscope/model';
import { evaluate, type Graph } from '@unitscope/onnx';
import { Random } from '@unitscope/tensor';
import { afterEach, describe, expect, it } from 'vitest';
import { tinyNetwork } from '../../model/test/support/networks.js';
import {
  type AscendOptions,
  type AscentObjective,
  ascend,
  gaussianBlur,
  gradientAscent,
  l2Penalty,
  normalisedAscent,
  RECIPE_NAMES,
  recipeNamed,
} from '../src/index.js';

const open: Model[] = [];
async function load(graph: Graph = tinyNetwork()): Promise<Model> {
  const model = await Model.load(graph);
  open.push(model);
  return model;
}
afterEach(() => Promise.all(open.splice(0).map((model) => model.close())));

const noise: AscendOptions = {
  start: { kind: 'noise' },
  steps: 6,
  optimiser: normalisedAscent(0.5),
  regularisers: [],
};

describe('ascend', () => {
  it('gives every sample its own objective, of any kind and layer', async () => {
    const model = await load();
    const direction = [1, -2, 0.5, 0, 3];
    const objectives: AscentObjective[] = [
      { kind: 'class', target: 2 },
      { kind: 'unit', layer: 'conv2', channel: 3 },
      { kind: 'channel', layer: 'conv', channel: 1 },
      { kind: 'direction', layer: 'conv2', direction },
      {
        kind: 'sum',
        terms: [
          { weight: 2, objective: { kind: 'unit', layer: 'conv', channel: 0, position: [3, 5] } },
          { weight: -0.5, objective: { kind: 'class', target: 1 } },
        ],
      },
    ];
    const { picture, input, score, curve, steps, record } = await ascend(model, objectives, noise);
    expect([picture.dims, input.dims, steps]).toEqual([[5, 3, 8, 8], [5, 3, 8, 8], 6]);
    const values = evaluate(
      tinyNetwork(),
      { picture: input },
      { outputs: ['conv:out', 'conv2:out', 'fc:out'] },
    );
    const [conv, conv2, fc] = ['conv:out', 'conv2:out', 'fc:out'].map((name) =>
      Array.from(values.get(name)!.data, Number),
    );
    const mean = (data: readonly number[]) => data.reduce((sum, value) => sum + value, 0) / data.length;
    const map = (sample: number, channel: number) =>
      conv2!.slice((sample * 5 + channel) * 4, (sample * 5 + channel + 1) * 4);
    const expected = [
      fc![2]!,
      map(1, 3)[3]!,
      mean(conv!.slice((2 * 4 + 1) * 64, (2 * 4 + 2) * 64)),
      direction.reduce((sum, value, c) => sum + value * mean(map(3, c)), 0),
      2 * conv![4 * 4 * 64 + 3 * 8 + 5]! - 0.5 * fc![4 * 5 + 1]!,
    ];
    for (const [sample, value] of expected.entries()) {
      expect(score[sample]).toBeCloseTo(value, 3);
      expect(score[sample]).toBeGreaterThan(curve[sample]![0]!);
      expect(curve[sample]).toHaveLength(6);
    }
    expect(record.objectives[4]).toBe('2 x unit 0 of conv at 3,5 + -0.5 x class 1');
  });

  it('is the same for the same seed, and of one objective the same alone as in a batch', async () => {
    const model = await load();
    const objective: AscentObjective = { kind: 'class', target: 2 };
    const lucid: AscendOptions = { recipe: recipeNamed('lucid'), size: [20, 21], steps: 5, seed: 4 };
    const [one, again, other] = [
      await ascend(model, objective, lucid),
      await ascend(model, objective, lucid),
      await ascend(model, objective, { ...lucid, seed: 5 }),
    ];
    expect(again.picture.data).toEqual(one.picture.data);
    expect(other.picture.data).not.toEqual(one.picture.data);
    const picture = new Random(1).normalTensor([3, 8, 8]).data;
    const start: AscendOptions = { ...noise, start: { kind: 'picture', picture } };
    const alone = await ascend(model, objective, start);
    const batch = await ascend(model, [{ kind: 'channel', layer: 'relu', channel: 0 }, objective], start);
    const second = batch.input.data.subarray(192);
    for (const [i, value] of alone.input.data.entries()) expect(second[i]).toBeCloseTo(value, 4);
  });

  it('puts a picture in 0..1 through the scale of the network', async () => {
    const scale = { channelOrder: 'bgr', gain: [2, 3, 4], offset: [-1, -0.5, 0.25] } as const;
    const picture = new Random(1).normalTensor([3, 8, 8]).data.map((value) => 1 / (1 + Math.exp(-value)));
    const { input, picture: shown } = await ascend(
      await load(),
      { kind: 'class', target: 2 },
      {
        ...{ scale, parametrisation: 'fourier', regularisers: [], steps: 1 },
        ...{ optimiser: gradientAscent(1e-12), start: { kind: 'picture', picture } },
      },
    );
    for (let c = 0; c < 3; c++) {
      for (let i = 0; i < 64; i++) {
        expect(shown.data[c * 64 + i]).toBeCloseTo(picture[c * 64 + i]!, 4);
        expect(input.data[c * 64 + i]).toBeCloseTo(
          picture[(2 - c) * 64 + i]! * scale.gain[c]! + scale.offset[c]!,
          3,
        );
      }
    }
  });

  it.each(RECIPE_NAMES)('by %s raises the objective', async (name) => {
    const { curve, score, record } = await ascend(
      await load(),
      { kind: 'channel', layer: 'conv', channel: 1 },
      {
        recipe: recipeNamed(name, 1, name.startsWith('yosinski') ? 5 : undefined),
        steps: 20,
        size: [16, 16],
        inputSize: [8, 8],
      },
    );
    expect(score[0]).toBeGreaterThan(curve[0]![0]!);
    expect(record.recipe).toBe(name);
  });

  it('tells frames and progress, and stops within a step', async () => {
    const model = await load();
    const frames: number[] = [];
    const progress: number[] = [];
    await ascend(
      model,
      { kind: 'class', target: 1 },
      {
        ...noise,
        frameEvery: 4,
        onFrame: ({ step, picture }) => {
          expect(picture.dims).toEqual([1, 3, 8, 8]);
          frames.push(step);
        },
        onProgress: ({ step }) => progress.push(step),
      },
    );
    expect([frames, progress]).toEqual([
      [4, 6],
      [0, 1, 2, 3, 4, 5, 6],
    ]);
    const stop = new AbortController();
    let last = -1;
    const run = ascend(
      model,
      { kind: 'class', target: 1 },
      {
        ...noise,
        signal: stop.signal,
        onProgress: ({ step }) => {
          last = step;
          if (step === 2) stop.abort();
        },
      },
    );
    await expect(run).rejects.toMatchObject({ code: 'aborted' });
    expect(last).toBe(2);
  });

  it('stops where the gradient is exactly 0, with a note', async () => {
    const graph = tinyNetwork();
    const dead = { ...graph.initializers.get('b2')!, data: new Float32Array(5).fill(-1e6) };
    const model = await load({ ...graph, initializers: new Map(graph.initializers).set('b2', dead) });
    const { steps, notes } = await ascend(model, { kind: 'class', target: 1 }, noise);
    expect([steps, notes]).toEqual([0, [expect.stringContaining('the gradient is exactly 0')]]);
    const woken = await ascend(model, { kind: 'class', target: 1 }, { ...noise, redirectedSteps: 3 });
    expect(woken.steps).toBe(3);
    const held = await ascend(
      model,
      { kind: 'class', target: 1 },
      { ...noise, regularisers: [l2Penalty(0.1)] },
    );
    expect(held.steps).toBe(6);
  });

  it('refuses what cannot be, in one line', async () => {
    const model = await load();
    const nan = tinyNetwork();
    const broken = { ...nan.initializers.get('b2')!, data: new Float32Array(5).fill(Number.NaN) };
    const sick = await load({ ...nan, initializers: new Map(nan.initializers).set('b2', broken) });
    const cls: AscentObjective = { kind: 'class', target: 1 };
    const cases: readonly (readonly [
      Model,
      AscentObjective | readonly AscentObjective[],
      AscendOptions,
      string,
      RegExp,
    ])[] = [
      [model, [], {}, 'wrong-use', /at least one/],
      [
        model,
        { kind: 'class', target: 5 },
        {},
        'not-found',
        /no class 5; the network has the classes 0 to 4/,
      ],
      [model, { kind: 'unit', layer: 'conv2', channel: 5 }, {}, 'not-found', /no unit 5/],
      [
        model,
        { kind: 'unit', layer: 'conv2', channel: 0, position: [2, 0] },
        {},
        'not-found',
        /map is \[2, 2\]/,
      ],
      [model, { kind: 'channel', layer: 'rellu', channel: 0 }, {}, 'not-found', /did you mean/],
      [model, { kind: 'direction', layer: 'conv', direction: [1] }, {}, 'wrong-use', /has 1 numbers/],
      [
        model,
        { kind: 'direction', layer: 'conv', direction: [1, 0, Number.NaN, 0] },
        {},
        'wrong-use',
        /is NaN/,
      ],
      [model, { kind: 'sum', terms: [] }, {}, 'wrong-use', /at least one term/],
      [model, cls, { steps: 0 }, 'wrong-use', /steps must be/],
      [model, cls, { size: [0, 4] }, 'wrong-use', /a side of 0/],
      [model, cls, { scale: { channelOrder: 'rgb', gain: [1], offset: [0] } }, 'wrong-use', /3 channels/],
      [
        model,
        cls,
        { parametrisation: 'fourier', regularisers: [gaussianBlur(1, 4)] },
        'wrong-use',
        /changes pixels/,
      ],
      [model, cls, { start: { kind: 'picture', picture: new Float32Array(7) } }, 'bad-input', /7 numbers/],
      [sick, cls, {}, 'unsupported', /at step 0 the objective of sample 0 is NaN/],
      [model, cls, { ...noise, optimiser: gradientAscent(1e38), steps: 9 }, 'unsupported', /at step \d/],
    ];
    for (const [network, objective, options, code, line] of cases) {
      const run = ascend(network, objective, { inputSize: [8, 8], ...options });
      await expect(run).rejects.toMatchObject({ code, message: expect.stringMatching(line) });
    }
    expect(() => recipeNamed('lucyd')).toThrow(/did you mean "lucid"/);
  });
});
