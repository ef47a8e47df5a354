import { intsAttribute } from '@unitscope/onnx';
import type { NativeOperator } from '../native-operator.js';

/**
 * `PhaseInterleave(phases..., [y]) -> x`: a map put together from its phases, x[h, w] = phase (h mod sh, w mod sw) at
 * [h div sh, w div sw]; the phase (a, b) has ceil((H - a) / sh) x ceil((W - b) / sw) positions. It turns a transposed
 * convolution of stride (sh, sw) into plain convolutions, one per phase.
 *
 * - ints attributes `strides` [sh, sw] and `sizes` [H, W]
 * - ints attribute `present`: which phases a sw + b are given, in the order of the inputs; the others are zeros
 * - int attribute `masked`: 1 where the last input is y, the output of the rectifier whose `rule` and `ceiling`, as in
 *   ReluGrad, are applied to x
 * - int attribute `block`: channels of a block, 1 for NCHW
 *
 * It comes out of `blockGraph` only, which leaves a transposed convolution that stays in NCHW as it is.
 */
export const phaseInterleave = {
  operator: 'PhaseInterleave',
  shape: (context) => {
    const dims = context.dims(0);
    const sizes = intsAttribute(context.node, 'sizes', []);
    return [{ type: context.type(0), dims: dims && [...dims.slice(0, 2), ...sizes] }];
  },
} satisfies NativeOperator;
