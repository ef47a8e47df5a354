import { GraphBuilder, type Node } from '@unitscope/onnx';
import { Random, sizeOf, type Tensor } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Rule } from '../src/rule.js';
import { add, div, mean, pow, sub, sum } from '../src/rules/arithmetic.js';
import { cast, dropout, identity } from '../src/rules/identity.js';
import { max, min } from '../src/rules/max.js';
import { gateInput, isGated, mul } from '../src/rules/mul.js';
import { where } from '../src/rules/where.js';
import {
  awayFrom,
  bools,
  buildCase,
  checkGradient,
  emitted,
  feed,
  floats,
  gradientAt,
  ints,
  scalar,
} from './support/check-gradient.js';
import { differentiateNode } from './support/rule-harness.js';

/** Two shapes that broadcast with each other: axes left out or of size 1 on either side. */
const broadcast = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.constantFrom('both', 'both', 'left', 'right')), {
    minLength: 1,
    maxLength: 4,
  })
  .chain((axes) =>
    fc.record({
      left: fc.constant(axes.map(([size, who]) => (who === 'right' ? 1 : size))),
      right: fc.constant(axes.map(([size, who]) => (who === 'left' ? 1 : size))),
      dropLeft: fc.integer({ min: 0, max: axes.length }),
      dropRight: fc.integer({ min: 0, max: axes.length }),
      seed: fc.integer({ min: 0, max: 1000 }),
    }),
  )
  .map(({ left, right, dropLeft, dropRight, seed }) => ({
    left: left.slice(dropLeft),
    right: right.slice(dropLeft > 0 ? 0 : dropRight),
    seed,
  }));

/** Numbers between 0.5 and 2.5 that differ from each other by 1/64 at least. */
function apart(seed: number, dims: readonly number[], offset: number): Tensor {
  const random = new Random(seed);
  const data = Float32Array.from({ length: sizeOf(dims) }, () => 0.5 + random.integer(0, 63) / 32 + offset);
  return { dims, data };
}

const binary: readonly (readonly [string, Rule])[] = [
  ['Add', add.gradient],
  ['Sub', sub.gradient],
  ['Mul', mul.gradient],
  ['Div', div.gradient],
  ['Pow', pow.gradient],
  ['Sum', sum.gradient],
  ['Mean', mean.gradient],
  ['Max', max.gradient],
  ['Min', min.gradient],
];

describe('broadcasting', () => {
  it.each(binary)('%s: both inputs, any two shapes', async (operator, rule) => {
    await fc.assert(
      fc.asyncProperty(broadcast, async ({ left, right, seed }) => {
        const inputs = [apart(seed, left, 0), apart(seed + 1, right, 1 / 64)];
        await checkGradient(rule, { operator, inputs }, { wrt: [0, 1], seed, components: 10 });
      }),
      { numRuns: 25, seed: 21 },
    );
  });

  it.each(binary)('%s: a bias per channel and a symbolic batch', async (operator, rule) => {
    const inputs = [apart(1, [2, 3, 2, 2], 0), floats([0.75, 1, 2], [3, 1, 1])];
    await checkGradient(rule, { operator, inputs, symbolicBatch: true });
  });

  it.each([
    ['Sum', sum.gradient],
    ['Mean', mean.gradient],
    ['Max', max.gradient],
    ['Min', min.gradient],
  ])('%s: one input and three', async (operator, rule) => {
    const inputs = [apart(1, [2, 3], 0), apart(2, [3], 1 / 128), apart(3, [2, 1], 1 / 64)];
    await checkGradient(rule, { operator, inputs }, { wrt: [0, 1, 2] });
    await checkGradient(rule, { operator, inputs }, { wrt: [1] });
    await checkGradient(rule, { operator, inputs: inputs.slice(0, 1) });
  });

  it.each([
    ['the condition as it is', [2, 3, 4], [2, 3, 4], [2, 3, 4]],
    ['repeated branches', [2, 1, 4], [3, 1], [4]],
  ])('Where: %s', async (_, condition, a, b) => {
    const chosen = bools(
      Array.from({ length: sizeOf(condition) }, (_, i) => ((i * 7) % 3 === 0 ? 1 : 0)),
      condition,
    );
    const inputs = [chosen, apart(1, a, 0), apart(2, b, 0)];
    await checkGradient(where.gradient, { operator: 'Where', inputs }, { wrt: [1, 2] });
    await checkGradient(where.gradient, { operator: 'Where', inputs }, { wrt: [2] });
  });
});

