import { intsAttribute, type Node } from '@unitscope/onnx';
import { sameDims } from '@unitscope/tensor';
import { UNITSCOPE_DOMAIN } from '../native-operator.js';
import { labelOf } from '../placement.js';
import { type BlockedWriter, NCHWC_DOMAIN, type Written } from './writer.js';

/**
 * Add and Sum of maps of equal dims. A convolution whose result nothing else reads adds the other maps to its own
 * result as it writes it, which saves a pass over memory; where no one else reads the map added, the runtime writes in
 * its place, else it copies it first.
 */
export function writeSum(writer: BlockedWriter, node: Node): boolean {
  const output = writer.image(node.outputs[0]);
  if (output === undefined || node.inputs.length < 2) return false;
  const equal = node.inputs.every((input) => {
    const image = writer.image(input);
    return image !== undefined && sameDims(image.dims, output.dims) && writer.constant(input) === undefined;
  });
  if (!equal || !writer.prefersBlocked(node.inputs)) return false;
  const makers = node.inputs.map((input) => writer.privateMaker(input));
  if (writeSumOfPhases(writer, node, makers)) return true;
  const accumulating = makers.map((maker) => (isOpen(maker) ? maker : undefined));
  const others = node.inputs.filter((_, i) => accumulating[i] === undefined);
  const convolutions = accumulating.filter((maker) => maker !== undefined);
  if (convolutions.length === 0) {
    writer.write({ origin: node, inputs: node.inputs.map((input) => writer.blocked(input)) }, node.outputs);
    return true;
  }
  let sum: string | undefined;
  if (others.length === 1) sum = writer.blocked(others[0]!);
  if (others.length > 1) {
    const inputs = others.map((input) => writer.blocked(input));
    const dims = [output.dims[0], writer.padded(output.channels), output.dims[2], output.dims[3]];
    const name = `${labelOf(node)}/Sum`;
    sum = writer.writeInner({ origin: node, operator: 'Sum', domain: '', name, inputs }, dims);
  }
  for (const convolution of convolutions) {
    if (sum !== undefined) accumulate(writer, convolution, sum, node);
    sum = convolution.node.outputs[0]!;
  }
  writer.bind(node.outputs[0]!, sum!);
  return true;
}

/** A blocked convolution that neither adds a map nor applies an activation yet. */
function isOpen(maker: Written | undefined): maker is Written {
  return (
    maker !== undefined &&
    maker.node.domain === NCHWC_DOMAIN &&
    maker.node.operator === 'Conv' &&
    maker.node.inputs.length < 4 &&
    !maker.node.attributes.has('activation')
  );
}

function accumulate(writer: BlockedWriter, convolution: Written, sum: string, origin: Node): void {
  const [x, weights, bias = ''] = convolution.node.inputs as [string, string, string?];
  writer.revise(convolution, { ...convolution.node, inputs: [x, weights, bias, sum] }, origin);
}

/** Sums of maps put together from phases are put together from sums of phases. */
function writeSumOfPhases(
  writer: BlockedWriter,
  node: Node,
  makers: readonly (Written | undefined)[],
): boolean {
  const parts = makers.filter((maker) => maker !== undefined);
  const [first] = parts;
  if (first === undefined || parts.length < node.inputs.length || new Set(parts).size < parts.length)
    return false;
  const strides = intsAttribute(first.node, 'strides', []);
  const alike = parts.every(
    (part) =>
      part.node.operator === 'PhaseInterleave' &&
      part.node.domain === UNITSCOPE_DOMAIN &&
      !part.node.attributes.has('rule') &&
      sameDims(intsAttribute(part.node, 'strides', []), strides),
  );
  if (!alike) return false;
  const sums = new Map<number, string>();
  for (const part of parts) {
    writer.drop(part);
    const present = intsAttribute(part.node, 'present', []);
    for (const [i, phase] of present.entries()) {
      const [name, before] = [part.node.inputs[i]!, sums.get(phase)];
      sums.set(phase, before === undefined ? name : addPhases(writer, node, before, name));
    }
  }
  const present = [...sums.keys()].sort((a, b) => a - b);
  const attributes = new Map(first.node.attributes).set('present', { kind: 'ints', value: present });
  const inputs = present.map((phase) => sums.get(phase)!);
  const fused = parts.flatMap((part) => [part.node.name, ...part.fused]);
  const interleave = { operator: 'PhaseInterleave', domain: UNITSCOPE_DOMAIN, inputs, attributes };
  writer.write({ origin: node, ...interleave, fused }, node.outputs);
  return true;
}

function addPhases(writer: BlockedWriter, node: Node, a: string, b: string): string {
  const [first, second] = [writer.makerOf(a), writer.makerOf(b)];
  if (isOpen(second)) {
    accumulate(writer, second, a, node);
    return b;
  }
  if (isOpen(first)) {
    accumulate(writer, first, b, node);
    return a;
  }
  return writer.writeInner({ origin: node, operator: 'Add', domain: '', inputs: [a, b] }, writer.dimsOf(a));
}
