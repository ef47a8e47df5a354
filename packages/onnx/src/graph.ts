import type { TensorData } from '@unitscope/tensor';
import type { ModelRest } from './origin.js';

/** The element types of ONNX that a value can have. float16 and bfloat16 data are raw bits in a Uint16Array. */
export type ElementType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'bfloat16'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'bool'
  | 'string'
  | 'other';

/** A size, or the name of a size that is known at run time only (the batch axis, as a rule); '' where it has none. */
export type Dim = number | string;

/** A graph input, output or annotated inner value. `dims` is undefined where not even the rank is known. */
export interface ValueInfo {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly Dim[] | undefined;
}

/** A constant tensor: a weight of the graph or the value of an attribute. `data` may be decoded on first use. */
export interface Constant {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: TensorData;
}

export interface Initializer extends Constant {
  readonly name: string;
}

export type Attribute =
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'tensor'; readonly value: Constant }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  /** Subgraphs, types, sparse tensors: carried through reading and writing, not looked into. */
  | { readonly kind: 'other'; readonly value: unknown };

export type Attributes = ReadonlyMap<string, Attribute>;

/** One operator. An input that is left out is the empty string, as in ONNX; `domain` '' is ONNX's own. */
export interface Node {
  readonly name: string;
  readonly operator: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
  /** Which variant of a model's own function is meant; operators of ONNX have none. */
  readonly overload?: string;
}

/**
 * An ONNX network. A value: every change makes a new Graph that shares what did not change. Nodes stand in an
 * order in which every value is made before it is used, and every value has one maker.
 */
export interface Graph {
  readonly name: string;
  /** What must be fed. A file's input that an initializer gives a value to counts as a constant and is not here. */
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly nodes: readonly Node[];
  readonly initializers: ReadonlyMap<string, Initializer>;
  /** Shapes the file states of inner values; a hint, never relied on. */
  readonly valueInfo: ReadonlyMap<string, ValueInfo>;
  /** Version by domain; '' is ONNX's own domain. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly irVersion: number;
  /** What else the file holds; carried along, not looked into. */
  readonly rest?: ModelRest;
}

/** The version of ONNX's own operator set the graph is written in. */
export function opsetOf(graph: Graph): number {
  return graph.opsets.get('') ?? graph.opsets.get('ai.onnx') ?? 1;
}

/** What to call a node in a message: its name, or its first output where it has none. */
export function nodeLabel(node: Node): string {
  return `${node.name === '' ? node.outputs[0] : node.name} (${node.domain === '' ? '' : `${node.domain}::`}${node.operator})`;
}

/** Attributes from plain values: integers become `int`, other numbers must be given as `{ float: x }`. */
export type PlainAttributes = Readonly<
  Record<
    string,
    | number
    | string
    | readonly number[]
    | { float: number }
    | { floats: readonly number[] }
    | Constant
    | undefined
  >
>;

export function attributesFrom(plain: PlainAttributes): Attributes {
  const attributes = new Map<string, Attribute>();
  for (const [name, value] of Object.entries(plain)) {
    if (value === undefined) continue;
    if (typeof value === 'number') attributes.set(name, { kind: 'int', value });
    else if (typeof value === 'string') attributes.set(name, { kind: 'string', value });
    else if ('float' in value) attributes.set(name, { kind: 'float', value: value.float });
    else if ('floats' in value) attributes.set(name, { kind: 'floats', value: value.floats });
    else if ('data' in value) attributes.set(name, { kind: 'tensor', value });
    else attributes.set(name, { kind: 'ints', value });
  }
  return attributes;
}

export function intAttribute(node: Node, name: string): number | undefined;
export function intAttribute(node: Node, name: string, fallback: number): number;
export function intAttribute(node: Node, name: string, fallback?: number): number | undefined {
  const attribute = node.attributes.get(name);
  return attribute?.kind === 'int' ? attribute.value : fallback;
}

export function intsAttribute(node: Node, name: string): readonly number[] | undefined;
export function intsAttribute(node: Node, name: string, fallback: readonly number[]): readonly number[];
export function intsAttribute(
  node: Node,
  name: string,
  fallback?: readonly number[],
): readonly number[] | undefined {
  const attribute = node.attributes.get(name);
  return attribute?.kind === 'ints' ? attribute.value : fallback;
}

export function floatAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes.get(name);
  return attribute?.kind === 'float' ? attribute.value : fallback;
}

export function stringAttribute(node: Node, name: string): string | undefined;
export function stringAttribute(node: Node, name: string, fallback: string): string;
export function stringAttribute(node: Node, name: string, fallback?: string): string | undefined {
  const attribute = node.attributes.get(name);
  return attribute?.kind === 'string' ? attribute.value : fallback;
}

export function tensorAttribute(node: Node, name: string): Constant | undefined {
  const attribute = node.attributes.get(name);
  return attribute?.kind === 'tensor' ? attribute.value : undefined;
}
