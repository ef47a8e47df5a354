import {
  floatAttribute,
  intAttribute,
  intsAttribute,
  type Node,
  type ReferenceOperator,
  type ReferenceTensor,
  stringAttribute,
} from '@unitscope/onnx';
import { sizeOf, stridesOf } from '@unitscope/tensor';

/** A tensor of the blocked layout, [N, C / block, H, W, block] in memory, in NCHW. */
export function unblocked({ dims, data }: ReferenceTensor, block: number): ReferenceTensor {
  return { dims, data: data.map((_, i) => data[blockedIndex(i, dims, block)]!) };
}

/** The reverse of `unblocked`. */
export function blocked({ dims, data }: ReferenceTensor, block: number): ReferenceTensor {
  const out = new Float64Array(data.length);
  data.forEach((value, i) => {
    out[blockedIndex(i, dims, block)] = value;
  });
  return { dims, data: out };
}

/** Where the element of flat index `i` in NCHW stands in the blocked layout. */
function blockedIndex(i: number, dims: readonly number[], block: number): number {
  const [n, c, h, w] = unravel(i, dims) as [number, number, number, number];
  const [, channels, height, width] = dims as [number, number, number, number];
  if (channels % block !== 0) throw new Error(`${channels} channels are no blocks of ${block}`);
  return (((n * (channels / block) + Math.floor(c / block)) * height + h) * width + w) * block + (c % block);
}

export function unravel(flat: number, dims: readonly number[]): number[] {
  return stridesOf(dims).map((step, axis) => Math.floor(flat / step) % dims[axis]!);
}

/** An operator defined in NCHW that may be given its maps in blocks, by its attribute `block`. */
function inBlocks(define: ReferenceOperator): ReferenceOperator {
  return (node, inputs, context) => {
    const block = intAttribute(node, 'block', 1);
    if (block === 1) return define(node, inputs, context);
    const plain = inputs.map((input) => input && unblocked(input, block));
    return define(node, plain, context).map((output) => blocked(output, block));
  };
}

/** What a rectifier lets through: its rule on the signal where its output is y. */
function rectified(rule: string, ceiling: number, y: number, signal: number): number {
  const active = y > 0 && (ceiling === Number.POSITIVE_INFINITY || y < ceiling);
  switch (rule) {
    case 'none':
      return signal;
    case 'gradient':
      return active ? signal : 0;
    case 'guided':
      return active && signal > 0 ? signal : 0;
    case 'deconvnet':
      return Math.max(signal, 0);
    default:
      throw new Error(`no rule ${rule}`);
  }
}

function throughRectifier(node: Node, y: ReferenceTensor, signal: ReferenceTensor): ReferenceTensor {
  const rule = stringAttribute(node, 'rule', 'none');
  const ceiling = floatAttribute(node, 'ceiling', Number.POSITIVE_INFINITY);
  return {
    dims: signal.dims,
    data: signal.data.map((value, i) => rectified(rule, ceiling, y.data[i]!, value)),
  };
}

const reluGrad: ReferenceOperator = (node, [y, dy]) => [throughRectifier(node, y!, dy!)];

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
  return [throughRectifier(node, x, { dims: x.dims, data: gradient })];
};

const globalAveragePoolGrad: ReferenceOperator = (node, [dy, x]) => {
  const plane = sizeOf(x!.dims.slice(2));
  const data = x!.data.map((_, i) => dy!.data[Math.floor(i / plane)]! / plane);
  return [throughRectifier(node, x!, { dims: x!.dims, data })];
};

const splitReluGrad: ReferenceOperator = (node, [dy, y]) => {
  const [rules, ceilings] = ['rules', 'ceilings'].map((name) => node.attributes.get(name));
  let start = 0;
  return intsAttribute(node, 'split', []).map((channels, part) => {
    const [batch, , ...sizes] = dy!.dims as [number, number, ...number[]];
    const dims = [batch, channels, ...sizes];
    const plane = sizeOf(sizes);
    const rule = rules?.kind === 'strings' ? rules.value[part]! : '';
    const ceiling = ceilings?.kind === 'floats' ? ceilings.value[part]! : Number.POSITIVE_INFINITY;
    const begin = start;
    start += channels;
    const data = Float64Array.from({ length: sizeOf(dims) }, (_, i) => {
      const sample = Math.floor(i / (channels * plane));
      const from = (sample * dy!.dims[1]! + begin) * plane + (i % (channels * plane));
      return rectified(rule, ceiling, y!.data[from]!, dy!.data[from]!);
    });
    return { dims, data };
  });
};

