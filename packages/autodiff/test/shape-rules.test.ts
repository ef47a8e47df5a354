import type { PlainAttributes } from '@unitscope/onnx';
import { sizeOf } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Rule } from '../src/rule.js';
import { concat } from '../src/rules/concat.js';
import { depthToSpace, spaceToDepth } from '../src/rules/depth-to-space.js';
import { gather } from '../src/rules/gather.js';
import { pad } from '../src/rules/pad.js';
import { reduceMax, reduceMean, reduceMin, reduceSum } from '../src/rules/reduce.js';
import { expand, flatten, reshape, squeeze, unsqueeze } from '../src/rules/reshape.js';
import { slice } from '../src/rules/slice.js';
import { split } from '../src/rules/split.js';
import { transpose } from '../src/rules/transpose.js';
import {
  buildCase,
  checkGradient,
  emitted,
  feed,
  type GradientCase,
  gradientAt,
  ints,
  scalar,
} from './support/check-gradient.js';
import { distinct, normal } from './support/check-rule.js';
import { differentiateNode } from './support/rule-harness.js';

const ENDLESS = Number.MAX_SAFE_INTEGER;
const X = normal(1, [2, 3, 4, 5]);

interface Row {
  readonly name: string;
  readonly rule: Rule;
  readonly operator: string;
  readonly inputs?: GradientCase['inputs'];
  readonly attributes?: PlainAttributes;
  /** The operators the rule may emit. */
  readonly emits: readonly string[];
  readonly symbolicBatch?: false;
}

const rows: readonly Row[] = [
  {
    name: 'to rows',
    rule: reshape.gradient,
    operator: 'Reshape',
    inputs: [ints([0, -1])],
    emits: ['Reshape'],
  },
  {
    name: 'to a vector',
    rule: reshape.gradient,
    operator: 'Reshape',
    inputs: [ints([-1])],
    emits: ['Reshape'],
    symbolicBatch: false,
  },
  { name: 'at axis 1', rule: flatten.gradient, operator: 'Flatten', emits: ['Reshape'] },
  {
    name: 'at axis 2',
    rule: flatten.gradient,
    operator: 'Flatten',
    attributes: { axis: -2 },
    emits: ['Reshape'],
    symbolicBatch: false,
  },
  {
    name: 'in reverse',
    rule: transpose.gradient,
    operator: 'Transpose',
    emits: ['Transpose'],
    symbolicBatch: false,
  },
  {
    name: 'in a cycle',
    rule: transpose.gradient,
    operator: 'Transpose',
    attributes: { perm: [0, 2, 3, 1] },
    emits: ['Transpose'],
  },
  {
    name: 'two axes',
    rule: unsqueeze.gradient,
    operator: 'Unsqueeze',
    inputs: [ints([-1, 1])],
    emits: ['Squeeze'],
  },
  {
    name: 'one output',
    rule: split.gradient,
    operator: 'Split',
    inputs: [ints([3])],
    attributes: { axis: 1 },
    emits: [],
  },
];

describe('reordering', () => {
  it.each(rows)(
    '$operator $name',
    async ({ rule, operator, inputs = [], attributes = {}, emits, symbolicBatch = true }) => {
      const backward = await checkGradient(rule, {
        operator,
        inputs: [X, ...inputs],
        attributes,
        symbolicBatch,
      });
      expect(emitted(backward)).toEqual(emits);
    },
  );

  it.each([
    ['the axes given', [ints([1, -1])]],
    ['every axis of size 1', []],
  ])('Squeeze %s', async (_, axes) => {
    const inputs = [normal(1, [2, 1, 3, 1]), ...axes];
    const backward = await checkGradient(squeeze.gradient, {
      operator: 'Squeeze',
      inputs,
      symbolicBatch: true,
    });
    expect(emitted(backward)).toEqual(['Unsqueeze']);
  });

  it.each([
    ['from size 1', [2, 1, 4], [2, 3, 4]],
    ['from fewer axes', [1, 4], [2, 3, 4]],
    ['to the same shape', [2, 3], [2, 3]],
  ])('Expand %s', async (_, from, to) => {
    await checkGradient(expand.gradient, { operator: 'Expand', inputs: [normal(1, from), ints(to)] });
  });

  it('Reshape where two sizes are known at run time only', async () => {
    const { graph } = buildCase({ operator: 'Reshape', inputs: [X, ints([-1, 20])] });
    const dims = ['N', 'C', 4, 5];
    const open = { ...graph, inputs: [{ name: 'in0', type: 'float32' as const, dims }] };
    const backward = differentiateNode(open, reshape.gradient, { wrt: ['in0'] });
    expect(backward.nodes.slice(1, -1).map(({ operator }) => operator)).toEqual(['Shape', 'Reshape']);
  });
});

