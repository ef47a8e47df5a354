import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Model } from '@unitscope/model';
import { emptyGraph, evaluate, type Graph, GraphBuilder } from '@unitscope/onnx';
import { Random, type Tensor } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkInputShift,
  compensateShift,
  explain,
  gradientMethod,
  inputTimesGradientMethod,
  integratedGradientsMethod,
  methods,
  shiftCases,
  standardShifts,
} from '../src/index.js';
import { goldensAreThere } from './support/goldens.js';
import { closedAfterwards, load } from './support/open-models.js';

interface Shape {
  readonly padded?: boolean;
  readonly bias?: boolean;
  /** Something affine before the first layer: what a network does with raw pixels. */
  readonly scaled?: boolean;
  readonly normalised?: boolean;
  readonly side?: number;
  readonly seed?: number;
}

/** conv1 (3 x 3) - relu - max-pool - conv2 - relu - mean - fc, of 3 classes. */
function network({ padded, bias = true, scaled, normalised, side = 12, seed = 3 }: Shape = {}): Graph {
  const random = new Random(seed);
  const builder = new GraphBuilder(emptyGraph('shifted', 18));
  const weight = (dims: readonly number[], deviation = 0.5) =>
    builder.constant({ type: 'float32', ...random.normalTensor(dims, 0, deviation) }, 'weight');
  let value = builder.input({ name: 'picture', type: 'float32', dims: ['N', 2, side, side] });
  if (scaled === true) {
    value = builder.node('Sub', [value, weight([1, 2, 1, 1])]);
    value = builder.node('Mul', [value, builder.floats(0.5)]);
  }
  const pads = padded === true ? [1, 1, 1, 1] : [0, 0, 0, 0];
  const own = bias ? [weight([4])] : [];
  value = builder.node('Conv', [value, weight([4, 2, 3, 3]), ...own], { pads }, { name: 'conv1' });
  if (normalised === true) {
    const positive = (seeded: number) =>
      builder.constant({
        type: 'float32',
        dims: [4],
        data: new Random(seeded).normalTensor([4]).data.map((v) => Math.abs(v) + 0.5),
      });
    value = builder.node('BatchNormalization', [value, positive(1), weight([4]), weight([4]), positive(2)]);
  }
  value = builder.node('Relu', [value], {}, { name: 'relu1' });
  value = builder.node('MaxPool', [value], { kernel_shape: [2, 2], strides: [2, 2] });
  value = builder.node('Conv', [value, weight([5, 4, 3, 3]), weight([5])], {}, { name: 'conv2' });
  value = builder.node('Relu', [value], {}, { name: 'relu2' });
  value = builder.node('Flatten', [builder.node('GlobalAveragePool', [value])]);
  value = builder.node('Gemm', [value, weight([3, 5]), weight([3])], { transB: 1 }, { name: 'fc' });
  builder.output({ name: value, type: 'float32', dims: ['N', 3] });
  return builder.build();
}

const added = (batch: Tensor, shift: Tensor): Tensor => ({
  dims: batch.dims,
  data: batch.data.map((value, i) => value + shift.data[i % shift.data.length]!),
});

const scoresIn64Bits = (graph: Graph, batch: Tensor) =>
  Array.from(evaluate(graph, { picture: batch }).values().next().value!.data, Number);

