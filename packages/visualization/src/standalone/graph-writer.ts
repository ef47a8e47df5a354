import {
  type Attributes,
  attributesFrom,
  type Constant,
  type Dim,
  emptyGraph,
  type Graph,
  GraphBuilder,
  type Node,
  nodeLabel,
  type PlainAttributes,
  subgraphAttribute,
  tensorAttribute,
  type ValueInfo,
} from '@unitscope/onnx';
import { UnitscopeError } from '@unitscope/tensor';

/**
 * Writes one graph out of several, which a `GraphBuilder` does not do: what they compute alike is written once, weights
 * once over all loops, and every name is given once, inside loops too, as ONNX asks for.
 */
export class GraphWriter {
  /** Names, constants, inputs and outputs are the whole file's. */
  readonly #root: GraphBuilder;
  readonly #nodes: GraphBuilder;
  readonly #around: GraphWriter | undefined;
  readonly #opset: number;
  readonly #written = new Map<string, readonly string[]>();
  /** Values made of constants alone. */
  readonly #fixed: Set<string>;
  readonly #constants: Map<string, { readonly name: string; readonly bytes: Uint8Array }[]>;

  constructor(name: string, opset: number, around?: GraphWriter) {
    this.#nodes = new GraphBuilder(emptyGraph(name, opset));
    this.#opset = opset;
    this.#around = around;
    this.#root = around === undefined ? this.#nodes : around.#root;
    this.#constants = around === undefined ? new Map() : around.#constants;
    this.#fixed = around === undefined ? new Set() : around.#fixed;
  }

  /** Keeps a name for an input or output of the file. */
  reserve(name: string): void {
    this.#root.freshName(name);
  }

  input(info: ValueInfo): string {
    return this.#root.input(info);
  }

