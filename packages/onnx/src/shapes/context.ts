import { UnitscopeError } from '@unitscope/tensor';
import { type Dim, type ElementType, intAttribute, intsAttribute, type Node, nodeLabel } from '../graph.js';
import type { Symbols } from './symbols.js';
import { countOf, type Element, elementsOfConstant, type Value } from './value.js';

/** What a node's outputs are, from what is known of its inputs. */
export type ShapeRule = (context: ShapeContext) => readonly Value[];

/** Elements of one value, and of all values of a graph together, that are computed before the network runs. */
const MOST_FOLDED = 2 ** 20;
const MOST_FOLDED_IN_ALL = 2 ** 24;

/** No tensor of a real network has more axes; the cost of a node grows with them. */
export const MOST_AXES = 64;

/** What the nodes of one graph share while its shapes are inferred. */
export interface SharedState {
  readonly opset: number;
  readonly symbols: Symbols;
  folded: number;
}

/** What a shape rule sees of its node. */
export class ShapeContext {
  readonly node: Node;
  readonly opset: number;
  readonly symbols: Symbols;
  readonly inputCount: number;
  readonly #inputs: readonly (Value | undefined)[];
  readonly #shared: SharedState;

  constructor(node: Node, inputs: readonly (Value | undefined)[], shared: SharedState) {
    this.node = node;
    this.opset = shared.opset;
    this.symbols = shared.symbols;
    this.inputCount = inputs.length;
    this.#inputs = inputs;
    this.#shared = shared;
  }

  /** The error for a node that contradicts itself or its inputs. */
  bad(why: string): UnitscopeError {
    return new UnitscopeError('bad-file', `${nodeLabel(this.node)}: ${why}`, { subject: this.node.name });
  }

  has(input: number): boolean {
    return this.#inputs[input] !== undefined;
  }

  /** What is known of an input; throws `bad-file` where it was left out. */
  input(input: number): Value {
    const value = this.#inputs[input];
    if (value === undefined) throw this.bad(`input ${input} is missing`);
    return value;
  }

  dims(input: number): readonly Dim[] | undefined {
    return this.input(input).dims;
  }

  type(input: number): ElementType | undefined {
    return this.input(input).type;
  }

  /** The elements of a small input that is known, wholly or in part. */
  elements(input: number): readonly Element[] | undefined {
    const { constant, elements } = this.input(input);
    if (elements !== undefined || constant === undefined) return elements;
    return this.canFold(constant.dims) ? elementsOfConstant(constant) : undefined;
  }

  /**
   * Integers given by an attribute or, in later operator sets, by an input. `absent` where neither is given,
   * `unknown` where they are computed at run time. Integers beyond 2^53 arrive rounded.
   */
  integers(attribute: string, input: number): readonly number[] | 'absent' | 'unknown' {
    if (!this.has(input)) return intsAttribute(this.node, attribute) ?? 'absent';
    const elements = this.elements(input);
    if (elements === undefined) return 'unknown';
    const numbers = elements.filter((element) => typeof element === 'number' || typeof element === 'bigint');
    return numbers.length < elements.length ? 'unknown' : numbers.map(Number);
  }

  /** The axis counted from the front; throws `bad-file` where there is no such axis. */
  axis(axis: number, rank: number): number {
    const positive = axis < 0 ? axis + rank : axis;
    if (!Number.isInteger(positive) || positive < 0 || positive >= rank) {
      throw this.bad(`axis ${axis} is not one of the ${rank} axes`);
    }
    return positive;
  }

  axisAttribute(rank: number, fallback: number): number {
    return this.axis(intAttribute(this.node, 'axis', fallback), rank);
  }

  /** Distinct axes counted from the front. */
  axes(axes: readonly number[], rank: number): readonly number[] {
    if (axes.length > rank) throw this.bad(`${axes.length} axes are named, there are ${rank}`);
    const positive = axes.map((axis) => this.axis(axis, rank));
    if (new Set(positive).size < positive.length)
      throw this.bad(`axes [${axes.join(', ')}] name one axis twice`);
    return positive;
  }

  /** The dims of an input that must have `least` to `most` axes; undefined where the rank is unknown. */
  ranked(input: number, least: number, most = MOST_AXES): readonly Dim[] | undefined {
    const dims = this.dims(input);
    if (dims === undefined || (dims.length >= least && dims.length <= most)) return dims;
    const wanted =
      least === most ? `${least}` : most === MOST_AXES ? `${least} or more` : `${least} to ${most}`;
    throw this.bad(
      `input ${this.node.inputs[input]} has dims [${dims.join(', ')}], the operator needs ${wanted} axes`,
    );
  }

  /** Two sizes that must be equal: the one of which more is known. */
  same(a: Dim, b: Dim, what: string): Dim {
    if (a === b || typeof b === 'string') return a;
    if (typeof a === 'string') return b;
    throw this.bad(`${what}: ${a} and ${b} must be equal (inputs ${this.inputDims()})`);
  }

  /** The size of an axis where two inputs of `a` and `b` there are broadcast, ONNX's multidirectional rule. */
  broadcastDim(a: Dim, b: Dim): Dim {
    if (a === b || b === 1) return a;
    if (a === 1) return b;
    if (typeof a === 'string' && typeof b === 'string') {
      const [first, second] = a < b ? [a, b] : [b, a];
      return this.symbols.expression(`broadcast(${first},${second})`, 'size');
    }
    // A symbol beside a number other than 1 must be 1 or that number, or the network cannot run.
    if (typeof a === 'string') return b;
    if (typeof b === 'string') return a;
    throw this.bad(`dims ${this.inputDims()} cannot be broadcast`);
  }

  broadcast(a: readonly Dim[], b: readonly Dim[]): readonly Dim[] {
    const [long, short] = a.length >= b.length ? [a, b] : [b, a];
    const extra = long.length - short.length;
    return long.map((dim, axis) => (axis < extra ? dim : this.broadcastDim(dim, short[axis - extra]!)));
  }

  /** A symbol for a size of an output of which nothing is known. */
  fresh(axis: number, output = 0): string {
    return this.symbols.fresh(`?${this.node.outputs[output]}_${axis}`);
  }

  /** Whether a value of these dims is small enough to be computed now; if so, its cost is booked. */
  canFold(dims: readonly Dim[] | undefined): boolean {
    const count = countOf(dims);
    if (count === undefined || count > MOST_FOLDED) return false;
    if (this.#shared.folded + count > MOST_FOLDED_IN_ALL) return false;
    this.#shared.folded += count;
    return true;
  }

  /** The dims of all inputs, for a message. */
  inputDims(): string {
    return this.#inputs
      .map((value) =>
        value === undefined ? 'none' : value.dims === undefined ? '?' : `[${value.dims.join(', ')}]`,
      )
      .join(', ');
  }
}
