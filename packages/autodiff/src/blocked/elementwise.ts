import { type Constant, floatAttribute, type Node } from '@unitscope/onnx';
import { sameDims } from '@unitscope/tensor';
import { withRectifier } from '../fuse.js';
import { UNITSCOPE_DOMAIN } from '../native-operator.js';
import { rectifierOf } from '../operators/relu-grad.js';
import { labelOf } from '../placement.js';
import { writePerChannel } from './convolution.js';
import { type BlockedWriter, type Image, NCHWC_DOMAIN, type Written } from './writer.js';

/** Finite for all that is finite, so that the channels that fill up a block stay harmless. */
const FINITE: ReadonlySet<string> = new Set([
  ...['Relu', 'LeakyRelu', 'ThresholdedRelu', 'Clip', 'Elu', 'Selu', 'Celu', 'Gelu', 'Mish', 'Softplus'],
  ...['Sigmoid', 'HardSigmoid', 'HardSwish', 'Tanh', 'Softsign', 'Erf', 'Abs', 'Neg', 'Sign', 'Floor'],
  ...['Ceil', 'Round', 'Sin', 'Cos', 'Add', 'Sub', 'Mul', 'Max', 'Min', 'Sum', 'Mean', 'PRelu', 'Where'],
]);

/** May be infinite or NaN at what stands in such channels: blocked only where there are none. */
const PARTIAL: ReadonlySet<string> = new Set(['Exp', 'Log', 'Sqrt', 'Reciprocal', 'Div', 'Pow']);

/** Of which the result is true or false: blocked only where all that reads it is. */
const LOGICAL: ReadonlySet<string> = new Set([
  ...['Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Equal', 'And', 'Or', 'Not', 'Xor'],
]);

export const ELEMENTWISE: readonly string[] = [...FINITE, ...PARTIAL, ...LOGICAL];

/** Operators that work number by number: they run on blocked memory as they are. */
export function writeElementwise(writer: BlockedWriter, node: Node): boolean {
  const [output] = node.outputs as [string];
  const image = writer.map(output);
  if (image === undefined || node.outputs.length > 1) return false;
  if (LOGICAL.has(node.operator) ? !staysBlocked(writer, output) : writer.image(output) === undefined)
    return false;
  if (PARTIAL.has(node.operator) && !writer.isWhole(image.channels)) return false;
  if (absorbActivation(writer, node)) return true;
  const operands = node.inputs.map((input) => operandOf(writer, input, image));
  if (operands.some((operand) => operand === undefined)) return false;
  const maps = node.inputs.filter((_, i) => operands[i] === 'map');
  const forced = maps.some((value) => writer.hasBlocked(value) && writer.image(value) === undefined);
  const gates = node.inputs.filter((_, i) => operands[i] === 'gate');
  if (maps.length === 0 || (!forced && !writer.prefersBlocked(maps))) return false;
  if (gates.length > 0) return writeGated(writer, node, image, maps, gates);
  if (writeAffine(writer, node, image)) return true;
  const inputs = node.inputs.map((input, i) => {
    if (operands[i] === 'map') return writer.blocked(input);
    if (operands[i] === 'scalar') return input;
    return blockConstant(writer, writer.constant(input)!, image);
  });
  writer.write({ origin: node, inputs }, node.outputs);
  return true;
}

type Operand = 'map' | 'scalar' | 'constant' | 'gate';

/** What an input is to an elementwise node whose result is `image`; undefined where it cannot be blocked. */
function operandOf(writer: BlockedWriter, value: string, image: Image): Operand | undefined {
  if (value === '') return 'scalar';
  const dims = writer.shapes.dims(value);
  if (dims === undefined) return undefined;
  if (dims.every((size) => size === 1) && dims.length <= 4) return 'scalar';
  const constant = writer.constant(value);
  if (constant !== undefined) return isBlockable(constant, image) ? 'constant' : undefined;
  const map = writer.map(value);
  if (map === undefined) return undefined;
  if (sameDims(map.dims, image.dims)) {
    return writer.image(value) !== undefined || writer.hasBlocked(value) ? 'map' : undefined;
  }
  const gate = [image.dims[0], image.dims[1], 1, 1];
  return writer.image(value) !== undefined && sameDims(map.dims, gate) ? 'gate' : undefined;
}

function isBlockable({ type, dims }: Constant, image: Image): boolean {
  const sizes = image.dims.slice(2).every((size) => typeof size === 'number');
  return type === 'float32' && sizes && dims.length <= 4 && (dims.length < 4 || dims[0] === 1);
}

