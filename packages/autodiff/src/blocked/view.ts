import { type Attributes, intAttribute, type Node, stringAttribute } from '@unitscope/onnx';
import { labelOf } from '../placement.js';
import { type BlockedWriter, type Image, NCHWC_DOMAIN } from './writer.js';

/**
 * Writes a node that works on rows and columns on the blocked memory as it is, seen as [N, C / block, H, W, block]: the
 * reshapes around it move nothing, and the axes of rows and columns keep their numbers.
 */
function writeInView(
  writer: BlockedWriter,
  node: Node,
  others: readonly string[],
  attributes: Attributes = node.attributes,
): boolean {
  const [x] = node.inputs as [string];
  const [from, to] = [writer.image(x), writer.image(node.outputs[0])];
  if (from === undefined || to === undefined || !isSized(from) || !isSized(to)) return false;
  if (!writer.prefersBlocked([x])) return false;
  const { block, builder } = writer;
  const stem = labelOf(node);
  const shapeOf = ({ channels, dims }: Image) => [writer.padded(channels) / block, ...dims.slice(2), block];
  const reshape = { origin: node, operator: 'Reshape', name: `${stem}/Reshape`, attributes: new Map() };
  const into = builder.ints([0, ...shapeOf(from).map(Number)]);
  const view = writer.writeInner({ ...reshape, inputs: [writer.blocked(x), into] }, [
    from.dims[0],
    ...shapeOf(from),
  ]);
  const inner = { origin: node, name: stem, inputs: [view, ...others], attributes };
  const result = writer.writeInner(inner, [to.dims[0], ...shapeOf(to)]);
  const back = builder.ints([0, writer.padded(to.channels), ...to.dims.slice(2).map(Number)]);
  writer.write({ ...reshape, inputs: [result, back] }, node.outputs);
  return true;
}

function isSized({ dims }: Image): boolean {
  return typeof dims[2] === 'number' && typeof dims[3] === 'number';
}

/** Slice of rows and columns. */
export function writeSpatialSlice(writer: BlockedWriter, node: Node): boolean {
  const [, starts, ends, axes] = node.inputs;
  const along = integers(writer, axes)?.map((axis) => (axis < 0 ? axis + 4 : axis));
  if (integers(writer, starts) === undefined || integers(writer, ends) === undefined) return false;
  if (along === undefined || along.some((axis) => axis < 2)) return false;
  const steps = node.inputs[4] ?? '';
  const rest = steps === '' ? [] : [steps];
  return writeInView(writer, node, [starts!, ends!, writer.builder.ints(along), ...rest]);
}

/** Pad by a constant along rows and columns, and by whole blocks of channels. */
export function writePad(writer: BlockedWriter, node: Node): boolean {
  const [x, pads, value = '', axes = ''] = node.inputs as [string, string, string?, string?];
  const counts = integers(writer, pads);
  const along =
    axes === '' ? [0, 1, 2, 3] : integers(writer, axes)?.map((axis) => (axis < 0 ? axis + 4 : axis));
  const channels = writer.image(x)?.channels;
  if (stringAttribute(node, 'mode', 'constant') !== 'constant' || channels === undefined) return false;
  if (counts === undefined || along === undefined || (value !== '' && writer.constant(value) === undefined))
    return false;
  const ofAxis = (axis: number) => {
    const at = along.indexOf(axis);
    return at < 0 ? [0, 0] : [counts[at]!, counts[at + along.length]!];
  };
  const [batch, channel] = [ofAxis(0), ofAxis(1)];
  if (batch.some((count) => count !== 0) || channel.some((count) => !writer.isWhole(count))) return false;
  if (channel.some((count) => count !== 0) && !writer.isWhole(channels)) return false;
  const around = [0, 1].flatMap((side) => [
    0,
    channel[side]! / writer.block,
    ofAxis(2)[side]!,
    ofAxis(3)[side]!,
    0,
  ]);
  return writeInView(writer, node, [writer.builder.ints(around), value]);
}

/** Gather of rows or columns. */
export function writeGather(writer: BlockedWriter, node: Node): boolean {
  const axis = intAttribute(node, 'axis', 0);
  const along = axis < 0 ? axis + 4 : axis;
  const indices = writer.constant(node.inputs[1]);
  if (along < 2 || indices?.dims.length !== 1) return false;
  const attributes: Attributes = new Map([['axis', { kind: 'int', value: along }]]);
  return writeInView(writer, node, [node.inputs[1]!], attributes);
}

function integers(writer: BlockedWriter, value: string | undefined): number[] | undefined {
  const constant = writer.constant(value);
  return constant === undefined ? undefined : Array.from(constant.data, Number);
}

/** ReduceMean and ReduceSum over rows and columns: as GlobalAveragePool, times the number of positions for a sum. */
export function writeSpatialReduction(writer: BlockedWriter, node: Node): boolean {
  const [x, axesInput] = node.inputs as [string, string | undefined];
  const image = writer.image(x);
  const axes = integers(writer, axesInput)?.map((axis) => (axis < 0 ? axis + 4 : axis)) ?? [];
  if (image === undefined || axes.length !== 2 || !axes.includes(2) || !axes.includes(3)) return false;
  if (intAttribute(node, 'keepdims', 1) === 0 || !isSized(image) || !writer.prefersBlocked([x])) return false;
  const pool = {
    origin: node,
    operator: 'GlobalAveragePool',
    domain: NCHWC_DOMAIN,
    inputs: [writer.blocked(x)],
    attributes: new Map(),
  };
  if (node.operator === 'ReduceMean') {
    writer.write(pool, node.outputs);
    return true;
  }
  const dims = [image.dims[0], writer.padded(image.channels), 1, 1];
  const mean = writer.writeInner({ ...pool, name: `${labelOf(node)}/GlobalAveragePool` }, dims);
  const positions = writer.builder.floats(Number(image.dims[2]) * Number(image.dims[3]));
  writer.write(
    { origin: node, operator: 'Mul', inputs: [mean, positions], attributes: new Map() },
    node.outputs,
  );
  return true;
}
