import { intsAttribute, type ReferenceOperator } from '@unitscope/onnx';
import { sizeOf, stridesOf } from '@unitscope/tensor';

/**
 * MaxPoolGrad from its definition: for every window, walk its cells in row-major order, skip padding, remember the
 * first of the largest, and add the window's signal there.
 */
const maxPoolGrad: ReferenceOperator = (node, inputs) => {
  const [x, , dy] = inputs;
  if (x === undefined || dy === undefined) throw new Error('MaxPoolGrad needs x and dy');
  const kernel = intsAttribute(node, 'kernel_shape', []);
  const strides = intsAttribute(node, 'strides', []);
  const dilations = intsAttribute(node, 'dilations', []);
  const pads = intsAttribute(node, 'pads', []);
  const sizes = x.dims.slice(2);
  const outputs = dy.dims.slice(2);
  const [plane, windows, taps] = [sizeOf(sizes), sizeOf(outputs), sizeOf(kernel)];
  const steps = stridesOf(sizes);
  const gradient = new Float64Array(x.data.length);
  for (let map = 0; map < sizeOf(x.dims.slice(0, 2)); map++) {
    for (let window = 0; window < windows; window++) {
      const corner = unravel(window, outputs);
      let best = -1;
      for (let tap = 0; tap < taps; tap++) {
        const offset = unravel(tap, kernel);
        const cell = sizes.map(
          (_, axis) => corner[axis]! * strides[axis]! + offset[axis]! * dilations[axis]! - pads[axis]!,
        );
        if (cell.some((position, axis) => position < 0 || position >= sizes[axis]!)) continue;
        const flat = map * plane + cell.reduce((sum, position, axis) => sum + position * steps[axis]!, 0);
        if (best < 0 || x.data[flat]! > x.data[best]!) best = flat;
      }
      if (best >= 0) gradient[best]! += dy.data[map * windows + window]!;
    }
  }
  return [{ dims: x.dims, data: gradient }];
};

function unravel(flat: number, dims: readonly number[]): number[] {
  return stridesOf(dims).map((step, axis) => Math.floor(flat / step) % dims[axis]!);
}

/** The operators of the domain `unitscope`, from their definitions, for `evaluate`. */
export const referenceOperators: ReadonlyMap<string, ReferenceOperator> = new Map([
  ['unitscope::MaxPoolGrad', maxPoolGrad],
]);
