import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import {
  convGeometry,
  convTransposeGeometry,
  type Graph,
  inferShapes,
  type PlainAttributes,
  poolGeometry,
} from '../src/index.js';
import { expectShapes, floats, graphOf, observe } from './shapes-runtime.js';

vi.setConfig({ testTimeout: 120_000 });

type AutoPad = 'NOTSET' | 'VALID' | 'SAME_UPPER' | 'SAME_LOWER';

/** One window over one to three axes. */
interface Setting {
  readonly sizes: readonly number[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padsBegin: readonly number[];
  readonly padsEnd: readonly number[];
  readonly autoPad: AutoPad;
  readonly ceilMode: boolean;
}

const axisSetting = fc.record({
  size: fc.integer({ min: 1, max: 10 }),
  kernel: fc.integer({ min: 1, max: 5 }),
  stride: fc.integer({ min: 1, max: 4 }),
  dilation: fc.constantFrom(1, 1, 2, 3),
  begin: fc.integer({ min: 0, max: 4 }),
  end: fc.integer({ min: 0, max: 4 }),
});

const setting = fc
  .record({
    axes: fc.array(axisSetting, { minLength: 1, maxLength: 3 }),
    autoPad: fc.constantFrom<AutoPad>('NOTSET', 'NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'),
    ceilMode: fc.boolean(),
  })
  .map(
    ({ axes, autoPad, ceilMode }): Setting => ({
      sizes: axes.map(({ size }) => size),
      kernel: axes.map(({ kernel }) => kernel),
      strides: axes.map(({ stride }) => stride),
      dilations: axes.map(({ dilation }) => dilation),
      padsBegin: axes.map(({ begin }) => begin),
      padsEnd: axes.map(({ end }) => end),
      autoPad,
      ceilMode,
    }),
  );

function padding({ autoPad, padsBegin, padsEnd }: Setting): PlainAttributes {
  return autoPad === 'NOTSET' ? { pads: [...padsBegin, ...padsEnd] } : { auto_pad: autoPad };
}

function extents({ kernel, dilations }: Setting): readonly number[] {
  return kernel.map((size, axis) => dilations[axis]! * (size - 1) + 1);
}

/**
 * What ONNX Runtime runs: the window fits into the padded input; in pools no pad may be as large as the kernel or
 * negative; a Conv has no dilations beside SAME.
 */
function fits(given: Setting, pooling: boolean): boolean {
  const { sizes, kernel, strides, dilations, padsBegin, padsEnd, autoPad } = given;
  if (autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER') {
    if (!pooling) return dilations.every((dilation) => dilation === 1);
    return sizes.every((size, axis) => {
      const total = (Math.ceil(size / strides[axis]!) - 1) * strides[axis]! + kernel[axis]! - size;
      return total >= 0 && size + total >= extents(given)[axis]!;
    });
  }
  return extents(given).every((extent, axis) => {
    const begin = autoPad === 'NOTSET' ? padsBegin[axis]! : 0;
    const end = autoPad === 'NOTSET' ? padsEnd[axis]! : 0;
    if (pooling && (begin >= kernel[axis]! || end >= kernel[axis]!)) return false;
    return sizes[axis]! + begin + end >= extent;
  });
}

async function expectSame(graph: Graph, dims: readonly number[]): Promise<readonly number[]> {
  const observed = await observe(graph, { x: dims });
  expectShapes(inferShapes(graph), observed, { N: dims[0]! });
  return [...observed.values()][0]!.dims.slice(2);
}

/** The explicit pads give the values that auto_pad gives. */
async function expectSameValues(automatic: Graph, explicit: Graph, dims: readonly number[]): Promise<void> {
  const [given] = [...(await observe(automatic, { x: dims })).values()];
  const [wanted] = [...(await observe(explicit, { x: dims })).values()];
  expect(wanted!.dims).toEqual(given!.dims);
  [...given!.data].forEach((value, i) => {
    expect(Number(wanted!.data[i])).toBeCloseTo(Number(value), 4);
  });
}

describe('poolGeometry', () => {
  const graph = (operator: string, given: Setting, opset: number, pads: PlainAttributes, outputs = 1) =>
    graphOf(opset, [2, ...given.sizes], (builder, x) => {
      builder.nodes(operator, [x], outputs, {
        kernel_shape: given.kernel,
        strides: given.strides,
        ...(operator === 'MaxPool' || opset >= 19 ? { dilations: given.dilations } : {}),
        ...(given.ceilMode ? { ceil_mode: 1 } : {}),
        ...pads,
      });
    });

  it('agrees with ONNX Runtime on MaxPool, its indices included', async () => {
    await fc.assert(
      fc.asyncProperty(setting, async (given) => {
        fc.pre(fits(given, true));
        const pool = graph('MaxPool', given, 12, padding(given), 2);
        const output = await expectSame(pool, [2, 2, ...given.sizes]);
        expect(poolGeometry(pool.nodes[0]!, given.sizes).output).toEqual(output);
      }),
      { numRuns: 150, seed: 1 },
    );
  });

  it('agrees with ONNX Runtime on AveragePool', async () => {
    await fc.assert(
      fc.asyncProperty(setting, fc.constantFrom(11, 19), async (raw, opset) => {
        const given = opset < 19 ? { ...raw, dilations: raw.sizes.map(() => 1) } : raw;
        fc.pre(fits(given, true));
        await expectSame(graph('AveragePool', given, opset, padding(given)), [1, 2, ...given.sizes]);
      }),
      { numRuns: 100, seed: 2 },
    );
  });

  it('resolves auto_pad to the pads ONNX Runtime uses', async () => {
    await fc.assert(
      fc.asyncProperty(setting, async (raw) => {
        fc.pre(raw.autoPad !== 'NOTSET');
        const given = { ...raw, dilations: raw.sizes.map(() => 1) };
        fc.pre(fits(given, true));
        const automatic = graph('MaxPool', given, 12, padding(given));
        const { padsBegin, padsEnd } = poolGeometry(automatic.nodes[0]!, given.sizes);
        const explicit = graph('MaxPool', given, 12, { pads: [...padsBegin, ...padsEnd] });
        await expectSameValues(automatic, explicit, [1, 2, ...given.sizes]);
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  it('drops a last window that would start in the padding behind the input', () => {
    const pool = graphOf(12, [1, 4], (builder, x) => {
      builder.node('MaxPool', [x], { kernel_shape: [2], strides: [3], pads: [1, 1], ceil_mode: 1 });
    });
    // Rounding 4/3 up gives windows at -1, 2 and 5; the last would start behind the input's 4 elements.
    expect(poolGeometry(pool.nodes[0]!, [4]).output).toEqual([2]);
  });
});

describe('convGeometry', () => {
  const graph = (given: Setting, groups: number, pads: PlainAttributes) =>
    graphOf(11, [2 * groups, ...given.sizes], (builder, x) => {
      const weight = builder.constant(floats([3 * groups, 2, ...given.kernel]));
      const bias = builder.constant(floats([3 * groups]));
      builder.node('Conv', [x, weight, bias], {
        strides: given.strides,
        dilations: given.dilations,
        group: groups,
        ...pads,
      });
    });

  it('agrees with ONNX Runtime', async () => {
    await fc.assert(
      fc.asyncProperty(setting, fc.constantFrom(1, 2), async (given, groups) => {
        fc.pre(fits(given, false));
        const conv = graph(given, groups, padding(given));
        const output = await expectSame(conv, [2, 2 * groups, ...given.sizes]);
        expect(convGeometry(conv.nodes[0]!, given.sizes, given.kernel).output).toEqual(output);
      }),
      { numRuns: 150, seed: 4 },
    );
  });

  it('resolves auto_pad to the pads ONNX Runtime uses', async () => {
    await fc.assert(
      fc.asyncProperty(setting, async (given) => {
        fc.pre(given.autoPad !== 'NOTSET' && fits(given, false));
        const automatic = graph(given, 1, padding(given));
        const { padsBegin, padsEnd } = convGeometry(automatic.nodes[0]!, given.sizes, given.kernel);
        await expectSameValues(automatic, graph(given, 1, { pads: [...padsBegin, ...padsEnd] }), [
          1,
          2,
          ...given.sizes,
        ]);
      }),
      { numRuns: 60, seed: 5 },
    );
  });
});

describe('what ONNX Runtime does not run', () => {
  it('resolves auto_pad of a dilated Conv over the kernel with its holes, as the standard says', () => {
    const conv = graphOf(11, [1, 7], (builder, x) => {
      const weight = builder.constant(floats([1, 1, 3]));
      builder.node('Conv', [x, weight], { auto_pad: 'SAME_UPPER', dilations: [2], strides: [2] });
    });
    const { padsBegin, padsEnd, output } = convGeometry(conv.nodes[0]!, [7], [3]);
    // ceil(7 / 2) = 4 windows of 5 need (4 - 1) 2 + 5 - 7 = 4 more.
    expect({ padsBegin, padsEnd, output }).toEqual({ padsBegin: [2], padsEnd: [2], output: [4] });
  });
});

describe('convTransposeGeometry', () => {
  const graph = (given: Setting, groups: number, more: PlainAttributes) =>
    graphOf(11, [2 * groups, ...given.sizes], (builder, x) => {
      const weight = builder.constant(floats([2 * groups, 3, ...given.kernel]));
      builder.node('ConvTranspose', [x, weight], {
        strides: given.strides,
        dilations: given.dilations,
        group: groups,
        ...more,
      });
    });

  const transposed = fc.record({
    given: setting,
    groups: fc.constantFrom(1, 2),
    extra: fc.constantFrom<'none' | 'padding' | 'shape'>('none', 'padding', 'shape'),
  });

  function attributesOf({ given, extra }: { given: Setting; extra: string }): PlainAttributes {
    const full = extents(given).map(
      (extent, axis) => given.strides[axis]! * (given.sizes[axis]! - 1) + extent,
    );
    // ONNX Runtime ignores `pads` beside `output_shape`, but wants them positive.
    if (extra === 'shape') {
      const auto = given.autoPad === 'NOTSET' || given.autoPad === 'VALID' ? {} : { auto_pad: given.autoPad };
      return { ...auto, output_shape: full.map((size, axis) => Math.max(1, size - given.padsBegin[axis]!)) };
    }
    const outputPadding = given.strides.map((stride) => Math.floor(stride / 2));
    return { ...padding(given), ...(extra === 'padding' ? { output_padding: outputPadding } : {}) };
  }

  /** What is left of the output after the pads are cut off. */
  function positive(given: Setting): boolean {
    if (given.autoPad !== 'NOTSET') return true;
    return extents(given).every(
      (extent, axis) =>
        given.strides[axis]! * (given.sizes[axis]! - 1) + extent >
        given.padsBegin[axis]! + given.padsEnd[axis]!,
    );
  }

  it('agrees with ONNX Runtime', async () => {
    await fc.assert(
      fc.asyncProperty(transposed, async (test) => {
        fc.pre(positive(test.given));
        const conv = graph(test.given, test.groups, attributesOf(test));
        const output = await expectSame(conv, [2, 2 * test.groups, ...test.given.sizes]);
        expect(convTransposeGeometry(conv.nodes[0]!, test.given.sizes, test.given.kernel).output).toEqual(
          output,
        );
      }),
      { numRuns: 150, seed: 6 },
    );
  });

  it('resolves output_shape and auto_pad to the pads ONNX Runtime uses', async () => {
    await fc.assert(
      fc.asyncProperty(transposed, async (test) => {
        const { given } = test;
        fc.pre(given.autoPad !== 'NOTSET' || test.extra === 'shape');
        const automatic = graph(given, 1, attributesOf({ given, extra: test.extra }));
        const { padsBegin, padsEnd, outputPadding } = convTransposeGeometry(
          automatic.nodes[0]!,
          given.sizes,
          given.kernel,
        );
        const explicit = graph(given, 1, { pads: [...padsBegin, ...padsEnd], output_padding: outputPadding });
        await expectSameValues(automatic, explicit, [1, 2, ...given.sizes]);
      }),
      { numRuns: 40, seed: 7 },
    );
  });
});