const phaseInterleave: ReferenceOperator = (node, inputs) => {
  const present = intsAttribute(node, 'present', []);
  const [sh, sw] = intsAttribute(node, 'strides', []) as [number, number];
  const [height, width] = intsAttribute(node, 'sizes', []) as [number, number];
  const [batch, channels] = inputs[0]!.dims as [number, number];
  const masked = intAttribute(node, 'masked', 0);
  if (inputs.length !== present.length + masked) throw new Error('PhaseInterleave: inputs and phases differ');
  const dims = [batch, channels, height, width];
  const data = Float64Array.from({ length: sizeOf(dims) }, (_, i) => {
    const [n, c, h, w] = unravel(i, dims) as [number, number, number, number];
    const phase = inputs[present.indexOf((h % sh) * sw + (w % sw))];
    if (!present.includes((h % sh) * sw + (w % sw))) return 0;
    const [, , rows, columns] = phase!.dims as [number, number, number, number];
    const [allRows, allColumns] = [Math.ceil((height - (h % sh)) / sh), Math.ceil((width - (w % sw)) / sw)];
    if (rows !== allRows || columns !== allColumns)
      throw new Error('PhaseInterleave: a phase has wrong dims');
    return phase!.data[((n * channels + c) * rows + Math.floor(h / sh)) * columns + Math.floor(w / sw)]!;
  });
  const whole = { dims, data };
  return [masked === 0 ? whole : throughRectifier(node, inputs.at(-1)!, whole)];
};

/** dW[f, s, k] = sum of fixed[n, f, o] slid[n, s, o stride + k dilation - pad]. */
const convWeightGrad: ReferenceOperator = (node, inputs) => {
  const [slid, fixed] = inputs as [ReferenceTensor, ReferenceTensor];
  const pair = (name: string) => intsAttribute(node, name, []) as [number, number];
  const [strides, dilations, pads] = ['strides', 'dilations', 'pads'].map(pair);
  const [batch, channels, height, width] = slid.dims as [number, number, number, number];
  const [, rows, cellRows, cellColumns] = fixed.dims as [number, number, number, number];
  const dims = intsAttribute(node, 'shape', []);
  const perGroup = dims[1]!;
  const groups = channels / perGroup;
  const data = Float64Array.from({ length: sizeOf(dims) }, (_, i) => {
    const [f, s, ky, kx] = unravel(i, dims) as [number, number, number, number];
    const channel = Math.floor(f / (rows / groups)) * perGroup + s;
    let sum = 0;
    for (let n = 0; n < batch; n++) {
      for (let oy = 0; oy < cellRows; oy++) {
        for (let ox = 0; ox < cellColumns; ox++) {
          const y = oy * strides![0] + ky * dilations![0] - pads![0];
          const x = ox * strides![1] + kx * dilations![1] - pads![1];
          if (y < 0 || x < 0 || y >= height || x >= width) continue;
          const signal = fixed.data[((n * rows + f) * cellRows + oy) * cellColumns + ox]!;
          sum += signal * slid.data[((n * channels + channel) * height + y) * width + x]!;
        }
      }
    }
    return sum;
  });
  return [{ dims, data }];
};

/** The operators of the domain `unitscope`, from their definitions, for `evaluate`. */
export const referenceOperators: ReadonlyMap<string, ReferenceOperator> = new Map([
  ['unitscope::MaxPoolGrad', inBlocks(maxPoolGrad)],
  ['unitscope::ReluGrad', reluGrad],
  ['unitscope::GlobalAveragePoolGrad', inBlocks(globalAveragePoolGrad)],
  ['unitscope::SplitReluGrad', splitReluGrad],
  ['unitscope::ConvWeightGrad', convWeightGrad],
  ['unitscope::PhaseInterleave', inBlocks(phaseInterleave)],
]);
