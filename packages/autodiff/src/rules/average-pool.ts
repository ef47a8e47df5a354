import { intAttribute, intsAttribute } from '@unitscope/onnx';
import type { Rule, RuleContext } from '../rule.js';
import { extentOf, type Window, windowOf } from './window.js';

/**
 * AveragePool: every cell of a window gets R / count, and windows add up where they overlap. The count of a window is
 * the number of its cells inside the input, or inside the padded input with `count_include_pad`; what `ceil_mode` adds
 * beyond the padding never counts.
 */
export const averagePool = {
  gradient: {
    name: 'average-pool.gradient',
    operator: 'AveragePool',
    backward: (context) => {
      const { node } = context;
      const signal = context.signal(0);
      if (signal === undefined || !context.needs(0)) return [];
      const [x, y] = [node.inputs[0]!, node.outputs[0]!];
      const kernel = intsAttribute(node, 'kernel_shape');
      if (kernel === undefined) throw context.unsupported('the attribute kernel_shape is missing');
      const [channels = 0, ...sizes] = context.sizes(x, 1);
      const outputs = context.sizes(y, 2);
      const window = windowOf(node, kernel, sizes);
      const counts = countCells(window, sizes, outputs, intAttribute(node, 'count_include_pad', 0) !== 0);
      const dense = window.dilations.every((dilation) => dilation === 1);
      // Windows side by side: repeating each signal takes a third of a transposed convolution's time.
      if (dense && window.strides.every((stride, axis) => stride === kernel[axis])) {
        return [emitRepeated(context, emitShares(context, signal, counts, 1), window, sizes, outputs)];
      }
      // Stride 1: the sum over windows is an average again; a transposed convolution takes ten times as long.
      if (dense && window.strides.every((stride) => stride === 1)) {
        const cells = product(kernel);
        const shares = emitShares(context, signal, counts, cells);
        return [context.emit('AveragePool', [shares], mirroredPool(window))];
      }
      return [emitTransposedSum(context, signal, counts, window, channels, sizes, outputs)];
    },
  },
} satisfies Record<string, Rule>;

const product = (values: readonly number[]) => values.reduce((total, value) => total * value, 1);

/** For each axis, the number of counted cells of each window; a window's count is the product over the axes. */
function countCells(
  window: Window,
  sizes: readonly number[],
  outputs: readonly number[],
  includePad: boolean,
): number[][] {
  return sizes.map((size, axis) => {
    const [begin, end] = [window.padsBegin[axis]!, window.padsEnd[axis]!];
    const [low, high] = includePad ? [-begin, size + end] : [0, size];
    return Array.from({ length: outputs[axis]! }, (_, output) => {
      let count = 0;
      for (let tap = 0; tap < window.kernel[axis]!; tap++) {
        const cell = output * window.strides[axis]! + tap * window.dilations[axis]! - begin;
        if (cell >= low && cell < high) count++;
      }
      return count;
    });
  });
}

/** `scale` * R / count. One number where all windows count the same, else a map that broadcasts over the batch. */
function emitShares(
  context: RuleContext,
  signal: string,
  counts: readonly (readonly number[])[],
  scale: number,
): string {
  const { builder } = context;
  if (counts.every((axis) => axis.every((count) => count === axis[0]))) {
    const share = scale / product(counts.map((axis) => axis[0] ?? 1));
    return share === 1 ? signal : context.emit('Mul', [signal, builder.floats(share)]);
  }
  const map = counts.reduce<readonly number[]>(
    (shares, axis) => shares.flatMap((share) => axis.map((count) => share / count)),
    [scale],
  );
  const dims = counts.map((axis) => axis.length);
  return context.emit('Mul', [signal, builder.floats(map, dims)]);
}

/** The signal repeated `stride` times along each axis, then cut and filled with zeros to the input's size. */
function emitRepeated(
  context: RuleContext,
  shares: string,
  window: Window,
  sizes: readonly number[],
  outputs: readonly number[],
): string {
  const { builder } = context;
  const axes = sizes.map((_, axis) => axis + 2);
  const repeated = context.emit('Resize', [shares, '', builder.floats([1, 1, ...window.strides])], {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  });
  const starts = window.padsBegin;
  const ends = outputs.map((size, axis) =>
    Math.min(size * window.strides[axis]!, sizes[axis]! + starts[axis]!),
  );
  const whole = outputs.every((size, axis) => ends[axis] === size * window.strides[axis]!);
  const cut =
    whole && starts.every((start) => start === 0)
      ? repeated
      : context.emit('Slice', [repeated, builder.ints(starts), builder.ints(ends), builder.ints(axes)]);
  // Cells past the last window.
  const missing = sizes.map((size, axis) => size + starts[axis]! - ends[axis]!);
  if (missing.every((count) => count === 0)) return cut;
  const pads = [0, 0, ...sizes.map(() => 0), 0, 0, ...missing];
  return context.emit('Pad', [cut, builder.ints(pads), builder.floats(0)]);
}

function mirroredPool(window: Window): Record<string, number | readonly number[]> {
  const mirrored = (pads: readonly number[]) => pads.map((pad, axis) => extentOf(window, axis) - 1 - pad);
  return {
    kernel_shape: window.kernel,
    pads: [...mirrored(window.padsBegin), ...mirrored(window.padsEnd)],
    count_include_pad: 1,
  };
}

/** A depthwise ConvTranspose with ones. */
function emitTransposedSum(
  context: RuleContext,
  signal: string,
  counts: readonly (readonly number[])[],
  window: Window,
  channels: number,
  sizes: readonly number[],
  outputs: readonly number[],
): string {
  const { builder } = context;
  const shares = emitShares(context, signal, counts, 1);
  const ones = new Array<number>(channels * product(window.kernel)).fill(1);
  const weights = builder.floats(ones, [channels, 1, ...window.kernel]);
  // With ceil_mode the last window may reach past the padding: then more is cut off at the end. Where cells are left
  // over, output padding gives them zeros; a stride or more of it, which ONNX Runtime refuses, becomes a Pad.
  const rest = sizes.map(
    (size, axis) =>
      size + window.padsBegin[axis]! - (outputs[axis]! - 1) * window.strides[axis]! - extentOf(window, axis),
  );
  const allowed = rest.map((count, axis) => Math.min(Math.max(0, count), window.strides[axis]! - 1));
  const sums = context.emit('ConvTranspose', [shares, weights], {
    kernel_shape: window.kernel,
    strides: window.strides,
    dilations: window.dilations,
    pads: [...window.padsBegin, ...rest.map((count) => Math.max(0, -count))],
    output_padding: allowed,
    group: channels,
  });
  const missing = rest.map((count, axis) => Math.max(0, count) - allowed[axis]!);
  if (missing.every((count) => count === 0)) return sums;
  const pads = [0, 0, ...sizes.map(() => 0), 0, 0, ...missing];
  return context.emit('Pad', [sums, builder.ints(pads), builder.floats(0)]);
}
