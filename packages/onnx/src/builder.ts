import { sizeOf, UnitscopeError } from '@unitscope/tensor';
import {
  attributesFrom,
  type Constant,
  type Graph,
  type Initializer,
  type Node,
  type PlainAttributes,
  type ValueInfo,
} from './graph.js';
import { sparseNames } from './origin.js';

export interface NodeOptions {
  /** Operator domain; ONNX's own by default. */
  readonly domain?: string;
  /** Node name, and the stem of its outputs' names; made unique. The operator's name by default. */
  readonly name?: string;
}

/** A graph with nothing in it, of the given operator-set version. */
export function emptyGraph(name: string, opset: number): Graph {
  return {
    name,
    inputs: [],
    outputs: [],
    nodes: [],
    initializers: new Map(),
    valueInfo: new Map(),
    opsets: new Map([['', opset]]),
    irVersion: 8,
  };
}

/** Adds to a graph, step by step, and gives the new graph; the old one stays as it was. */
export class GraphBuilder {
  readonly #base: Graph;
  readonly #inputs: ValueInfo[];
  readonly #outputs: ValueInfo[];
  readonly #nodes: Node[];
  readonly #initializers: Map<string, Initializer>;
  readonly #opsets: Map<string, number>;
  readonly #taken = new Set<string>();
  readonly #uses = new Map<string, number>();
  /** Names given out by `freshName` that no value has yet. */
  readonly #promised = new Set<string>();

  constructor(base: Graph) {
    this.#base = base;
    this.#inputs = [...base.inputs];
    this.#outputs = [...base.outputs];
    this.#nodes = [...base.nodes];
    this.#initializers = new Map(base.initializers);
    this.#opsets = new Map(base.opsets);
    for (const input of base.inputs) this.#taken.add(input.name);
    for (const name of base.initializers.keys()) this.#taken.add(name);
    for (const name of sparseNames(base.rest)) this.#taken.add(name);
    for (const node of base.nodes) {
      this.#taken.add(node.name);
      for (const output of node.outputs) this.#taken.add(output);
    }
  }

  /** How many nodes the graph has so far; those added next come after them. */
  get nodeCount(): number {
    return this.#nodes.length;
  }

  /** A name nobody has: the stem, or the stem with a number. */
  freshName(stem: string): string {
    const name = this.#take(stem);
    this.#promised.add(name);
    return name;
  }

  #take(stem: string): string {
    let name = stem;
    let count = this.#uses.get(stem) ?? 0;
    // The count goes on where it stopped, so that thousands of constants cost no search each.
    while (this.#taken.has(name)) name = `${stem}_${++count}`;
    this.#uses.set(stem, count);
    this.#taken.add(name);
    return name;
  }

  /** Declares a graph input and gives its name. The name must be free, or come from `freshName`. */
  input(info: ValueInfo): string {
    if (this.#taken.has(info.name) && !this.#promised.delete(info.name)) {
      throw new UnitscopeError('wrong-use', `the graph already has a value "${info.name}"`, {
        subject: info.name,
      });
    }
    this.#taken.add(info.name);
    this.#inputs.push(info);
    return info.name;
  }

  /** Declares a graph output; the value must exist by the time the graph is used. */
  output(info: ValueInfo): void {
    this.#outputs.push(info);
  }

  /** Replaces all outputs. */
  setOutputs(outputs: readonly ValueInfo[]): void {
    this.#outputs.splice(0, this.#outputs.length, ...outputs);
  }

  /** Adds a constant and gives its value's name. */
  constant(constant: Constant, stem = 'constant'): string {
    const size = sizeOf(constant.dims);
    if (size !== constant.data.length) {
      throw new UnitscopeError(
        'wrong-use',
        `constant ${stem}: dims [${constant.dims.join(', ')}] need ${size} elements, the data has ${constant.data.length}`,
      );
    }
    const name = this.#take(stem);
    this.#initializers.set(name, { name, type: constant.type, dims: constant.dims, data: constant.data });
    return name;
  }

  /** A float32 constant; a scalar when `dims` is left out. */
  floats(values: readonly number[] | number, dims?: readonly number[], stem?: string): string {
    const list = typeof values === 'number' ? [values] : values;
    const shape = dims ?? (typeof values === 'number' ? [] : [list.length]);
    return this.constant({ type: 'float32', dims: shape, data: Float32Array.from(list) }, stem);
  }

  /** An int64 constant; a scalar when given one number, else a vector unless `dims` says otherwise. */
  ints(values: readonly number[] | number, dims?: readonly number[], stem?: string): string {
    const list = typeof values === 'number' ? [values] : values;
    const shape = dims ?? (typeof values === 'number' ? [] : [list.length]);
    return this.constant({ type: 'int64', dims: shape, data: BigInt64Array.from(list, BigInt) }, stem);
  }

  /** Adds a node of one output and gives the output's name. */
  node(
    operator: string,
    inputs: readonly string[],
    attributes: PlainAttributes = {},
    options: NodeOptions = {},
  ): string {
    return this.nodes(operator, inputs, 1, attributes, options)[0]!;
  }

  /** Adds a node of several outputs and gives their names. */
  nodes(
    operator: string,
    inputs: readonly string[],
    outputCount: number,
    attributes: PlainAttributes = {},
    options: NodeOptions = {},
  ): string[] {
    const domain = options.domain ?? '';
    if (!this.#opsets.has(domain)) this.#opsets.set(domain, 1);
    const stem = options.name ?? operator;
    const name = this.#take(stem);
    const outputs = Array.from({ length: outputCount }, (_, i) =>
      this.#take(outputCount === 1 ? `${name}:out` : `${name}:out${i}`),
    );
    this.#nodes.push({
      name,
      operator,
      domain,
      inputs: [...inputs],
      outputs,
      attributes: attributesFrom(attributes),
    });
    return outputs;
  }

  /** Adds a node as it is; its output names must be free, or come from `freshName`. */
  append(node: Node): void {
    for (const output of node.outputs) {
      if (output !== '' && this.#taken.has(output) && !this.#promised.delete(output)) {
        throw new UnitscopeError('wrong-use', `the graph already has a value "${output}"`, {
          subject: output,
        });
      }
      this.#taken.add(output);
    }
    if (!this.#opsets.has(node.domain)) this.#opsets.set(node.domain, 1);
    this.#nodes.push(node);
  }

  build(): Graph {
    return {
      ...this.#base,
      inputs: [...this.#inputs],
      outputs: [...this.#outputs],
      nodes: [...this.#nodes],
      initializers: new Map(this.#initializers),
      opsets: new Map(this.#opsets),
    };
  }
}
