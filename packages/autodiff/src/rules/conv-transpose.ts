import { intAttribute, intsAttribute, stringAttribute } from '@unitscope/onnx';
import type { Rule, RuleContext } from '../rule.js';
import { emitChannelSums, emitWeightGradient } from './weight-gradient.js';
import { stepsOf, type Window } from './window.js';

/**
 * ConvTranspose. With X [N, C, I...], W [C, M/g, k...] and signal R [N, M, O...]:
 * dX[n, c, i] = sum over m, k of W[c, m, k] R[n, m, i * stride + k * dilation - pad], which is a Conv with the same
 * weights; dW as `emitWeightGradient`, the windows sliding over R; db[m] = sum over n, o of R[n, m, o].
 */
export const convTranspose = {
  gradient: {
    name: 'conv-transpose.gradient',
    operator: 'ConvTranspose',
    backward: (context) => {
      const { node } = context;
      const signal = context.signal(0);
      if (signal === undefined) return [];
      const [x, w] = [node.inputs[0]!, node.inputs[1]!];
      const sizes = context.sizes(x, 2);
      const outputs = context.sizes(node.outputs[0]!, 2);
      const kernel = intsAttribute(node, 'kernel_shape') ?? context.sizes(w, 2);
      const { strides, dilations } = stepsOf(node, sizes.length);
      const padsBegin = beginningPads(context, kernel, sizes, outputs);
      const groups = intAttribute(node, 'group', 1);
      const signals: (string | undefined)[] = [undefined, undefined, undefined];
      if (context.needs(0)) {
        const windows = { kernel, strides, dilations, padsBegin };
        signals[0] = emitInputGradient(context, signal, sizes, outputs, windows, groups);
      }
      if (context.needs(1)) {
        const [inputChannels, perGroup] = context.sizes(w, 0);
        signals[1] = emitWeightGradient(context, {
          slid: signal,
          sizes: outputs,
          fixed: x,
          cells: sizes,
          kernel,
          strides,
          dilations,
          padsBegin,
          groups,
          slidChannels: perGroup! * groups,
          fixedChannels: inputChannels!,
        });
      }
      if (context.needs(2)) signals[2] = emitChannelSums(context, signal, sizes.length + 2);
      return signals;
    },
  },
} satisfies Record<string, Rule>;

function emitInputGradient(
  context: RuleContext,
  signal: string,
  sizes: readonly number[],
  outputs: readonly number[],
  { kernel, strides, dilations, padsBegin }: Omit<Window, 'padsEnd'>,
  groups: number,
): string {
  // What the last window needs past the signal's end; negative where output padding follows the last window.
  const padsEnd = sizes.map(
    (size, axis) =>
      (size - 1) * strides[axis]! +
      dilations[axis]! * (kernel[axis]! - 1) +
      1 -
      outputs[axis]! -
      padsBegin[axis]!,
  );
  let inside = signal;
  if (padsEnd.some((pad) => pad < 0)) {
    const { builder } = context;
    const starts = sizes.map(() => 0);
    const ends = outputs.map((size, axis) => size + Math.min(0, padsEnd[axis]!));
    const axes = sizes.map((_, axis) => axis + 2);
    inside = context.emit('Slice', [signal, builder.ints(starts), builder.ints(ends), builder.ints(axes)]);
  }
  return context.emit('Conv', [inside, context.node.inputs[1]!], {
    kernel_shape: kernel,
    strides,
    dilations,
    pads: [...padsBegin, ...padsEnd.map((pad) => Math.max(0, pad))],
    group: groups,
  });
}

/**
 * The pads at the beginning of each axis. `output_shape` and SAME fix the output's size, the total is then
 * stride * (size - 1) + output_padding + extent - output, at least 0; its larger half stands at the end for SAME_UPPER,
 * else at the beginning.
 */
function beginningPads(
  context: RuleContext,
  kernel: readonly number[],
  sizes: readonly number[],
  outputs: readonly number[],
): number[] {
  const { node } = context;
  const rank = sizes.length;
  const zeros = Array.from({ length: 2 * rank }, () => 0);
  const autoPad = stringAttribute(node, 'auto_pad', 'NOTSET');
  const fixed = intsAttribute(node, 'output_shape') !== undefined || autoPad.startsWith('SAME');
  if (!fixed) {
    const pads = autoPad === 'VALID' ? zeros : intsAttribute(node, 'pads', zeros);
    if (pads.some((pad) => pad < 0)) throw context.unsupported('negative pads are not covered');
    return pads.slice(0, rank);
  }
  const { strides, dilations } = stepsOf(node, rank);
  const outputPadding = intsAttribute(node, 'output_padding', zeros);
  return sizes.map((size, axis) => {
    const extent = dilations[axis]! * (kernel[axis]! - 1) + 1;
    const natural = strides[axis]! * (size - 1) + outputPadding[axis]! + extent;
    const total = Math.max(0, natural - outputs[axis]!);
    return autoPad === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
  });
}
