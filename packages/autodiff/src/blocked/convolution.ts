import { type Attribute, type Attributes, floatAttribute, intAttribute, type Node } from '@unitscope/onnx';
import { labelOf } from '../placement.js';
import { blockFilter, type Filter, mergeGroups } from './filters.js';
import { type BlockedWriter, NCHWC_DOMAIN } from './writer.js';

/** So many groups become one at most; the products that the zeros between them add cost more than reordering. */
const MOST_MERGED = 4;

/** A convolution by its weights in ONNX's form, for any maker of one. */
export interface Convolution {
  readonly filter: Filter;
  readonly bias: Float32Array | undefined;
  readonly groups: number;
}

/** How the runtime is to compute a convolution: what it reads, and its filter's form. */
interface Plan extends Convolution {
  /** Reads its input in NCHW, as the runtime does for fewer channels than a block has. */
  readonly direct: boolean;
  readonly paired: boolean;
}

/** Conv with constant weights. */
export function writeConv(writer: BlockedWriter, node: Node): boolean {
  const [x, w, b] = node.inputs;
  const filter = filterOf(writer, w);
  const bias = b === undefined || b === '' ? undefined : floatsOf(writer, b);
  if (filter === undefined || (bias === undefined && (b ?? '') !== '')) return false;
  const convolution = { filter, bias, groups: intAttribute(node, 'group', 1) };
  const planned = planConvolution(writer, x!, convolution);
  if (planned === undefined) return false;
  const attributes = new Map(node.attributes).set('group', groupsAttribute(writer, planned));
  const inputs = convolutionInputs(writer, x!, planned, labelOf(node));
  writer.write({ origin: node, domain: NCHWC_DOMAIN, operator: 'Conv', inputs, attributes }, node.outputs);
  return true;
}

/** BatchNormalization at inference: a depthwise convolution of one tap. */
export function writeBatchNormalization(writer: BlockedWriter, node: Node): boolean {
  const [x, ...parameters] = node.inputs;
  const [scale, offset, mean, variance] = parameters.map((value) => floatsOf(writer, value));
  if (!scale || !offset || !mean || !variance || node.outputs.length > 1) return false;
  if (intAttribute(node, 'training_mode', 0) !== 0 || !writer.prefersBlocked([x!])) return false;
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const weights = scale.map((value, c) => value / Math.sqrt(variance[c]! + epsilon));
  const bias = offset.map((value, c) => value - mean[c]! * weights[c]!);
  writePerChannel(writer, node, x!, weights, bias);
  return true;
}

/** y = weights x + bias, one number per channel, as a depthwise convolution; x is in the blocked layout or goes there. */
export function writePerChannel(
  writer: BlockedWriter,
  node: Node,
  x: string,
  weights: Float32Array,
  bias: Float32Array | undefined,
): void {
  const channels = weights.length;
  const filter: Filter = { dims: [channels, 1, 1, 1], data: weights };
  const plan: Plan = { filter, bias, groups: channels, direct: false, paired: false };
  const inputs = convolutionInputs(writer, x, plan, labelOf(node));
  const attributes: Attributes = new Map<string, Attribute>([
    ['kernel_shape', { kind: 'ints', value: [1, 1] }],
    ['group', groupsAttribute(writer, plan)],
  ]);
  writer.write({ origin: node, domain: NCHWC_DOMAIN, operator: 'Conv', inputs, attributes }, node.outputs);
}

/**
 * What the runtime's blocked convolution accepts: one group, with channels filled up to blocks, or with fewer channels
 * than a block straight from NCHW; depthwise; groups of whole blocks. Smaller groups are merged into whole blocks.
 */
export function planConvolution(
  writer: BlockedWriter,
  x: string,
  convolution: Convolution,
): Plan | undefined {
  const image = writer.image(x);
  if (image === undefined) return undefined;
  const { block } = writer;
  const { filter, groups } = convolution;
  const [outputs, inputs] = filter.dims;
  if (inputs * groups !== image.channels || outputs % groups !== 0) return undefined;
  if (groups === 1) {
    if (writer.hasBlocked(x)) return { ...convolution, direct: false, paired: true };
    // Filling few output channels up to a block costs more than the plain convolution.
    if (2 * outputs < block) return undefined;
    if (inputs < block) return { ...convolution, direct: true, paired: false };
    return writer.canBlock(x) ? { ...convolution, direct: false, paired: true } : undefined;
  }
  if (!writer.canBlock(x)) return undefined;
  if (inputs === 1 && outputs === groups) return { ...convolution, direct: false, paired: false };
  for (let count = 1; count <= Math.min(MOST_MERGED, groups); count++) {
    if (groups % count !== 0) continue;
    const whole = writer.isWhole(inputs * count) && writer.isWhole((outputs / groups) * count);
    if (!whole && count < groups) continue;
    const merged = count === 1 ? filter : mergeGroups(filter, groups, count);
    return { ...convolution, filter: merged, groups: groups / count, direct: false, paired: true };
  }
  return undefined;
}

/** Input, blocked filter and bias of a planned convolution. */
export function convolutionInputs(
  writer: BlockedWriter,
  x: string,
  { filter, bias, direct, paired }: Plan,
  stem: string,
): string[] {
  const input = direct ? writer.plain(x) : writer.blocked(x);
  const { dims, data } = blockFilter(filter, writer.block, paired);
  const weights = writer.builder.constant({ type: 'float32', dims, data }, `${stem}/blocked_weights`);
  if (bias === undefined) return [input, weights];
  const filled = new Float32Array(dims[0]);
  filled.set(bias);
  const offsets = { type: 'float32', dims: [dims[0]], data: filled } as const;
  return [input, weights, writer.builder.constant(offsets, `${stem}/blocked_bias`)];
}

/** A depthwise convolution has a group for each channel that is filled up as well. */
export function groupsAttribute(writer: BlockedWriter, { groups, paired, direct }: Plan): Attribute {
  return { kind: 'int', value: paired || direct ? groups : writer.padded(groups) };
}

/** A constant filter of two spatial axes. */
export function filterOf(writer: BlockedWriter, value: string | undefined): Filter | undefined {
  const constant = writer.constant(value);
  if (constant === undefined || !(constant.data instanceof Float32Array)) return undefined;
  const [outputs, inputs, height, width, ...more] = constant.dims;
  if (outputs === undefined || inputs === undefined || height === undefined || width === undefined)
    return undefined;
  return more.length > 0 ? undefined : { dims: [outputs, inputs, height, width], data: constant.data };
}

export function floatsOf(writer: BlockedWriter, value: string | undefined): Float32Array | undefined {
  const data = writer.constant(value)?.data;
  return data instanceof Float32Array ? data : undefined;
}