describe('a network that makes up for a shift', () => {
  const shapes = fc.record({
    padded: fc.boolean(),
    bias: fc.boolean(),
    scaled: fc.boolean(),
    normalised: fc.boolean(),
    side: fc.integer({ min: 8, max: 11 }),
    seed: fc.integer({ min: 1, max: 1000 }),
    constant: fc.boolean(),
  });

  it('has the same scores, judged in float64', async () => {
    const check = fc.asyncProperty(shapes, async ({ constant, ...shape }) => {
      const graph = network(shape);
      const model = await Model.load(graph);
      try {
        const { side, seed } = shape;
        const batch = new Random(seed + 1).normalTensor([2, 2, side, side]);
        const random = new Random(seed + 2).normalTensor([1, 2, side, side]);
        const shift = constant ? { dims: random.dims, data: random.data.map(() => -3) } : random;
        const shifted = await compensateShift(model, shift);
        // Weights are shared: only a bias, or a constant that is added, is new.
        for (const [name, initializer] of graph.initializers) {
          if (shifted.initializers.has(name)) expect(shifted.initializers.get(name)).toBe(initializer);
        }
        const [before, after] = [scoresIn64Bits(graph, batch), scoresIn64Bits(shifted, added(batch, shift))];
        const largest = Math.max(...before.map(Math.abs));
        for (const [i, score] of before.entries())
          expect(Math.abs(after[i]! - score)).toBeLessThan(2e-5 * (largest + 1));
        expect(scoresIn64Bits(graph, added(batch, shift))).not.toEqual(before);
      } finally {
        await model.close();
      }
    });
    await fc.assert(check, { numRuns: 12, seed: 1 });
  });

  it('has a bias for each channel where that is exact, and one for each position where it is not', async () => {
    const flat = { dims: [1, 2, 12, 12], data: new Float32Array(288).fill(2) };
    const picture = new Random(9).normalTensor([1, 2, 12, 12]);
    const operators = async (shape: Shape, shift: Tensor) =>
      (await compensateShift(await load(network(shape)), shift)).nodes.filter(
        ({ operator }) => operator === 'Add',
      ).length;
    expect(await operators({}, flat)).toBe(0);
    expect(await operators({ bias: false }, flat)).toBe(0);
    expect(await operators({ padded: true }, flat)).toBe(1);
    expect(await operators({}, picture)).toBe(1);
  });

  it('is refused where nothing that is added could make up for it', async () => {
    const build = (add: (builder: GraphBuilder, input: string) => string) => {
      const builder = new GraphBuilder(emptyGraph('other', 18));
      const input = builder.input({ name: 'picture', type: 'float32', dims: ['N', 4] });
      builder.output({ name: add(builder, input), type: 'float32', dims: ['N', 4] });
      return builder.build();
    };
    const weights = (builder: GraphBuilder) =>
      builder.constant({ type: 'float32', ...new Random(1).normalTensor([4, 4]) }, 'w');
    const shift = { dims: [1, 4], data: new Float32Array(4).fill(1) };
    const refused = async (graph: Graph, line: RegExp) => {
      const model = await load(graph);
      await expect(compensateShift(model, shift)).rejects.toMatchObject({
        code: 'unsupported',
        message: expect.stringMatching(line),
      });
    };
    await refused(
      build((builder, input) => builder.node('MatMul', [builder.node('Tanh', [input]), weights(builder)])),
      /Tanh.* comes before the first layer with weights and is not affine/,
    );
    await refused(
      build((builder, input) =>
        builder.node('Add', [input, builder.node('MatMul', [input, weights(builder)])]),
      ),
      /Add.* joins the picture with what a layer has made of it/,
    );
    await refused(
      build((builder, input) => builder.node('Sub', [input, builder.floats(1)])),
      /no layer has weights/,
    );
  });
});

const workedExample = fileURLToPath(
  new URL('../../../../shared/spec/kindermans_shift.json', import.meta.url),
);
const exampleIsThere = existsSync(workedExample);
if (!exampleIsThere) console.warn('SKIPPED: ../shared/spec/kindermans_shift.json is not there');

describe.skipIf(!exampleIsThere)('the worked example of Kindermans et al.', () => {
  const example = exampleIsThere ? JSON.parse(readFileSync(workedExample, 'utf8')) : {};

  it('has the biases, scores and maps of the example', async () => {
    const builder = new GraphBuilder(emptyGraph('mlp', 18));
    const input = builder.input({ name: 'picture', type: 'float32', dims: ['N', 4] });
    const hidden = builder.node(
      'Gemm',
      [input, builder.floats(example.W.flat(), [3, 4]), builder.floats(example.b1)],
      { transB: 1 },
    );
    const score = builder.node('MatMul', [builder.node('Relu', [hidden]), builder.floats(example.v, [3, 1])]);
    builder.output({ name: score, type: 'float32', dims: ['N', 1] });
    const graph = builder.build();
    const model = await load(graph);
    const one = (values: readonly number[]): Tensor => ({
      dims: [1, values.length],
      data: Float32Array.from(values),
    });
    const [x1, x2, shift] = [one(example.x1), one(example.x2), one(example.m2)];
    const shifted = closedAfterwards(await model.loadVariant(await compensateShift(model, shift)));
    const near = (values: ArrayLike<number>, expected: readonly number[]) => {
      expect(values.length).toBe(expected.length);
      for (const [i, value] of expected.entries()) expect(values[i]).toBeCloseTo(value, 5);
    };
    const bias = shifted.graph.nodes[0]!.inputs[2]!;
    near(Array.from(shifted.graph.initializers.get(bias)!.data, Number), example.b2);

    const steps = { steps: 2000, quadrature: 'midpoint' } as const;
    const cases = [
      [gradientMethod, 'grad'],
      [inputTimesGradientMethod, 'grad_x_input_'],
      [integratedGradientsMethod(steps), 'ig_zero_baseline_'],
    ] as const;
    for (const [method, name] of cases) {
      const first = await explain(model, method, x1);
      near(first.score, [example.f1]);
      near(first.map.data, example[`${name}1`]);
      const second = await explain(shifted, method, x2);
      near(second.score, [example.f2]);
      near(second.map.data, example[`${name}2`]);
    }
    const black = integratedGradientsMethod({ ...steps, baseline: shift });
    near((await explain(shifted, black, x2)).map.data, example.ig_black_baseline_2);
    near((await explain(model, integratedGradientsMethod(steps), x1)).map.data, example.ig_black_baseline_1);
  });
});

