import {
  type Attributes,
  emptyGraph,
  evaluate,
  GraphBuilder,
  intAttribute,
  intsAttribute,
  type Node,
  type ReferenceOperator,
  type ReferenceTensor,
  stringAttribute,
} from '@unitscope/onnx';
import { sizeOf } from '@unitscope/tensor';
import { blocked, referenceOperators, unblocked, unravel } from './reference-operators.js';

/**
 * What fills up a block where the runtime writes zeros: no result may depend on it, so it is a number that would show.
 */
const FILLING = 1000;

/** The operator of ONNX's own domain on these inputs, by the reference evaluator. */
function plainOperator(
  operator: string,
  attributes: Attributes,
  inputs: readonly (ReferenceTensor | undefined)[],
): ReferenceTensor {
  const builder = new GraphBuilder(emptyGraph('plain', 19));
  const feeds: Record<string, ReferenceTensor> = {};
  const names = inputs.map((input, i) => {
    if (input === undefined) return '';
    feeds[`in${i}`] = input;
    return builder.input({ name: `in${i}`, type: 'float32', dims: input.dims });
  });
  const node: Node = { name: '', operator, domain: '', inputs: names, outputs: ['out'], attributes };
  builder.append(node);
  builder.output({ name: 'out', type: 'float32', dims: undefined });
  return evaluate(builder.build(), feeds).get('out')!;
}

function requireBlocks(channels: number, block: number, what: string): void {
  if (channels % block !== 0) throw new Error(`${what}: ${channels} channels are no blocks of ${block}`);
}

/** A filter out of the form [outputs / block, inputs / inner, height, width, inner, block] with inner = block or 1. */
function unblockedFilter({ dims, data }: ReferenceTensor, block: number, inner: number): ReferenceTensor {
  requireBlocks(dims[0]!, block, 'filter');
  requireBlocks(dims[1]!, inner, 'filter');
  const [, inputs, height, width] = dims as [number, number, number, number];
  const out = data.map((_, i) => {
    const [o, c, h, w] = unravel(i, dims) as [number, number, number, number];
    const block0 = (Math.floor(o / block) * inputs) / inner + Math.floor(c / inner);
    return data[(((block0 * height + h) * width + w) * inner + (c % inner)) * block + (o % block)]!;
  });
  return { dims, data: out };
}

function activated(node: Node, value: number): number {
  const parameters = node.attributes.get('activation_params');
  const [a, b] = parameters?.kind === 'floats' ? (parameters.value as [number, number]) : [0, 0];
  switch (stringAttribute(node, 'activation')) {
    case undefined:
      return value;
    case 'Relu':
      return Math.max(0, value);
    case 'LeakyRelu':
      return value > 0 ? value : a * value;
    case 'Clip':
      return Math.min(Math.max(value, a), b);
    case 'HardSigmoid':
      return Math.min(Math.max(a * value + b, 0), 1);
    case 'Sigmoid':
      return 1 / (1 + Math.exp(-value));
    case 'Tanh':
      return Math.tanh(value);
    default:
      throw new Error(`the runtime's convolution has no activation ${stringAttribute(node, 'activation')}`);
  }
}

/**
 * Operators of the domain `com.microsoft.nchwc` as ONNX Runtime computes them, by their definition in NCHW, with the
 * demands its kernels make; and those of the domain `unitscope`.
 */
