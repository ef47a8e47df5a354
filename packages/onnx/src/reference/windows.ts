import { stridesOf } from '@unitscope/tensor';
import { intAttribute, intsAttribute, type Node, stringAttribute } from '../graph.js';
import { arithmetic, OUTSIDE, sumOffsets } from './indexing.js';
import { nodeError } from './operator.js';

/** How a window moves along one axis: output o and tap t see input o * stride + t * dilation - head. */
export interface WindowAxis {
  readonly input: number;
  readonly output: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** Padding before and after. */
  readonly head: number;
  readonly tail: number;
}

/** The stride, dilation and padding attributes, one number per spatial axis. */
export function windowAttributes(
  node: Node,
  rank: number,
): {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
  readonly autoPad: string;
} {
  const list = (name: string, length: number, fallback: number) => {
    const values = intsAttribute(node, name) ?? new Array<number>(length).fill(fallback);
    if (values.length !== length) {
      throw nodeError('bad-input', node, `${name} needs ${length} entries, has ${values.length}`);
    }
    return values;
  };
  const autoPad = stringAttribute(node, 'auto_pad', 'NOTSET');
  if (!['NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'].includes(autoPad)) {
    throw nodeError(
      'bad-input',
      node,
      `auto_pad "${autoPad}" is none of NOTSET, VALID, SAME_UPPER, SAME_LOWER`,
    );
  }
  return {
    strides: list('strides', rank, 1),
    dilations: list('dilations', rank, 1),
    pads: autoPad === 'NOTSET' ? list('pads', 2 * rank, 0) : new Array<number>(2 * rank).fill(0),
    autoPad,
  };
}

/** The window axes of a convolution or pooling over `input` (spatial dims). */
export function windowAxes(
  node: Node,
  input: readonly number[],
  kernel: readonly number[],
): readonly WindowAxis[] {
  const rank = input.length;
  if (kernel.length !== rank) {
    throw nodeError('bad-input', node, `a kernel of rank ${kernel.length} over ${rank} spatial axes`);
  }
  const { strides, dilations, pads, autoPad } = windowAttributes(node, rank);
  const ceil = intAttribute(node, 'ceil_mode', 0) !== 0;
  return input.map((size, axis) => {
    const stride = strides[axis]!;
    const dilation = dilations[axis]!;
    const extent = (kernel[axis]! - 1) * dilation + 1;
    let head = pads[axis]!;
    let tail = pads[axis + rank]!;
    let output: number;
    if (autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER') {
      output = Math.ceil(size / stride);
      const total = Math.max(0, (output - 1) * stride + extent - size);
      head = autoPad === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
      tail = total - head;
    } else {
      const steps = (size + head + tail - extent) / stride;
      output = (ceil ? Math.ceil(steps) : Math.floor(steps)) + 1;
      // A last window that would start in the padding after the input is left out.
      if (ceil && (output - 1) * stride >= size + head) output -= 1;
    }
    if (output < 1) {
      throw nodeError('bad-input', node, `a window of extent ${extent} does not fit an axis of size ${size}`);
    }
    return { input: size, output, kernel: kernel[axis]!, stride, dilation, head, tail };
  });
}

/**
 * For output position p and tap t (both flat, in C order): the flat spatial offset of the input they see, at
 * p * taps + t; OUTSIDE where that is padding.
 */
export function windowOffsets(axes: readonly WindowAxis[]): Int32Array {
  const strides = stridesOf(axes.map((axis) => axis.input));
  // Per axis a table [output, kernel]; the sum over axes runs as (output, kernel, output, kernel, …).
  const tables = axes.map((axis, index) => {
    const table = new Int32Array(axis.output * axis.kernel);
    for (let o = 0; o < axis.output; o++) {
      for (let t = 0; t < axis.kernel; t++) {
        const at = o * axis.stride + t * axis.dilation - axis.head;
        table[o * axis.kernel + t] = at < 0 || at >= axis.input ? OUTSIDE : at * strides[index]!;
      }
    }
    return table;
  });
  const mixed = sumOffsets(tables);
  const positions = axes.map((axis) => axis.output);
  const taps = axes.map((axis) => axis.kernel);
  const mixedStrides = stridesOf(axes.flatMap((axis) => [axis.output, axis.kernel]));
  const starts = sumOffsets(positions.map((length, i) => arithmetic(length, mixedStrides[2 * i]!)));
  const jumps = sumOffsets(taps.map((length, i) => arithmetic(length, mixedStrides[2 * i + 1]!)));
  const offsets = new Int32Array(mixed.length);
  let at = 0;
  for (let p = 0; p < starts.length; p++) {
    for (let t = 0; t < jumps.length; t++) offsets[at++] = mixed[starts[p]! + jumps[t]!]!;
  }
  return offsets;
}