/** A constant that broadcasts to the image, repeated to its channels and sizes and blocked. */
function blockConstant(writer: BlockedWriter, { dims, data }: Constant, image: Image): string {
  const { block } = writer;
  const [height, width] = image.dims.slice(2) as [number, number];
  const [c = 1, h = 1, w = 1] = [1, 1, 1, ...dims].slice(-3);
  const channels = writer.padded(image.channels);
  const blocked = new Float32Array(channels * height * width);
  for (let channel = 0; channel < image.channels; channel++) {
    const place = Math.floor(channel / block) * block * height * width + (channel % block);
    for (let i = 0; i < height * width; i++) {
      const [row, column] = [Math.floor(i / width), i % width];
      const from = ((c === 1 ? 0 : channel) * h + (h === 1 ? 0 : row)) * w + (w === 1 ? 0 : column);
      blocked[place + i * block] = Number(data[from]);
    }
  }
  return writer.builder.constant({ type: 'float32', dims: [1, channels, height, width], data: blocked });
}

/** A product, quotient or sum with one constant number per channel. */
function writeAffine(writer: BlockedWriter, node: Node, image: Image): boolean {
  if (node.inputs.length !== 2 || !['Add', 'Sub', 'Mul', 'Div'].includes(node.operator)) return false;
  const at = node.inputs.findIndex((input) => writer.constant(input) !== undefined);
  const constant = at < 0 ? undefined : writer.constant(node.inputs[at]);
  if (constant === undefined || !(constant.data instanceof Float32Array)) return false;
  const [c = 1, h = 1, w = 1] = [1, 1, 1, ...constant.dims].slice(-3);
  if (h !== 1 || w !== 1 || c !== image.channels || constant.data.length !== c) return false;
  const { data } = constant;
  const x = node.inputs[1 - at]!;
  const same = (value: number) => new Float32Array(c).fill(value);
  switch (node.operator) {
    case 'Mul':
      writePerChannel(writer, node, x, data, undefined);
      return true;
    case 'Add':
      writePerChannel(writer, node, x, same(1), data);
      return true;
    case 'Sub':
      writePerChannel(
        writer,
        node,
        x,
        same(at === 1 ? 1 : -1),
        at === 1 ? data.map((value) => -value) : data,
      );
      return true;
    default:
      return false;
  }
}

/**
 * A map and a gate, one number per sample and channel, as squeeze-and-excitation has it: seen as
 * [N, C / block, H W, block] and [N, C / block, 1, block] they broadcast in the blocked layout.
 */
function writeGated(
  writer: BlockedWriter,
  node: Node,
  image: Image,
  maps: readonly string[],
  gates: readonly string[],
): boolean {
  if (node.inputs.length !== 2 || maps.length !== 1 || !writer.prefersBlocked([...maps, ...gates]))
    return false;
  const [batch, , height, width] = image.dims;
  if (typeof height !== 'number' || typeof width !== 'number') return false;
  const { block, builder } = writer;
  const channels = writer.padded(image.channels);
  const stem = labelOf(node);
  const blocks = channels / block;
  const seen = node.inputs.map((input) => {
    const positions = input === maps[0] ? height * width : 1;
    const shape = builder.ints([0, blocks, positions, block]);
    const view = { origin: node, operator: 'Reshape', domain: '', attributes: new Map() };
    const inputs = [writer.blocked(input), shape];
    return writer.writeInner({ ...view, name: `${stem}/Reshape`, inputs }, [batch, blocks, positions, block]);
  });
  const dims = [batch, blocks, height * width, block];
  const gated = writer.writeInner({ origin: node, inputs: seen }, dims);
  const back = { operator: 'Reshape', domain: '', name: `${stem}/Reshape`, attributes: new Map() };
  const inputs = [gated, builder.ints([0, channels, height, width])];
  writer.write({ origin: node, ...back, inputs }, node.outputs);
  return true;
}

/**
 * Whether true and false of a map may stand in the blocked layout, which no reorder takes them out of: all that reads
 * them does so blocked.
 */
