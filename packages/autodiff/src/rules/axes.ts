import { type Constant, type Dim, intAttribute, type Node, type PlainAttributes } from '@unitscope/onnx';
import type { RuleContext } from '../rule.js';

/** The numbers of an integer constant (axes, pads, indices). */
export function integersOf({ data }: Constant): number[] {
  const numbers: number[] = [];
  for (const value of data) numbers.push(Number(value));
  return numbers;
}

/** An axis counted from the front; throws `unsupported` where the tensor has no such axis. */
export function resolveAxis(context: RuleContext, axis: number, rank: number): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (resolved < 0 || resolved >= rank) throw context.unsupported(`it has no axis ${axis} in ${rank} axes`);
  return resolved;
}

/** The attribute `axis`, counted from the front. */
export function axisAttribute(context: RuleContext, fallback: number, rank: number): number {
  return resolveAxis(context, intAttribute(context.node, 'axis', fallback), rank);
}

/** The constant axes at an input, ascending and counted from the front; undefined where the input is left out. */
export function axesInput(context: RuleContext, input: number, rank: number): number[] | undefined {
  if (isLeftOut(context.node, input)) return undefined;
  const axes = integersOf(context.requireConstant(input, 'axes'));
  return axes.map((axis) => resolveAxis(context, axis, rank)).sort((a, b) => a - b);
}

/** The size of a value along an axis; throws `unsupported` where it is known at run time only. */
export function sizeAlong(context: RuleContext, value: string, axis: number): number {
  const size = context.dims(value)[axis];
  if (typeof size === 'number') return size;
  throw context.unsupported(
    `the size of ${value} along axis ${axis} is known at run time only; fix the network's input size`,
  );
}

export function isLeftOut(node: Node, input: number): boolean {
  return (node.inputs[input] ?? '') === '';
}

/** Reshapes to `dims`; at most one size may be known at run time only, `like` is a value of those dims otherwise. */
export function reshapeTo(context: RuleContext, value: string, dims: readonly Dim[], like?: string): string {
  const unknown = dims.filter((size) => typeof size !== 'number').length;
  if (unknown <= 1 && !dims.includes(0)) {
    const shape = dims.map((size) => (typeof size === 'number' ? size : -1));
    return context.emit('Reshape', [value, context.builder.ints(shape)]);
  }
  if (like === undefined) {
    throw context.unsupported(
      `dims [${dims.join(', ')}] are known at run time only; fix the network's input size`,
    );
  }
  return context.emit('Reshape', [value, context.emit('Shape', [like])], { allowzero: 1 });
}

/** What writes nodes: a rule's context, or that of a lowering. */
export interface Emitter {
  readonly builder: RuleContext['builder'];
  emit(operator: string, inputs: readonly string[], attributes?: PlainAttributes): string;
}

/** Zeros around a value along one axis; negative counts crop. */
export function padAxis(
  context: Emitter,
  value: string,
  axis: number,
  before: number,
  after: number,
): string {
  if (before === 0 && after === 0) return value;
  const { builder } = context;
  return context.emit('Pad', [value, builder.ints([before, after]), '', builder.ints([axis])]);
}

/**
 * The transpose of picking: entry i of the result along `axis` is the sum of the entries `sources[i]` of the value, of
 * which it has `length`; no source gives 0. Exact, and the same on every run, which scattering with addition is not.
 */
export function sumSources(
  context: RuleContext,
  value: string,
  axis: number,
  length: number,
  sources: readonly (readonly number[])[],
): string {
  const first = sources.findIndex((list) => list.length > 0);
  const isRun =
    first >= 0 &&
    sources.every((list, i) => {
      const inside = i >= first && i < first + length;
      return inside ? list.length === 1 && list[0] === i - first : list.length === 0;
    });
  if (isRun) return padAxis(context, value, axis, first, sources.length - first - length);
  const most = Math.max(1, ...sources.map((list) => list.length));
  const isFull = sources.every((list) => list.length === most);
  // Entry number `length` is a zero for those that have fewer sources.
  const source = isFull ? value : padAxis(context, value, axis, 0, 1);
  const table = sources.flatMap((list) => [...list, ...new Array<number>(most - list.length).fill(length)]);
  const dims = most === 1 ? [sources.length] : [sources.length, most];
  const picked = context.emit('Gather', [source, context.builder.ints(table, dims)], { axis });
  if (most === 1) return picked;
  return context.emit('ReduceSum', [picked, context.builder.ints([axis + 1])], { keepdims: 0 });
}

/** For each of `size` entries, where in `picks` it was picked. */
export function sourcesOf(picks: readonly number[], size: number): number[][] {
  const sources = Array.from({ length: size }, (): number[] => []);
  picks.forEach((picked, at) => {
    sources[picked]?.push(at);
  });
  return sources;
}
