import { intAttribute, stringAttribute } from '@unitscope/onnx';
import type { Rule, RuleContext } from '../rule.js';
import { sourcesOf, sumSources } from './axes.js';
import { arrayLike } from './pointwise.js';
import { interpolationMatrix, nearestEntries, type ResizedAxis, resizedAxes } from './resize-axes.js';

/**
 * y = x read at other places, axis by axis: dx = the transpose of that. `nearest`: every entry of y gives its signal to
 * the entry of x it shows; `linear`: with the interpolation matrix W of an axis, W^T dy. All coordinate modes of
 * operator set 18, scales or sizes. Antialiasing and `cubic` are not covered.
 */
export const resize = {
  gradient: {
    name: 'resize.gradient',
    operator: 'Resize',
    backward: (context) => {
      const { node } = context;
      const dy = context.signal(0)!;
      const mode = stringAttribute(node, 'mode', 'nearest');
      const axes = resizedAxes(context);
      if (mode === 'nearest') return [nearestBackward(context, dy, axes)];
      if (mode !== 'linear') throw context.unsupported(`mode ${mode} has no rule`);
      if (intAttribute(node, 'antialias', 0) !== 0 && axes.some(({ shrinks }) => shrinks)) {
        throw context.unsupported('antialias has no rule');
      }
      return [axes.reduce((signal, axis) => linearBackward(context, signal, axis), dy)];
    },
  } satisfies Rule,
};

function nearestBackward(context: RuleContext, dy: string, axes: readonly ResizedAxis[]): string {
  const y = context.node.outputs[0]!;
  const rank = context.dims(y).length;
  const picks = axes.map((axis) => nearestEntries(context, axis));
  const factors = axes.map(({ inputSize }, i) => repetition(picks[i]!, inputSize));
  const isImage = rank === 4 && axes.length > 0 && axes.every(({ axis }) => axis >= 2);
  if (isImage && factors.every((factor) => factor !== undefined)) {
    // Every entry stands factor times side by side: the sum over windows, as a depthwise convolution, which ONNX
    // Runtime keeps in its blocked layout.
    const window = [1, 1];
    axes.forEach(({ axis }, i) => {
      window[axis - 2] = factors[i]!;
    });
    const [channels] = context.sizes(y, 1) as [number, number, number];
    const ones = new Array<number>(channels * window[0]! * window[1]!).fill(1);
    const weights = arrayLike(context, y, ones, [channels, 1, ...window]);
    return context.emit('Conv', [dy, weights], { kernel_shape: window, strides: window, group: channels });
  }
  return axes.reduce((signal, { axis, inputSize, outputSize }, i) => {
    // An entry that shows the extrapolation value is no pick of any entry of x.
    const entries = picks[i]!.map((entry) => entry ?? -1);
    return sumSources(context, signal, axis, outputSize, sourcesOf(entries, inputSize));
  }, dy);
}

/** k where entry i of y shows entry floor(i / k) of x, for all of them. */
function repetition(picks: readonly (number | undefined)[], inputSize: number): number | undefined {
  const factor = picks.length / inputSize;
  return picks.every((pick, i) => pick === Math.floor(i / factor)) && Number.isInteger(factor)
    ? factor
    : undefined;
}

function linearBackward(context: RuleContext, signal: string, resized: ResizedAxis): string {
  const { axis, inputSize, outputSize } = resized;
  const y = context.node.outputs[0]!;
  const rank = context.dims(y).length;
  const matrix = interpolationMatrix(resized);
  if (axis === rank - 1) {
    return context.emit('MatMul', [signal, arrayLike(context, y, [...matrix], [outputSize, inputSize])]);
  }
  const transposed = Array.from({ length: matrix.length }, (_, i) => {
    const [row, column] = [Math.floor(i / outputSize), i % outputSize];
    return matrix[column * inputSize + row]!;
  });
  const left = arrayLike(context, y, transposed, [inputSize, outputSize]);
  if (axis === rank - 2) return context.emit('MatMul', [left, signal]);
  // Exchanged with the last axis but one, and back.
  const perm = Array.from({ length: rank }, (_, i) => (i === axis ? rank - 2 : i === rank - 2 ? axis : i));
  const exchanged = context.emit('MatMul', [left, context.emit('Transpose', [signal], { perm })]);
  return context.emit('Transpose', [exchanged], { perm });
}