describe('concat', () => {
  const inputs = [normal(1, [2, 3, 4]), normal(2, [2, 1, 4]), normal(3, [2, 2, 4])];

  it('splits the signal for all inputs', async () => {
    const node = { operator: 'Concat', inputs, attributes: { axis: 1 }, symbolicBatch: true };
    const backward = await checkGradient(concat.gradient, node, { wrt: [0, 1, 2] });
    expect(backward.nodes.filter(({ operator }) => operator !== 'Identity')).toHaveLength(2);
  });

  it.each([0, 1, 2])('cuts out the part of input %i where it is the only one', async (only) => {
    const node = { operator: 'Concat', inputs, attributes: { axis: -2 } };
    expect(emitted(await checkGradient(concat.gradient, node, { wrt: [only] }))).toEqual(['Slice']);
  });

  it('of one input hands the signal on', async () => {
    const node = { operator: 'Concat', inputs: [X], attributes: { axis: 1 } };
    expect(emitted(await checkGradient(concat.gradient, node))).toEqual([]);
  });
});

describe('split', () => {
  const node = {
    operator: 'Split',
    inputs: [normal(1, [2, 6, 3]), ints([1, 3, 2])],
    attributes: { axis: 1 },
    outputs: 3,
    symbolicBatch: true,
  };

  it('joins the signals', async () => {
    expect(emitted(await checkGradient(split.gradient, node))).toEqual(['Concat']);
  });

  it.each([0, 1, 2])('pads the only signal, at output %i', async (only) => {
    expect(emitted(await checkGradient(split.gradient, node, { signals: [only] }))).toEqual(['Pad']);
  });

  it('puts zeros where no signal arrives', async () => {
    await checkGradient(split.gradient, node, { signals: [0, 2] });
  });
});

describe('slice', () => {
  const bound = fc.oneof(fc.integer({ min: -8, max: 8 }), fc.constantFrom(ENDLESS, -ENDLESS));
  const cut = fc.record({
    start: bound,
    end: bound,
    step: fc.constantFrom(1, 1, 2, 3, -1, -2),
    take: fc.boolean(),
  });

  it('goes back to where it came from for any bounds and steps', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), cut), { minLength: 1, maxLength: 3 }),
        async (axes) => {
          const cuts = axes.flatMap(([, one], axis) => (one.take ? [{ ...one, axis }] : []));
          fc.pre(cuts.length > 0);
          const inputs = [
            normal(
              1,
              axes.map(([size]) => size),
            ),
            ints(cuts.map(({ start }) => start)),
            ints(cuts.map(({ end }) => end)),
            ints(cuts.map(({ axis }) => axis - axes.length)),
            ints(cuts.map(({ step }) => step)),
          ];
          const { graph } = buildCase({ operator: 'Slice', inputs });
          fc.pre(sizeOf(graph.outputs[0]!.dims!.map(Number)) > 0);
          await checkGradient(slice.gradient, { operator: 'Slice', inputs }, { components: 200 });
        },
      ),
      { numRuns: 60, seed: 31 },
    );
  });

  it('pads where the step is 1, and leaves whole axes alone', async () => {
    const inputs = [X, ints([0, 1]), ints([ENDLESS, -1]), ints([0, 2])];
    const backward = await checkGradient(slice.gradient, { operator: 'Slice', inputs, symbolicBatch: true });
    expect(emitted(backward)).toEqual(['Pad']);
  });

  it('takes the axes in order where none are given', async () => {
    const inputs = [normal(1, [4, 5]), ints([1, 2]), ints([3, 4])];
    await checkGradient(slice.gradient, { operator: 'Slice', inputs });
  });

  it('refuses bounds that are computed', () => {
    const { graph } = buildCase({ operator: 'Slice', inputs: [X, ints([1]), ints([2])] });
    const open = { ...graph, initializers: new Map([...graph.initializers].slice(1)) };
    expect(() => differentiateNode(open, slice.gradient, { wrt: ['in0'] })).toThrow(/Slice.*starts/);
  });
});

describe('pad', () => {
  it.each([
    ['constant', {}, [0, 0, 1, 2, 0, 0, 3, 1], 'Pad'],
    ['constant, cropping too', {}, [0, 0, -1, 2, 0, 0, 3, -2], 'Pad'],
    ['reflect', { mode: 'reflect' }, [0, 0, 3, 2, 0, 0, 1, 4], 'Gather'],
    ['edge', { mode: 'edge' }, [0, 0, 3, 2, 0, 0, 1, 6], 'Gather'],
    ['wrap', { mode: 'wrap' }, [0, 0, 3, 2, 0, 0, 1, 4], 'Gather'],
  ])('%s', async (_, attributes, pads, operator) => {
    const opset = operator === 'Gather' ? 19 : 18;
    const inputs = [X, ints(pads)];
    const node = { operator: 'Pad', inputs, attributes, opset, symbolicBatch: true };
    expect(emitted(await checkGradient(pad.gradient, node, { components: 120 }))).toContain(operator);
  });

  it('covers axes and a constant', async () => {
    const inputs = [X, ints([1, 2, 3, 4]), scalar(7), ints([-1, 1])];
    await checkGradient(pad.gradient, { operator: 'Pad', inputs });
    const reflected = {
      operator: 'Pad',
      inputs: [X, ints([2, 1]), '' as const, ints([-2])],
      attributes: { mode: 'reflect' },
    };
    await checkGradient(pad.gradient, reflected);
  });
});

