import type { Constant, PlainAttributes } from '@unitscope/onnx';
import type { Tensor } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resize } from '../src/rules/resize.js';
import {
  buildCase,
  checkGradient,
  emitted,
  floats,
  type GradientCase,
  ints,
} from './support/check-gradient.js';
import { normal, runOnRuntime } from './support/check-rule.js';
import { differentiateNode } from './support/rule-harness.js';

const COORDINATES = [
  'half_pixel',
  'half_pixel_symmetric',
  'pytorch_half_pixel',
  'align_corners',
  'asymmetric',
  'tf_crop_and_resize',
];
const NEAREST = ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'];

/** Inputs of a Resize of the last two axes of [2, 3, H, W]. */
function byScales(x: Tensor, scales: readonly number[], roi: Constant | '' = ''): (Tensor | Constant | '')[] {
  return [x, roi, floats([1, 1, ...scales])];
}

function bySizes(x: Tensor, sizes: readonly number[], roi: Constant | '' = ''): (Tensor | Constant | '')[] {
  return [x, roi, '', ints([...x.dims.slice(0, 2), ...sizes])];
}

const axis = fc.record({ from: fc.integer({ min: 1, max: 7 }), to: fc.integer({ min: 1, max: 15 }) });
// Exact in float32, so that where the definition puts a tie, ONNX Runtime has one.
const scale = fc.constantFrom(0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4);
const region = floats([0, 0, 0.125, 0.25, 1, 1, 0.75, 1.25]);

/** Resize is linear: <signal, y> = <gradient, x>, with y and gradient as ONNX Runtime computes them. */
async function expectTranspose(inputs: GradientCase['inputs'], attributes: PlainAttributes): Promise<void> {
  const { graph, feeds, outputs } = buildCase({ operator: 'Resize', inputs, attributes, opset: 19 });
  const signal = normal(2, graph.outputs[0]!.dims!.map(Number));
  const backward = differentiateNode(graph, resize.gradient, { wrt: ['in0'] });
  const run = await runOnRuntime(
    { ...backward, outputs: [...backward.outputs, ...graph.outputs] },
    { ...feeds, signal },
  );
  const inner = (a: Float32Array, b: Float32Array) => a.reduce((total, value, i) => total + value * b[i]!, 0);
  const forward = inner(run.get(outputs[0]!)!.data, signal.data);
  const [x] = Object.values(feeds);
  expect(inner(run.get('grad_in0')!.data, x!.data)).toBeCloseTo(forward, 4);
}

