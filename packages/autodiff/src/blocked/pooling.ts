import { type Attribute, type Attributes, intAttribute, intsAttribute, type Node } from '@unitscope/onnx';
import { type BlockedWriter, NCHWC_DOMAIN } from './writer.js';

/** MaxPool and AveragePool, where the runtime's blocked operator computes what its plain one does. */
export function writePool(writer: BlockedWriter, node: Node): boolean {
  const [x] = node.inputs as [string];
  if (node.outputs.length > 1 || writer.image(node.outputs[0]) === undefined) return false;
  if (intsAttribute(node, 'kernel_shape')?.length !== 2 || !writer.prefersBlocked([x])) return false;
  // A window that ceil_mode adds counts padding up to its own end in the blocked operator, up to the padding's in the plain.
  const ceil = intAttribute(node, 'ceil_mode', 0) !== 0;
  if (ceil && intAttribute(node, 'count_include_pad', 0) !== 0) return false;
  writer.write({ origin: node, domain: NCHWC_DOMAIN, inputs: [writer.blocked(x)] }, node.outputs);
  return true;
}

/** GlobalAveragePool and GlobalMaxPool. */
export function writeGlobalPool(writer: BlockedWriter, node: Node): boolean {
  const [x] = node.inputs as [string];
  if (!writer.prefersBlocked([x])) return false;
  writer.write({ origin: node, domain: NCHWC_DOMAIN, inputs: [writer.blocked(x)] }, node.outputs);
  return true;
}

/** Operators of the domain `unitscope` that have to be told the layout. */
export function writeWithBlock(writer: BlockedWriter, node: Node): boolean {
  if (!writer.prefersBlocked(node.inputs)) return false;
  const attributes: Attributes = new Map(node.attributes).set('block', blockAttribute(writer));
  writer.write({ origin: node, inputs: node.inputs.map((input) => writer.blocked(input)), attributes }, [
    ...node.outputs,
  ]);
  return true;
}

function blockAttribute(writer: BlockedWriter): Attribute {
  return { kind: 'int', value: writer.block };
}

/** Resize that repeats every pixel a whole number of times. */
export function writeRepeat(writer: BlockedWriter, node: Node): boolean {
  const [x, , scales] = node.inputs as [string, string?, string?];
  const factors = Array.from(writer.constant(scales)?.data ?? [], Number);
  const text = (name: string) => {
    const attribute = node.attributes.get(name);
    return attribute?.kind === 'string' ? attribute.value : undefined;
  };
  const repeats =
    (text('mode') ?? 'nearest') === 'nearest' &&
    text('coordinate_transformation_mode') === 'asymmetric' &&
    text('nearest_mode') === 'floor' &&
    intsAttribute(node, 'axes') === undefined;
  const whole = factors.length === 4 && factors.every((factor) => Number.isInteger(factor) && factor >= 1);
  if (!repeats || !whole || factors[0] !== 1 || factors[1] !== 1) return false;
  if ((node.inputs[3] ?? '') !== '' || !writer.prefersBlocked([x])) return false;
  const attributes: Attributes = new Map([['scales', { kind: 'ints', value: factors }]]);
  const upsample = { operator: 'Upsample', domain: NCHWC_DOMAIN, attributes };
  writer.write({ origin: node, ...upsample, inputs: [writer.blocked(x)] }, node.outputs);
  return true;
}