describe('one value that is read twice', () => {
  it('is multiplied once', async () => {
    const { graph } = buildCase({ operator: 'Mul', inputs: [feed([1, -2, 3]), feed([0, 0, 0])] });
    const node = graph.nodes[0]!;
    const squared = { ...graph, nodes: [{ ...node, inputs: ['in0', 'in0'] }] };
    const backward = differentiateNode(squared, mul.gradient, { wrt: ['in0'] });
    expect(backward.nodes.map(({ operator }) => operator)).toEqual(['Mul', 'Mul', 'Sum', 'Identity']);
  });
});

describe('ties', () => {
  it('go to the first input that has the value', async () => {
    const inputs = [feed([1, 2, 3, 4]), feed([1, 2, 1, 5]), feed([1, 3, 3, 5])];
    const at = (operator: string, rule: Rule, input: number) =>
      gradientAt(rule, { operator, inputs }, [1, 2, 3, 4], input);
    expect(await at('Max', max.gradient, 0)).toEqual([1, 0, 3, 0]);
    expect(await at('Max', max.gradient, 1)).toEqual([0, 0, 0, 4]);
    expect(await at('Max', max.gradient, 2)).toEqual([0, 2, 0, 0]);
    expect(await at('Min', min.gradient, 0)).toEqual([1, 2, 0, 4]);
    expect(await at('Min', min.gradient, 1)).toEqual([0, 0, 3, 0]);
    expect(await at('Min', min.gradient, 2)).toEqual([0, 0, 0, 0]);
  });
});

describe('pow', () => {
  it.each([
    ['2', scalar(2)],
    ['0.5', scalar(0.5)],
    ['-1.5', scalar(-1.5)],
    ['integers', ints([3], [])],
    ['a row', floats([0, 1, 2])],
  ])('exponent %s', async (_, exponent) => {
    await checkGradient(pow.gradient, { operator: 'Pow', inputs: [apart(1, [4, 3], 0), exponent] });
  });

  it('has its derivative at 0', async () => {
    const inputs = [feed([0, 0, 0, 0, -2]), floats([0, 1, 2, 3, 3])];
    expect(await gradientAt(pow.gradient, { operator: 'Pow', inputs }, [1, 1, 1, 1, 1])).toEqual([
      0, 1, 0, 0, 12,
    ]);
  });

  it('covers an exponent that is computed, 0 among them', async () => {
    const inputs = [feed([0, 3, 2, 0]), feed([0, 2, 0, 2])];
    expect(await gradientAt(pow.gradient, { operator: 'Pow', inputs }, [1, 1, 1, 1])).toEqual([0, 6, 0, 0]);
    const slopes = await gradientAt(pow.gradient, { operator: 'Pow', inputs }, [1, 1, 1, 1], 1);
    expect([slopes[0], slopes[3]]).toEqual([0, 0]);
    expect(slopes[1]).toBeCloseTo(9 * Math.log(3), 12);
  });
});