describe('resize', () => {
  it.each(COORDINATES)('linear, %s: any sizes', async (mode) => {
    await fc.assert(
      fc.asyncProperty(axis, axis, async (height, width) => {
        fc.pre(mode !== 'tf_crop_and_resize' || (height.from !== height.to && width.from !== width.to));
        const roi = mode === 'tf_crop_and_resize' ? region : '';
        const inputs = bySizes(normal(1, [2, 3, height.from, width.from]), [height.to, width.to], roi);
        const attributes = { mode: 'linear', coordinate_transformation_mode: mode };
        await checkGradient(resize.gradient, { operator: 'Resize', inputs, attributes, opset: 19 });
      }),
      { numRuns: 25, seed: 51 },
    );
  });

  it.each(COORDINATES)('linear, %s: any scales', async (mode) => {
    await fc.assert(
      fc.asyncProperty(scale, scale, async (down, across) => {
        fc.pre(mode !== 'tf_crop_and_resize' || (down !== 1 && across !== 1));
        const roi = mode === 'tf_crop_and_resize' ? region : '';
        const inputs = byScales(normal(1, [2, 3, 5, 7]), [down, across], roi);
        const attributes = { mode: 'linear', coordinate_transformation_mode: mode };
        await checkGradient(resize.gradient, { operator: 'Resize', inputs, attributes, opset: 19 });
      }),
      { numRuns: 20, seed: 52 },
    );
  });

  it.each(COORDINATES.flatMap((mode) => NEAREST.map((rounding) => [mode, rounding])))(
    'nearest, %s, %s',
    async (mode, rounding) => {
      await fc.assert(
        fc.asyncProperty(scale, scale, async (down, across) => {
          fc.pre(mode !== 'tf_crop_and_resize' || (down !== 1 && across !== 1));
          const roi = mode === 'tf_crop_and_resize' ? region : '';
          const inputs = byScales(normal(1, [2, 3, 4, 6]), [down, across], roi);
          const attributes = {
            mode: 'nearest',
            coordinate_transformation_mode: mode!,
            nearest_mode: rounding!,
          };
          await checkGradient(resize.gradient, { operator: 'Resize', inputs, attributes, opset: 19 });
        }),
        { numRuns: 12, seed: 53 },
      );
    },
  );

  it.each([
    ['enlarges by whole factors with one convolution', [2, 3], ['Conv']],
    ['gathers otherwise', [1.5, 0.5], ['Gather', 'ReduceSum']],
  ])('nearest %s', async (_, scales, operators) => {
    const inputs = byScales(normal(1, [2, 3, 4, 6]), scales);
    const attributes = {
      mode: 'nearest',
      coordinate_transformation_mode: 'asymmetric',
      nearest_mode: 'floor',
    };
    const node = { operator: 'Resize', inputs, attributes, symbolicBatch: true };
    expect(emitted(await checkGradient(resize.gradient, node))).toEqual(expect.arrayContaining(operators));
  });

  it('keeps a symbolic batch, one axis at a time', async () => {
    const attributes = { mode: 'linear', coordinate_transformation_mode: 'align_corners' };
    const inputs = bySizes(normal(1, [2, 3, 4, 6]), [8, 6]);
    // The batch is written 1 in a scale and cannot be written in a size.
    const scaled = {
      operator: 'Resize',
      inputs: byScales(normal(1, [2, 3, 4, 6]), [2, 1]),
      attributes,
      symbolicBatch: true,
    };
    expect(emitted(await checkGradient(resize.gradient, scaled))).toEqual(['MatMul']);
    expect(emitted(await checkGradient(resize.gradient, { operator: 'Resize', inputs, attributes }))).toEqual(
      ['MatMul'],
    );
  });

  it('covers one and three spatial axes, and axes by name', async () => {
    const attributes = { mode: 'linear' };
    const line = [normal(1, [1, 3, 5]), '' as const, '' as const, ints([1, 3, 8])];
    await checkGradient(resize.gradient, {
      operator: 'Resize',
      inputs: line,
      attributes: { mode: 'nearest' },
    });
    const volume = [normal(1, [1, 2, 3, 4, 2]), '' as const, '' as const, ints([1, 2, 5, 2, 3])];
    await checkGradient(resize.gradient, { operator: 'Resize', inputs: volume, attributes });
    await checkGradient(resize.gradient, {
      operator: 'Resize',
      inputs: volume,
      attributes: { mode: 'nearest' },
    });
    const named = [normal(1, [1, 2, 3, 4]), '' as const, '' as const, ints([7, 5])];
    await checkGradient(resize.gradient, {
      operator: 'Resize',
      inputs: named,
      attributes: { mode: 'linear', axes: [-1, 2] },
    });
  });

  it.each(['not_larger', 'not_smaller'])('keeps the aspect ratio, %s', async (policy) => {
    const named = [normal(1, [1, 2, 3, 4]), '' as const, '' as const, ints([7, 6])];
    const attributes = { mode: 'linear', axes: [2, 3], keep_aspect_ratio_policy: policy };
    await checkGradient(resize.gradient, { operator: 'Resize', inputs: named, attributes });
  });

  // The definition crops an axis of scale 1 too, ONNX Runtime does not; the gradient is that of what runs.
  it.each([
    ['linear', [1, 0.5]],
    ['nearest', [2, 1]],
    ['linear', [1, 1]],
  ])('%s, scales %j, in a region: the transpose of what ONNX Runtime computes', async (mode, scales) => {
    const x = normal(1, [2, 3, 4, 6]);
    const inputs = byScales(x, scales, region);
    const attributes = { mode, coordinate_transformation_mode: 'tf_crop_and_resize' };
    await expectTranspose(inputs, attributes);
  });

  // Which entry is nearest can hang on the last bit of a float32.
  it('nearest, any sizes: the transpose of what ONNX Runtime computes', async () => {
    const length = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }));
    await fc.assert(
      fc.asyncProperty(
        length,
        fc.boolean(),
        fc.constantFrom(...COORDINATES.slice(0, 5)),
        fc.constantFrom(...NEAREST),
        async ([from, to], byScale, mode, rounding) => {
          const x = normal(1, [1, 2, 2, from]);
          const inputs = byScale && to > 1 ? byScales(x, [1, (to - 0.5) / from]) : bySizes(x, [2, to]);
          await expectTranspose(inputs, {
            mode: 'nearest',
            coordinate_transformation_mode: mode,
            nearest_mode: rounding,
          });
        },
      ),
      { numRuns: 150, seed: 54 },
    );
  });

  it('refuses what it does not cover, by name', () => {
    const refusal = (
      attributes: Record<string, string | number>,
      inputs = byScales(normal(1, [1, 1, 4, 4]), [0.5, 2]),
    ) => {
      const built = buildCase({ operator: 'Resize', inputs, attributes: { mode: 'linear' } });
      const node = buildCase({ operator: 'Resize', inputs, attributes: { mode: 'linear' } }).graph.nodes[0]!;
      const changed = new Map([...node.attributes]);
      for (const [name, value] of Object.entries(attributes)) {
        changed.set(name, typeof value === 'number' ? { kind: 'int', value } : { kind: 'string', value });
      }
      const graph = { ...built.graph, nodes: [{ ...built.graph.nodes[0]!, attributes: changed }] };
      return () => differentiateNode(graph, resize.gradient, { wrt: ['in0'] });
    };
    expect(refusal({ mode: 'cubic' })).toThrow(/Resize.*cubic/);
    expect(refusal({ antialias: 1 })).toThrow(/Resize.*antialias/);
    expect(refusal({ coordinate_transformation_mode: 'tf_half_pixel_for_nn' })).toThrow(
      /tf_half_pixel_for_nn/,
    );
    expect(refusal({ mode: 'nearest', nearest_mode: 'up' })).toThrow(/nearest_mode up/);
  });
});