  /** Gives a value out under a reserved name. */
  output(value: string, info: ValueInfo): void {
    this.#root.append({
      name: this.#root.freshName(`${info.name}/Identity`),
      operator: 'Identity',
      domain: '',
      inputs: [value],
      outputs: [info.name],
      attributes: new Map(),
    });
    this.#root.output(info);
  }

  /** A constant of the whole file; two of the same content are one. */
  constant(constant: Constant, stem = 'constant'): string {
    const { type, dims, data } = constant;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const key = `${type} ${dims.join('x')}`;
    const alike = this.#constants.get(key) ?? [];
    const known = type === 'string' ? undefined : alike.find((other) => sameBytes(other.bytes, bytes));
    if (known !== undefined) return known.name;
    const name = this.#root.constant({ type, dims, data }, stem);
    this.#constants.set(key, [...alike, { name, bytes }]);
    this.#fixed.add(name);
    return name;
  }

  /** A float32 constant; a scalar for one number, else a vector unless `dims` says otherwise. */
  floats(values: readonly number[] | number, dims?: readonly number[]): string {
    const list = typeof values === 'number' ? [values] : values;
    const shape = dims ?? (typeof values === 'number' ? [] : [list.length]);
    return this.constant({ type: 'float32', dims: shape, data: Float32Array.from(list) });
  }

  /** An int64 constant; a scalar for one number, else a vector. */
  ints(values: readonly number[] | number): string {
    const list = typeof values === 'number' ? [values] : values;
    const dims = typeof values === 'number' ? [] : [list.length];
    return this.constant({ type: 'int64', dims, data: BigInt64Array.from(list, BigInt) });
  }

  /** A node of one output, and its name. */
  node(operator: string, inputs: readonly string[], attributes: PlainAttributes = {}): string {
    return this.nodes(operator, inputs, 1, attributes)[0]!;
  }

  nodes(
    operator: string,
    inputs: readonly string[],
    count: number,
    attributes: PlainAttributes = {},
  ): readonly string[] {
    const outputs = Array.from({ length: count }, (_, i) => (count === 1 ? operator : `${operator}:${i}`));
    return this.#write(operator, operator, inputs, outputs, attributesFrom(attributes));
  }

  /**
   * Writes the nodes of a graph.
   *
   * @param bindings the values here that stand for the graph's inputs
   * @returns what its values are called here
   *
   * Throws `unsupported` for an operator that is not ONNX's own or holds a graph, and for weights that are sparse.
   */
  insert(graph: Graph, bindings: ReadonlyMap<string, string>): (value: string) => string {
    const names = new Map(bindings);
    for (const [name, initializer] of graph.initializers) names.set(name, this.constant(initializer, name));
    const resolve = (value: string): string => {
      const name = value === '' ? '' : names.get(value);
      if (name !== undefined) return name;
      throw new UnitscopeError('unsupported', `${value} is a sparse weight; export it as a dense one`, {
        subject: value,
      });
    };
    for (const node of graph.nodes) {
      requirePortable(node);
      const tensor = node.operator === 'Constant' ? tensorAttribute(node, 'value') : undefined;
      if (tensor !== undefined) {
        names.set(node.outputs[0]!, this.constant(tensor, node.outputs[0]));
        continue;
      }
      const stem = node.name === '' ? node.operator : node.name;
      const inputs = node.inputs.map(resolve);
      const written = this.#write(stem, node.operator, inputs, node.outputs, node.attributes);
      for (const [i, output] of node.outputs.entries()) if (output !== '') names.set(output, written[i]!);
    }
    return resolve;
  }

  /**
   * A sum of so many float32 terms, one at a time: a Loop whose body sees the values around it.
   *
   * @param terms their dims, and a value of the same dims
   * @param write writes a term into the body, by its number (int64 scalar)
   */
  sum(
    count: number,
    { dims, like }: { readonly dims: readonly Dim[]; readonly like: string },
    write: (body: GraphWriter, index: string) => string,
  ): string {
    const start = this.node('ConstantOfShape', [this.node('Shape', [like])]);
    const body = new GraphWriter('term', this.#opset, this);
    const fresh = (stem: string) => this.#root.freshName(stem);
    const [index, going, before] = [fresh('term/index'), fresh('term/going'), fresh('term/before')];
    const next = body.node('Add', [before, write(body, index)]);
    const goesOn = body.node('Identity', [going]);
    const graph: Graph = {
      ...body.build(),
      inputs: [
        { name: index, type: 'int64', dims: [] },
        { name: going, type: 'bool', dims: [] },
        { name: before, type: 'float32', dims },
      ],
      outputs: [
        { name: goesOn, type: 'bool', dims: [] },
        { name: next, type: 'float32', dims },
      ],
    };
    const output = fresh('sum');
    this.#nodes.append({
      name: fresh('Loop'),
      operator: 'Loop',
      domain: '',
      inputs: [this.ints(count), '', start],
      outputs: [output],
      attributes: new Map([['body', subgraphAttribute('body', graph)]]),
    });
    return output;
  }

  build(): Graph {
    return this.#nodes.build();
  }

  #write(
    stem: string,
    operator: string,
    inputs: readonly string[],
    wanted: readonly string[],
    attributes: Attributes,
  ): readonly string[] {
    const isFixed = inputs.length > 0 && inputs.every((input) => input === '' || this.#fixed.has(input));
    // What is the same in every turn is made once, before the loop.
    if (isFixed && this.#around !== undefined)
      return this.#around.#write(stem, operator, inputs, wanted, attributes);
    const key = keyOf(operator, inputs, wanted, attributes);
    const known = this.#find(key);
    if (known !== undefined) return known;
    const within = this.#around === undefined ? '' : 'term/';
    const fresh = (name: string) => (name === '' ? '' : this.#root.freshName(`${within}${name}`));
    const node: Node = {
      name: fresh(stem),
      operator,
      domain: '',
      inputs,
      outputs: wanted.map(fresh),
      attributes,
    };
    this.#nodes.append(node);
    this.#written.set(key, node.outputs);
    if (isFixed) for (const output of node.outputs) this.#fixed.add(output);
    return node.outputs;
  }

  /** The outputs of such a node here or around here. */
  #find(key: string): readonly string[] | undefined {
    const around = this.#around;
    return this.#written.get(key) ?? (around === undefined ? undefined : around.#find(key));
  }
}

function requirePortable(node: Node): void {
  const refuse = (why: string) =>
    new UnitscopeError('unsupported', `${nodeLabel(node)} ${why}`, { subject: node.name });
  if (node.domain !== '')
    throw refuse('is not a standard operator of ONNX; a standalone file has those only');
  for (const attribute of node.attributes.values()) {
    if (attribute.kind === 'other') throw refuse('holds a graph of its own; export the network without it');
  }
}

function keyOf(
  operator: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Attributes,
): string {
  const sorted = [...attributes].sort(([a], [b]) => (a < b ? -1 : 1));
  const given = outputs.map((output) => output !== '');
  return JSON.stringify([operator, inputs, given, sorted], (_, value: unknown) =>
    ArrayBuffer.isView(value)
      ? Array.from(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
      : value,
  );
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