describe('mul.gateConstant', () => {
  const node = (operator: string, inputs: readonly string[], output: string): Node => ({
    name: output,
    operator,
    domain: '',
    inputs,
    outputs: [output],
    attributes: new Map(),
  });
  const gateOf = (nodes: readonly Node[]) => {
    const makers = new Map(nodes.flatMap((one) => one.outputs.map((output) => [output, one])));
    return gateInput(nodes.at(-1)!, (value) => makers.get(value));
  };

  it('finds the gate of squeeze-and-excitation on either side, through what only reshapes it', () => {
    const se = [node('Conv', ['x'], 'c'), node('Sigmoid', ['c'], 's'), node('Reshape', ['s', 'shape'], 'r')];
    expect(gateOf([...se, node('Mul', ['x', 'r'], 'y')])).toBe(1);
    expect(gateOf([...se, node('Mul', ['r', 'x'], 'y')])).toBe(0);
    expect(
      gateOf([node('Conv', ['x'], 'c'), node('HardSigmoid', ['c'], 's'), node('Mul', ['s', 'x'], 'y')]),
    ).toBe(0);
  });

  it('takes SiLU and products of two gates for no gate', () => {
    expect(gateOf([node('Sigmoid', ['x'], 's'), node('Mul', ['x', 's'], 'y')])).toBeUndefined();
    expect(
      gateOf([node('Identity', ['x'], 'i'), node('HardSigmoid', ['x'], 's'), node('Mul', ['s', 'i'], 'y')]),
    ).toBeUndefined();
    const two = [node('Sigmoid', ['a'], 's'), node('Sigmoid', ['b'], 't'), node('Mul', ['s', 't'], 'y')];
    expect(gateOf(two)).toBeUndefined();
    expect(gateOf([node('Conv', ['a'], 'c'), node('Mul', ['a', 'c'], 'y')])).toBeUndefined();
  });

  it('gives the gated input alone a signal', () => {
    const { graph } = buildCase({ operator: 'Mul', inputs: [feed([1, 2]), feed([3, 4])] });
    const builder = new GraphBuilder({ ...graph, nodes: [] });
    const gate = builder.node('Sigmoid', ['in1']);
    const made = builder.build();
    const y = graph.nodes[0]!;
    const gated = { ...made, nodes: [...made.nodes, { ...y, inputs: ['in0', gate] }] };
    const stated = {
      ...gated,
      valueInfo: new Map([[gate, { name: gate, type: 'float32' as const, dims: [2] }]]),
    };
    const backward = differentiateNode(stated, mul.gateConstant, { wrt: ['in0'], node: 1 });
    expect(backward.nodes.slice(2, -1).map(({ operator, inputs }) => [operator, inputs])).toEqual([
      ['Mul', ['signal', gate]],
    ]);
    expect(() => differentiateNode(stated, mul.gateConstant, { wrt: [gate], node: 1 })).toThrow(/no signal/);
    const maker = (value: string) => stated.nodes.find(({ outputs }) => outputs.includes(value));
    expect(isGated({ node: stated.nodes[1]!, maker })).toBe(true);
    expect(isGated({ node: stated.nodes[0]!, maker })).toBe(false);
  });

  it('keeps the derivative where there is no gate', async () => {
    const inputs = [awayFrom([], 1, [2, 3]), awayFrom([], 2, [2, 3])];
    await checkGradient(mul.gateConstant, { operator: 'Mul', inputs }, { wrt: [0, 1] });
  });
});

describe('what hands the signal on', () => {
  const x = awayFrom([], 1, [2, 3]);

  it('Identity and Dropout at inference', async () => {
    expect(emitted(await checkGradient(identity.gradient, { operator: 'Identity', inputs: [x] }))).toEqual(
      [],
    );
    const training = bools([0], []);
    const dropped = { operator: 'Dropout', inputs: [x, scalar(0.5), training] };
    expect(emitted(await checkGradient(dropout.gradient, dropped))).toEqual([]);
    await checkGradient(dropout.gradient, { operator: 'Dropout', inputs: [x] });
  });

  it('not Dropout in training mode', () => {
    const { graph } = buildCase({ operator: 'Dropout', inputs: [x, scalar(0.5)] });
    const builder = new GraphBuilder({ ...graph, nodes: [] });
    const training = builder.constant(bools([1], []));
    const node = graph.nodes[0]!;
    const trained = { ...builder.build(), nodes: [{ ...node, inputs: [...node.inputs, training] }] };
    expect(() => differentiateNode(trained, dropout.gradient, { wrt: ['in0'] })).toThrow(/training mode/);
  });

  it('Cast between floats', async () => {
    const same = { operator: 'Cast', inputs: [x], attributes: { to: 1 } };
    expect(emitted(await checkGradient(cast.gradient, same))).toEqual([]);
    const { graph } = buildCase({ operator: 'Cast', inputs: [x], attributes: { to: 11 } });
    const widened = { ...graph, outputs: [{ ...graph.outputs[0]!, type: 'float64' as const }] };
    const back = differentiateNode(widened, cast.gradient, { wrt: ['in0'] });
    expect(back.nodes[1]!.operator).toBe('Cast');
    expect(back.nodes[1]!.attributes.get('to')).toEqual({ kind: 'int', value: 1 });
    const integers = { ...graph, outputs: [{ ...graph.outputs[0]!, type: 'int64' as const }] };
    expect(() => differentiateNode(integers, cast.gradient, { wrt: ['in0'] })).toThrow(/no signal/);
  });
});