/** What the paper says of every case, or what follows from it for a method it does not speak of. */
const EXPECTED: Readonly<Record<string, boolean>> = {
  gradient: true,
  'saliency-map': true,
  'input-times-gradient': false,
  'integrated-gradients, zero baseline': false,
  'integrated-gradients, black baseline, shifted along': true,
  smoothgrad: true,
  'smoothgrad-squared': true,
  vargrad: true,
  'guided-backprop': true,
  deconvnet: true,
  deconvolution: true,
  'grad-cam': true,
  'guided-grad-cam': true,
  'occlusion, zero baseline': false,
  'occlusion, black baseline, shifted along': true,
};

describe('the check of input shifts', () => {
  const small = { samples: 4, steps: 8, seed: 2 };

  it.each([
    ['unpadded', {}],
    ['padded', { padded: true }],
    ['normalised after the first layer', { padded: true, normalised: true }],
  ] as const)('gives every method the verdict of the paper: %s', async (_, shape) => {
    const model = await load(network(shape));
    const batch = new Random(5).normalTensor([3, 2, 12, 12]);
    const report = await checkInputShift(model, batch, shiftCases(batch, { ...small, black: -1 }));
    const found = Object.fromEntries(report.verdicts.map(({ name, invariant }) => [name, invariant]));
    expect(found).toMatchObject(EXPECTED);
    expect(report.shifts.map(({ name }) => name)).toEqual(['constant', 'picture']);
    for (const { scoreDifference, largest } of report.shifts) {
      expect(scoreDifference).toBeLessThan(1e-5);
      expect(largest).toBeGreaterThan(4);
    }
    for (const { invariant, shifts, allowed } of report.verdicts) {
      const worst = Math.max(...shifts.flatMap(({ deviations }) => deviations));
      expect(invariant).toBe(worst <= allowed);
      // What fails, fails by far.
      if (!invariant) expect(worst).toBeGreaterThan(0.3);
    }
  });

  it.skipIf(!goldensAreThere())(
    'tells kinks from shifts on a network of many layers',
    { timeout: 60_000 },
    async () => {
      const folder = fileURLToPath(new URL('../../../../shared/goldens/mini_alexnet/', import.meta.url));
      const model = await load(`${folder}model.onnx`);
      const dims = model.input.dims!.map((dim, axis) => (axis === 0 ? 1 : Number(dim)));
      const batch = new Random(8).normalTensor(dims);
      const names = [
        'gradient',
        'input-times-gradient',
        'guided-backprop',
        'grad-cam',
        'integrated-gradients',
      ];
      const report = await checkInputShift(model, batch, shiftCases(batch, { ...small, names }));
      for (const { name, invariant } of report.verdicts)
        expect([name, invariant]).toEqual([name, EXPECTED[name]]);
    },
  );

  it('takes shifts of the caller, the class asked for, and hands maps over', async () => {
    const model = await load(network());
    const batch = new Random(5).normalTensor([2, 2, 12, 12]);
    const maps: string[] = [];
    const progress: number[] = [];
    const report = await checkInputShift(model, batch, shiftCases(batch, { names: ['gradient'] }), {
      shifts: [{ name: 'three', shift: [3, -1] }],
      target: 1,
      onMap: ({ shift, name, explanation }) => maps.push(`${shift} ${name} ${explanation.target}`),
      onProgress: ({ done, total }) => progress.push(done / total!),
    });
    expect(report.target).toEqual([1, 1]);
    expect(maps).toEqual(['undefined gradient 1,1', 'three gradient 1,1']);
    expect(progress).toEqual([0, 1 / 3, 2 / 3, 1]);
  });

  it('refuses a shift that drowns the picture, and no methods', async () => {
    const model = await load(network());
    const batch = new Random(5).normalTensor([1, 2, 12, 12]);
    const cases = shiftCases(batch, { names: ['gradient'] });
    await expect(
      checkInputShift(model, batch, cases, { shifts: [{ name: 'flood', shift: 1e7 }] }),
    ).rejects.toMatchObject({ code: 'unsupported', subject: 'flood' });
    await expect(checkInputShift(model, batch, [])).rejects.toMatchObject({ code: 'wrong-use' });
  });

  it('ends within a step when it is aborted, and leaves no session open', async () => {
    const model = await load(network());
    const batch = new Random(5).normalTensor([1, 2, 12, 12]);
    const abort = new AbortController();
    let seen = 0;
    const run = checkInputShift(model, batch, shiftCases(batch, small), {
      signal: abort.signal,
      onProgress: () => {
        if (++seen === 3) abort.abort();
      },
    });
    await expect(run).rejects.toMatchObject({ code: 'aborted' });
    expect(seen).toBe(3);
  });

  it('has the cases of every method, and shifts of pictures of any range', () => {
    const batch = new Random(5).normalTensor([1, 2, 12, 12]);
    const names = shiftCases(batch).map(({ name }) => name);
    for (const { name } of methods) expect(names.some((found) => found.startsWith(name))).toBe(true);
    const [constant, picture] = standardShifts(batch);
    expect(constant!.shift).toBeLessThan(-4);
    expect(picture).toMatchObject({ name: 'picture', shift: { dims: [1, 2, 12, 12] } });
    expect(standardShifts({ dims: [2, 5], data: new Float32Array(10) }).length).toBe(1);
  });
});
