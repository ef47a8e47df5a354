import { intAttribute, intsAttribute, type Node } from '@unitscope/onnx';
import type { BlockedWriter } from './writer.js';

/** Whether parts that stand one after the other each begin with a new block: all but the last are whole blocks. */
function beginBlocks(writer: BlockedWriter, channels: readonly number[]): boolean {
  return channels.every((count, part) => part === channels.length - 1 || writer.isWhole(count));
}

function channelsOf(writer: BlockedWriter, values: readonly string[]): number[] | undefined {
  const channels = values.flatMap((value) => writer.image(value)?.channels ?? []);
  return channels.length === values.length ? channels : undefined;
}

function isChannelAxis(node: Node, fallback: number): boolean {
  const axis = intAttribute(node, 'axis', fallback);
  return axis === 1 || axis === -3;
}

/** Concat along the channels: whole blocks one after the other are the concatenation in the blocked layout too. */
export function writeConcat(writer: BlockedWriter, node: Node): boolean {
  const channels = isChannelAxis(node, 0) ? channelsOf(writer, node.inputs) : undefined;
  if (channels === undefined || !beginBlocks(writer, channels)) return false;
  if (!writer.prefersBlocked(node.inputs)) return false;
  const inputs = node.inputs.map((input) => writer.blocked(input));
  writer.write({ origin: node, inputs, attributes: channelAxis() }, node.outputs);
  return true;
}

/** Split along the channels. */
export function writeSplit(writer: BlockedWriter, node: Node): boolean {
  const [x] = node.inputs as [string];
  const channels = isChannelAxis(node, 0) ? channelsOf(writer, node.outputs) : undefined;
  if (channels === undefined || !beginBlocks(writer, channels) || !writer.prefersBlocked([x])) return false;
  const sizes = writer.builder.ints(channels.map((count) => writer.padded(count)));
  writer.write({ origin: node, inputs: [writer.blocked(x), sizes], attributes: channelAxis() }, node.outputs);
  return true;
}

/** SplitReluGrad: as Split, with the sizes in an attribute. */
export function writeSplitReluGrad(writer: BlockedWriter, node: Node): boolean {
  const split = intsAttribute(node, 'split', []);
  if (!beginBlocks(writer, split) || !writer.prefersBlocked(node.inputs)) return false;
  const inputs = node.inputs.map((input) => writer.blocked(input));
  const sizes = split.map((count) => writer.padded(count));
  const attributes = new Map(node.attributes).set('split', { kind: 'ints', value: sizes });
  writer.write({ origin: node, inputs, attributes }, node.outputs);
  return true;
}

/** Slice that takes whole blocks of channels. */
export function writeSlice(writer: BlockedWriter, node: Node): boolean {
  const [x, ...bounds] = node.inputs as [string, ...string[]];
  const [starts, ends, axes, steps] = bounds.map((value) =>
    Array.from(writer.constant(value)?.data ?? [], Number),
  );
  const [from, to] = [writer.image(x)?.channels, writer.image(node.outputs[0])?.channels];
  if (from === undefined || to === undefined || starts?.length !== 1 || ends?.length !== 1) return false;
  if (axes?.length !== 1 || (axes[0] !== 1 && axes[0] !== -3)) return false;
  if (bounds.length > 3 && (steps?.length !== 1 || steps[0] !== 1)) return false;
  const start = starts[0]! < 0 ? Math.max(0, starts[0]! + from) : Math.min(starts[0]!, from);
  const end = start + to;
  if (!writer.isWhole(start) || (!writer.isWhole(end) && end !== from)) return false;
  if (!writer.prefersBlocked([x])) return false;
  const { builder } = writer;
  const taken = [[start], [writer.padded(end)], [1]].map((values) => builder.ints(values));
  writer.write({ origin: node, inputs: [writer.blocked(x), ...taken] }, node.outputs);
  return true;
}

function channelAxis() {
  return new Map([['axis', { kind: 'int', value: 1 } as const]]);
}