describe('gather', () => {
  it.each([
    ['one index', ints([1], []), ['Unsqueeze', 'Pad']],
    ['one index in a list', ints([-1]), ['Pad']],
    ['a run', ints([1, 2]), ['Pad']],
    ['everything', ints([0, 1, 2, 3]), []],
    ['a permutation', ints([2, 0, 3, 1]), ['Gather']],
    ['a selection', ints([3, 1]), ['Pad', 'Gather']],
    ['repetitions', ints([1, 1, 3, 1, 0]), ['Pad', 'Gather', 'ReduceSum']],
    ['everything twice', ints([0, 1, 2, 3, 3, 2, 1, 0]), ['Gather', 'ReduceSum']],
    ['a table', ints([0, 3, 3, -4, 1, 1], [2, 3]), ['Reshape', 'Pad', 'Gather', 'ReduceSum']],
  ])('%s', async (_, indices, operators) => {
    const node = {
      operator: 'Gather',
      inputs: [normal(1, [2, 3, 4, 5]), indices],
      attributes: { axis: 2 },
      symbolicBatch: true,
    };
    const backward = await checkGradient(gather.gradient, node, { components: 120 });
    const normalized = emitted(backward).map((one, i) =>
      i === 0 && one === 'Reshape' && indices.dims.length === 0 ? 'Unsqueeze' : one,
    );
    expect(normalized).toEqual(operators);
  });

  it('refuses indices that are computed', () => {
    const { graph } = buildCase({ operator: 'Gather', inputs: [X, ints([1])] });
    const open = { ...graph, initializers: new Map() };
    expect(() => differentiateNode(open, gather.gradient, { wrt: ['in0'] })).toThrow(/Gather.*indices/);
  });
});

describe('reductions', () => {
  const reductions: readonly (readonly [string, Rule])[] = [
    ['ReduceSum', reduceSum.gradient],
    ['ReduceMean', reduceMean.gradient],
    ['ReduceMax', reduceMax.gradient],
    ['ReduceMin', reduceMin.gradient],
  ];
  const axesOf = fc.uniqueArray(fc.integer({ min: -4, max: -1 }), { minLength: 1, maxLength: 4 });

  it.each(reductions)('%s over any axes', async (operator, rule) => {
    await fc.assert(
      fc.asyncProperty(axesOf, fc.integer({ min: 0, max: 1 }), async (axes, keepdims) => {
        const inputs = [distinct(3, [2, 3, 4, 2]), ints(axes)];
        const symbolicBatch = !axes.includes(-4);
        const node = { operator, inputs, attributes: { keepdims }, symbolicBatch };
        await checkGradient(rule, node, { components: 48, step: 1e-3 });
      }),
      { numRuns: 20, seed: 41 },
    );
  });

  it.each(reductions)('%s over all axes, and over none', async (operator, rule) => {
    const x = distinct(3, [2, 3, 4]);
    await checkGradient(rule, { operator, inputs: [x], attributes: { keepdims: 0 } });
    await checkGradient(rule, { operator, inputs: [x] });
    const none = { operator, inputs: [x, ints([])], attributes: { noop_with_empty_axes: 1 } };
    expect(emitted(await checkGradient(rule, none))).toEqual([]);
  });

  it('give the signal of a maximum to the first that has it', async () => {
    const tied = { operator: 'ReduceMax', inputs: [feed([1, 3, 3, 0, 2, 2, 2, 2], [2, 2, 2]), ints([1, 2])] };
    expect(await gradientAt(reduceMax.gradient, tied, [5, 7])).toEqual([0, 5, 0, 0, 7, 0, 0, 0]);
    const apartAxes = {
      operator: 'ReduceMin',
      inputs: [feed([1, 0, 0, 5, 0, 1, 0, 5], [2, 2, 2]), ints([0, 2])],
    };
    expect(await gradientAt(reduceMin.gradient, apartAxes, [5, 7])).toEqual([0, 5, 7, 0, 0, 0, 0, 0]);
  });
});

describe('pixels and channels', () => {
  it.each([
    ['DCR', ['SpaceToDepth']],
    ['CRD', ['Reshape', 'Transpose', 'Reshape']],
  ])('DepthToSpace %s', async (mode, operators) => {
    const node = {
      operator: 'DepthToSpace',
      inputs: [normal(1, [2, 12, 2, 3])],
      attributes: { blocksize: 2, mode },
      symbolicBatch: true,
    };
    expect(emitted(await checkGradient(depthToSpace.gradient, node, { components: 144 }))).toEqual(operators);
  });

  it('SpaceToDepth', async () => {
    const node = {
      operator: 'SpaceToDepth',
      inputs: [normal(1, [2, 2, 4, 6])],
      attributes: { blocksize: 2 },
      symbolicBatch: true,
    };
    expect(emitted(await checkGradient(spaceToDepth.gradient, node))).toEqual(['DepthToSpace']);
  });
});