export function blockedOperators(block: number): ReadonlyMap<string, ReferenceOperator> {
  const conv: ReferenceOperator = (node, [x, filter, bias, sum]) => {
    const groups = intAttribute(node, 'group', 1);
    const [, channels] = x!.dims as [number, number];
    const [outputs, inputs] = filter!.dims as [number, number];
    const perGroup = channels / groups;
    const depthwise = perGroup === 1 && outputs === groups;
    const direct = channels < block;
    if (!direct) requireBlocks(channels, block, node.name);
    if (inputs !== perGroup) throw new Error(`${node.name}: ${inputs} inputs for ${perGroup} channels`);
    if (!depthwise && !direct) {
      requireBlocks(perGroup, block, node.name);
      requireBlocks(outputs / groups, block, node.name);
    }
    // The reference would crop; the runtime takes the number for a very large one.
    if (intsAttribute(node, 'pads', []).some((pad) => pad < 0))
      throw new Error(`${node.name}: negative pads`);
    const weights = unblockedFilter(filter!, block, depthwise || direct ? 1 : block);
    const attributes = new Map(node.attributes);
    attributes.delete('activation');
    attributes.delete('activation_params');
    const result = plainOperator('Conv', attributes, [direct ? x : unblocked(x!, block), weights, bias]);
    const data = blocked(result, block).data;
    if (sum !== undefined && sizeOf(sum.dims) !== data.length) throw new Error(`${node.name}: Sum's dims`);
    return [{ dims: result.dims, data: data.map((v, i) => activated(node, v + (sum?.data[i] ?? 0))) }];
  };
  const inPlain =
    (operator: string): ReferenceOperator =>
    (node, [x]) => [blocked(plainOperator(operator, node.attributes, [unblocked(x!, block)]), block)];
  const reorderInput: ReferenceOperator = (node, [x]) => {
    const [batch, channels, height, width] = x!.dims as [number, number, number, number];
    if (channels % 4 !== 0) throw new Error(`${node.name}: ${channels} channels are no multiple of 4`);
    const dims = [batch, Math.ceil(channels / block) * block, height, width];
    const data = new Float64Array(sizeOf(dims)).map((_, i) => {
      const [n, c, h, w] = unravel(i, dims) as [number, number, number, number];
      return c < channels ? x!.data[((n * channels + c) * height + h) * width + w]! : FILLING;
    });
    return [blocked({ dims, data }, block)];
  };
  const reorderOutput: ReferenceOperator = (node, [x]) => {
    const [batch, physical, height, width] = x!.dims as [number, number, number, number];
    const channels = intAttribute(node, 'channels', 0);
    if (channels > physical || physical - channels >= block) throw new Error(`${node.name}: channels`);
    const plain = unblocked(x!, block).data;
    const dims = [batch, channels, height, width];
    const data = new Float64Array(sizeOf(dims)).map((_, i) => {
      const sample = Math.floor(i / (channels * height * width));
      return plain[i + sample * (physical - channels) * height * width]!;
    });
    return [{ dims, data }];
  };
  const upsample: ReferenceOperator = (node, [x]) => {
    const scales = node.attributes.get('scales');
    const [, , sh, sw] =
      scales?.kind === 'ints' ? (scales.value as [number, number, number, number]) : [1, 1, 1, 1];
    const plain = unblocked(x!, block);
    const [batch, channels, height, width] = x!.dims as [number, number, number, number];
    const dims = [batch, channels, height * sh, width * sw];
    const data = new Float64Array(sizeOf(dims)).map((_, i) => {
      const [n, c, h, w] = unravel(i, dims) as [number, number, number, number];
      return plain.data[((n * channels + c) * height + Math.floor(h / sh)) * width + Math.floor(w / sw)]!;
    });
    return [blocked({ dims, data }, block)];
  };
  const own: [string, ReferenceOperator][] = [
    ['Conv', conv],
    ['MaxPool', inPlain('MaxPool')],
    ['AveragePool', inPlain('AveragePool')],
    ['GlobalAveragePool', inPlain('GlobalAveragePool')],
    ['GlobalMaxPool', inPlain('GlobalMaxPool')],
    ['ReorderInput', reorderInput],
    ['ReorderOutput', reorderOutput],
    ['Upsample', upsample],
  ];
  return new Map([
    ...referenceOperators,
    ...own.map(([name, operator]) => [`com.microsoft.nchwc::${name}`, operator] as const),
  ]);
}