function staysBlocked(writer: BlockedWriter, value: string): boolean {
  if (writer.isOutput(value)) return false;
  const map = writer.map(value);
  return (
    map !== undefined &&
    writer.consumers(value).every((reader) => {
      const [output] = reader.outputs as [string];
      const result = writer.map(output);
      if (result === undefined || reader.domain !== '' || !sameDims(result.dims, map.dims)) return false;
      const operands = reader.inputs.every((input) => {
        if (input === value) return true;
        const operand = operandOf(writer, input, result);
        const isMap = sameDims(writer.shapes.dims(input) ?? [], map.dims);
        return (
          operand !== 'gate' && (operand !== undefined || isMap) && (!isMap || isReachable(writer, input))
        );
      });
      if (!operands) return false;
      return reader.operator === 'Where' || (LOGICAL.has(reader.operator) && staysBlocked(writer, output));
    })
  );
}

/** Floats that can be brought into the blocked layout, or truth values, which the same question is asked of. */
function isReachable(writer: BlockedWriter, value: string): boolean {
  const image = writer.image(value);
  return image === undefined || image.channels % 4 === 0;
}

/** Takes an activation into the convolution in front of it, where nothing else reads what it is applied to. */
function absorbActivation(writer: BlockedWriter, node: Node): boolean {
  const [x] = node.inputs as [string];
  const activation = activationOf(writer, node);
  const maker = activation === undefined ? undefined : writer.privateMaker(x);
  if (activation === undefined || maker === undefined || !isPlainConvolution(maker)) return false;
  const attributes = new Map(maker.node.attributes).set('activation', {
    kind: 'string',
    value: activation.name,
  });
  if (activation.parameters.length > 0) {
    attributes.set('activation_params', { kind: 'floats', value: activation.parameters });
  }
  writer.revise(maker, { ...maker.node, attributes }, node);
  writer.bind(node.outputs[0]!, maker.node.outputs[0]!);
  return true;
}

function isPlainConvolution({ node }: Written): boolean {
  return node.domain === NCHWC_DOMAIN && node.operator === 'Conv' && !node.attributes.has('activation');
}

interface Activation {
  readonly name: string;
  readonly parameters: readonly number[];
}

const LARGEST = 3.4028234663852886e38;

/** The activations of the runtime's convolution. */
function activationOf(writer: BlockedWriter, node: Node): Activation | undefined {
  const plain = (parameters: readonly number[]) => ({ name: node.operator, parameters });
  switch (node.operator) {
    case 'Relu':
    case 'Sigmoid':
    case 'Tanh':
      return plain([]);
    case 'LeakyRelu':
      return plain([floatAttribute(node, 'alpha', 0.01)]);
    case 'HardSigmoid':
      return plain([floatAttribute(node, 'alpha', 0.2), floatAttribute(node, 'beta', 0.5)]);
    case 'Clip': {
      const bounds = [1, 2].map((input) => {
        const value = node.inputs[input] ?? '';
        if (value === '') return input === 1 ? -LARGEST : LARGEST;
        const data = writer.constant(value)?.data;
        return data instanceof Float32Array && data.length === 1 ? data[0] : undefined;
      });
      const known = bounds.filter((bound) => bound !== undefined);
      return known.length === 2 ? plain(known) : undefined;
    }
    default:
      return undefined;
  }
}

/** ReluGrad: elementwise, and taken into the operator that puts its signal together from phases. */
export function writeReluGrad(writer: BlockedWriter, node: Node): boolean {
  const [y, dy] = node.inputs as [string, string];
  const rectifier = rectifierOf(node)!;
  const relu: Node = { ...node, operator: 'Relu', domain: '', inputs: [dy], attributes: new Map() };
  // The deconvnet's rule is a Relu of the signal, which a convolution takes in.
  if (rectifier.rule === 'deconvnet' && absorbActivation(writer, relu)) return true;
  const maker = writer.privateMaker(dy);
  const joins =
    maker?.node.operator === 'PhaseInterleave' &&
    maker.node.domain === UNITSCOPE_DOMAIN &&
    !maker.node.attributes.has('rule') &&
    writer.canBlock(y);
  if (joins) {
    const masked = withRectifier(maker.node, rectifier, maker.node.outputs);
    const inputs = [...maker.node.inputs, writer.blocked(y)];
    const attributes = new Map(masked.attributes).set('masked', { kind: 'int', value: 1 });
    writer.revise(maker, { ...masked, inputs, attributes }, node);
    writer.bind(node.outputs[0]!, maker.node.outputs[0]!);
    return true;
  }
  if (!writer.prefersBlocked(node.inputs)) return false;
  writer.write({ origin: node, inputs: node.inputs.map((input) => writer.blocked(input)) }, node.outputs);
  return true;
}
