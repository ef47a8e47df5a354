import { type ErrorCode, UnitscopeError } from '@unitscope/tensor';
import { type Node, nodeLabel } from '../graph.js';
import type { ReferenceTensor, Value } from './value.js';

export interface ReferenceContext {
  /** The version of ONNX's own operator set the graph is written in. */
  readonly opset: number;
}

/** An operator of another domain, for `evaluate`. An optional input that is left out is undefined. */
export type ReferenceOperator = (
  node: Node,
  inputs: readonly (ReferenceTensor | undefined)[],
  context: ReferenceContext,
) => readonly ReferenceTensor[];

export type Inputs = readonly (Value | undefined)[];

/** An operator of ONNX's own domain. */
export type Operator = (node: Node, inputs: Inputs, context: ReferenceContext) => readonly Value[];

export function nodeError(code: ErrorCode, node: Node, why: string): UnitscopeError {
  return new UnitscopeError(code, `node ${nodeLabel(node)}: ${why}`, {
    subject: node.name === '' ? (node.outputs[0] ?? node.operator) : node.name,
  });
}

/** The input, which must be there. */
export function required(node: Node, inputs: Inputs, index: number): Value {
  const value = inputs[index];
  if (value === undefined) throw nodeError('bad-input', node, `input ${index} is missing`);
  return value;
}

/** An axis counted from the front; `rank` bounds it. */
export function axisOf(node: Node, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw nodeError('bad-input', node, `axis ${axis} is outside a tensor of rank ${rank}`);
  }
  return axis < 0 ? axis + rank : axis;
}

/** The only element of a scalar or of a vector of one. */
export function scalarOf(node: Node, value: ReferenceTensor): number {
  if (value.data.length !== 1) {
    throw nodeError(
      'bad-input',
      node,
      `a scalar is needed where a tensor of dims [${value.dims.join(', ')}] is given`,
    );
  }
  return value.data[0]!;
}

/** An integer list that is an attribute in older operator sets and an input in newer ones. */
export function intsOf(node: Node, name: string, input: Value | undefined): readonly number[] | undefined {
  const attribute = node.attributes.get(name);
  if (attribute?.kind === 'ints') return attribute.value;
  return input === undefined ? undefined : Array.from(input.data);
}

/** Throws where a vector that is there has not one entry per channel. */
export function perChannel(node: Node, value: ReferenceTensor | undefined, channels: number): void {
  if (value === undefined || value.data.length === channels) return;
  throw nodeError('bad-input', node, `${value.data.length} constants for ${channels} channels`);
}
