import { intAttribute, intsAttribute } from '@unitscope/onnx';
import type { LoweringContext, NativeOperator } from '../operators.js';

/**
 * `MaxPoolGrad(x, y, dy)`, y = MaxPool(x) and dy its signal, of equal dims: the signal at x. Each window's signal goes
 * to its first maximum in row-major order, signals of overlapping windows add, padding never wins.
 *
 * - ints attributes `kernel_shape`, `strides`, `dilations`, `pads` (all beginnings, then all ends), int attribute
 *   `ceil_mode`: those of the MaxPool, every one present, `auto_pad` turned into pads.
 */
export const maxPoolGrad = {
  operator: 'MaxPoolGrad',
  lower: (context) => {
    const { node, emit } = context;
    const [x, , dy] = node.inputs as [string, string, string];
    const kernel = intsAttribute(node, 'kernel_shape', []);
    const strides = intsAttribute(node, 'strides', []);
    const dilations = intsAttribute(node, 'dilations', []);
    const indices = emitIndices(context, x);
    const dims = emit('Shape', [x]);
    if (kernel.every((size, axis) => strides[axis]! > dilations[axis]! * (size - 1))) {
      const ones = kernel.map(() => 1);
      return [emit('MaxUnpool', [dy, indices, dims], { kernel_shape: ones, strides: ones })];
    }
    const flat = context.builder.ints([-1]);
    const zeros = emit('Reshape', [emit('Expand', [context.builder.floats(0), dims]), flat]);
    const positions = emit('Reshape', [indices, flat]);
    const signals = emit('Reshape', [dy, flat]);
    const sums = emit('ScatterElements', [zeros, positions, signals], { axis: 0, reduction: 'add' });
    return [emit('Reshape', [sums, dims])];
  },
} satisfies NativeOperator;

function emitIndices({ node, emitMany }: LoweringContext, x: string): string {
  const [, indices] = emitMany('MaxPool', [x], 2, {
    kernel_shape: intsAttribute(node, 'kernel_shape', []),
    strides: intsAttribute(node, 'strides', []),
    dilations: intsAttribute(node, 'dilations', []),
    pads: intsAttribute(node, 'pads', []),
    ceil_mode: intAttribute(node, 'ceil_mode', 0),
  });
  return indices!;
}
