import { intAttribute, intsAttribute, type Node } from '../graph.js';
import { product } from './indexing.js';
import { nodeError, type Operator, perChannel, required } from './operator.js';
import { floats, type Value } from './value.js';
import { type WindowAxis, windowAttributes, windowAxes, windowOffsets } from './windows.js';

/** y[n, o, p] = b[o] + sum over c of o's group and taps t of w[o, c, t] x[n, c, p * stride + t * dilation - pad] */
export const conv: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const w = required(node, inputs, 1);
  const bias = inputs[2];
  const { batch, channels, spatial } = planesOf(node, x);
  const groups = intAttribute(node, 'group', 1);
  const [filters = 0, perGroup = 0, ...kernel] = w.dims;
  checkKernel(node, kernel);
  if (perGroup * groups !== channels || filters % groups !== 0) {
    throw nodeError(
      'bad-input',
      node,
      `weights [${w.dims.join(', ')}] in ${groups} groups do not fit an input of ${channels} channels`,
    );
  }
  const axes = windowAxes(node, spatial, kernel);
  const offsets = windowOffsets(axes);
  perChannel(node, bias, filters);
  const positions = product(axes.map((axis) => axis.output));
  const taps = product(kernel);
  const plane = product(spatial);
  const y = new Float64Array(batch * filters * positions);
  for (let n = 0; n < batch; n++) {
    for (let o = 0; o < filters; o++) {
      const firstChannel = Math.floor(o / (filters / groups)) * perGroup;
      const start = bias === undefined ? 0 : bias.data[o]!;
      for (let p = 0; p < positions; p++) {
        let sum = start;
        for (let c = 0; c < perGroup; c++) {
          const from = (n * channels + firstChannel + c) * plane;
          const weights = (o * perGroup + c) * taps;
          for (let t = 0; t < taps; t++) {
            const offset = offsets[p * taps + t]!;
            if (offset >= 0) sum += w.data[weights + t]! * x.data[from + offset]!;
          }
        }
        y[(n * filters + o) * positions + p] = sum;
      }
    }
  }
  return [floats([batch, filters, ...axes.map((axis) => axis.output)], y)];
};

/**
 * The adjoint of a convolution: x[n, c, p] w[c, o, t] is added to y[n, o, p * stride + t * dilation - pad], then the
 * bias.
 */
export const convTranspose: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const w = required(node, inputs, 1);
  const bias = inputs[2];
  const { batch, channels, spatial } = planesOf(node, x);
  const groups = intAttribute(node, 'group', 1);
  const [inChannels = 0, perGroup = 0, ...kernel] = w.dims;
  checkKernel(node, kernel);
  if (inChannels !== channels || channels % groups !== 0 || kernel.length !== spatial.length) {
    throw nodeError(
      'bad-input',
      node,
      `weights [${w.dims.join(', ')}] in ${groups} groups do not fit an input of dims [${x.dims.join(', ')}]`,
    );
  }
  const axes = transposedAxes(node, spatial, kernel);
  const offsets = windowOffsets(axes);
  const positions = product(spatial);
  const taps = product(kernel);
  const plane = product(axes.map((axis) => axis.input));
  const filters = perGroup * groups;
  perChannel(node, bias, filters);
  const y = new Float64Array(batch * filters * plane);
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < channels; c++) {
      const firstFilter = Math.floor(c / (channels / groups)) * perGroup;
      for (let o = 0; o < perGroup; o++) {
        const to = (n * filters + firstFilter + o) * plane;
        const weights = (c * perGroup + o) * taps;
        for (let p = 0; p < positions; p++) {
          const signal = x.data[(n * channels + c) * positions + p]!;
          for (let t = 0; t < taps; t++) {
            const offset = offsets[p * taps + t]!;
            if (offset >= 0) y[to + offset] = y[to + offset]! + signal * w.data[weights + t]!;
          }
        }
      }
    }
  }
  if (bias !== undefined) {
    for (let i = 0; i < y.length; i++) y[i] = y[i]! + bias.data[Math.floor(i / plane) % filters]!;
  }
  return [floats([batch, filters, ...axes.map((axis) => axis.input)], y)];
};

/** The axes of the convolution that this transposed one is the adjoint of: its output is our input. */
function transposedAxes(
  node: Node,
  spatial: readonly number[],
  kernel: readonly number[],
): readonly WindowAxis[] {
  const rank = spatial.length;
  const { strides, dilations, pads, autoPad } = windowAttributes(node, rank);
  const extra = intsAttribute(node, 'output_padding') ?? new Array<number>(rank).fill(0);
  const wanted = intsAttribute(node, 'output_shape')?.slice(-rank);
  const same = autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER';
  return spatial.map((size, axis) => {
    const stride = strides[axis]!;
    const dilation = dilations[axis]!;
    const full = (size - 1) * stride + extra[axis]! + (kernel[axis]! - 1) * dilation + 1;
    let head = pads[axis]!;
    let tail = pads[axis + rank]!;
    if (wanted !== undefined || same) {
      const total = full - (wanted?.[axis] ?? size * stride);
      // Padding cannot be negative: an output wider than the full one has its extra zeros at the end.
      const even = Math.max(0, total);
      head = autoPad === 'SAME_UPPER' ? Math.floor(even / 2) : Math.ceil(even / 2);
      tail = total - head;
    }
    const output = full - head - tail;
    if (output < 1) {
      throw nodeError('bad-input', node, `the output would have size ${output} along spatial axis ${axis}`);
    }
    return { input: output, output: size, kernel: kernel[axis]!, stride, dilation, head, tail };
  });
}

function checkKernel(node: Node, kernel: readonly number[]): void {
  const declared = intsAttribute(node, 'kernel_shape');
  if (declared !== undefined && declared.join() !== kernel.join()) {
    throw nodeError(
      'bad-input',
      node,
      `kernel_shape [${declared.join(', ')}] contradicts the weights' [${kernel.join(', ')}]`,
    );
  }
}

/** N, C and the spatial dims of a feature map. */
export function planesOf(
  node: Node,
  x: Value,
): { readonly batch: number; readonly channels: number; readonly spatial: readonly number[] } {
  const [batch, channels, ...spatial] = x.dims;
  if (batch === undefined || channels === undefined || spatial.length === 0) {
    throw nodeError(
      'bad-input',
      node,
      `needs an input [N, C, spatial axes…], got dims [${x.dims.join(', ')}]`,
    );
  }
  return { batch, channels, spatial };
}
