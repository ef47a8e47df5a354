import { intAttribute, intsAttribute, stringAttribute } from '@unitscope/onnx';
import type { Rule, RuleContext } from '../rule.js';
import { stepsOf } from './window.js';

/**
 * ConvTranspose. With X [N, C, I...], W [C, M/g, k...] and signal R [N, M, O...]:
 * dX[n, c, i] = sum over m, k of W[c, m, k] R[n, m, i * stride + k * dilation - pad], which is a Conv with the same
 * weights. The bias passes nothing.
 */
export const convTranspose = {
  gradient: {
    name: 'conv-transpose.gradient',
    operator: 'ConvTranspose',
    backward: (context) => {
      const { node } = context;
      if (context.needs(1) || context.needs(2)) {
        throw context.unsupported('parameter gradients of a transposed convolution are not covered');
      }
      const signal = context.signal(0);
      if (signal === undefined || !context.needs(0)) return [];
      const [x, w] = [node.inputs[0]!, node.inputs[1]!];
      const sizes = context.sizes(x, 2);
      const outputs = context.sizes(node.outputs[0]!, 2);
      const kernel = intsAttribute(node, 'kernel_shape') ?? context.sizes(w, 2);
      const { strides, dilations } = stepsOf(node, sizes.length);
      const padsBegin = beginningPads(context, kernel, sizes, outputs);
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
        inside = context.emit('Slice', [
          signal,
          builder.ints(starts),
          builder.ints(ends),
          builder.ints(axes),
        ]);
      }
      const gradient = context.emit('Conv', [inside, w], {
        kernel_shape: kernel,
        strides,
        dilations,
        pads: [...padsBegin, ...padsEnd.map((pad) => Math.max(0, pad))],
        group: intAttribute(node, 'group', 1),
      });
      return [gradient];
    },
  },
} satisfies Record<string, Rule>;

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
