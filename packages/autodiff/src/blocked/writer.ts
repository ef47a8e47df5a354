import {
  type Attributes,
  type Constant,
  type Dim,
  type ElementType,
  type Graph,
  GraphBuilder,
  type GraphIndex,
  indexGraph,
  type Node,
  type Shapes,
  type ValueInfo,
} from '@unitscope/onnx';
import type { Fusions } from '../fuse.js';
import { type Layout, labelOf, type PlacedNode, placeNode } from '../placement.js';

/** The operators of ONNX Runtime's blocked layout, version 1. */
export const NCHWC_DOMAIN = 'com.microsoft.nchwc';

/** A node of the graph that is written; replaced as a whole by what is fused into it. */
export interface Written {
  node: Node;
  readonly layout: Layout;
  fused: readonly string[];
}

/** A float32 value of four axes whose channels are known. */
export interface Image {
  readonly dims: readonly [Dim, number, Dim, Dim];
  readonly channels: number;
}

export interface BlockedNode {
  /** The node this stands for: it gives name and domain unless they are stated. */
  readonly origin: Node;
  readonly operator?: string;
  readonly domain?: string;
  readonly name?: string;
  readonly inputs: readonly string[];
  readonly attributes?: Attributes;
  readonly fused?: readonly string[];
}

/**
 * Writes a graph anew, node by node in order, and keeps for every value in which layouts it exists. In the blocked
 * layout a value of dims [N, C, H, W] is said to have dims [N, C', H, W], C' the next multiple of the block, and its
 * memory is [N, C' / block, H, W, block]; channels past C are finite and nothing reads them.
 *
 * A value in NCHW has its own name, a blocked one a name made of it. Where a map is one pixel and its channels are a
 * multiple of the block both layouts are the same memory, and one value serves as both.
 */
export class BlockedWriter {
  readonly block: number;
  readonly shapes: Shapes;
  readonly builder: GraphBuilder;
  readonly #graph: Graph;
  readonly #fusions: Fusions;
  readonly #outputs: ReadonlySet<string>;
  readonly #index: GraphIndex;
  readonly #plain = new Set<string>();
  readonly #blocked = new Map<string, string>();
  readonly #info = new Map<string, ValueInfo>();
  readonly #makers = new Map<string, Written>();
  #written: Written[] = [];

  constructor(graph: Graph, shapes: Shapes, block: number, fusions: Fusions) {
    this.block = block;
    this.shapes = shapes;
    this.builder = new GraphBuilder(graph);
    this.#graph = graph;
    this.#fusions = fusions;
    this.#index = indexGraph(graph);
    this.#outputs = new Set(graph.outputs.map(({ name }) => name));
    for (const { name } of graph.inputs) this.#plain.add(name);
    for (const name of graph.initializers.keys()) this.#plain.add(name);
  }

  /** The next multiple of the block. */
  padded(channels: number): number {
    return Math.ceil(channels / this.block) * this.block;
  }

  isWhole(channels: number): boolean {
    return channels % this.block === 0;
  }

  constant(value: string | undefined): Constant | undefined {
    return value === undefined || value === '' ? undefined : this.shapes.constant(value);
  }

  image(value: string | undefined): Image | undefined {
    if (value === undefined || value === '' || this.#typeOf(value) !== 'float32') return undefined;
    return this.map(value);
  }

  /** As `image`, for values of any element type. */
  map(value: string): Image | undefined {
    const dims = this.shapes.dims(value);
    if (dims?.length !== 4 || typeof dims[1] !== 'number' || dims[1] === 0) return undefined;
    return { dims: [dims[0]!, dims[1], dims[2]!, dims[3]!], channels: dims[1] };
  }

  #typeOf(value: string): ElementType | undefined {
    try {
      return this.shapes.type(value);
    } catch {
      return undefined;
    }
  }

  consumers(value: string): readonly Node[] {
    return this.#index.consumers(value);
  }

  isOutput(value: string): boolean {
    return this.#outputs.has(value);
  }

  /** Whether exactly one input of one node reads the value, so that its maker may be changed together with the node. */
  isPrivate(value: string): boolean {
    const [reader, ...others] = this.consumers(value);
    const isReadOnce = others.length === 0 && reader?.inputs.filter((input) => input === value).length === 1;
    return isReadOnce && !this.#outputs.has(value);
  }

  /** Whether both layouts of a value are the same memory. */
  #isShared(value: string): boolean {
    const image = this.image(value);
    return image !== undefined && image.dims[2] === 1 && image.dims[3] === 1 && this.isWhole(image.channels);
  }

  hasBlocked(value: string): boolean {
    return this.#blocked.has(value) || (this.#plain.has(value) && this.#isShared(value));
  }

  hasPlain(value: string): boolean {
    return this.#plain.has(value) || (this.#blocked.has(value) && this.#isShared(value));
  }

  /** Whether a value is in the blocked layout or can be brought into it: the runtime reorders four channels at once. */
  canBlock(value: string): boolean {
    const image = this.image(value);
    return this.hasBlocked(value) || (image !== undefined && image.channels % 4 === 0);
  }

  /**
   * Whether a node on these inputs is better written in the blocked layout: all can be brought there, and no more of
   * them have to be than would have to be brought back.
   */
  prefersBlocked(values: readonly string[]): boolean {
    if (!values.every((value) => this.canBlock(value))) return false;
    const missing = (has: (value: string) => boolean) => values.filter((value) => !has(value)).length;
    return missing((value) => this.hasBlocked(value)) <= missing((value) => this.hasPlain(value));
  }

  /** The name of a value in the blocked layout; reorders it where it is in NCHW only. */
  blocked(value: string): string {
    const name = this.#blocked.get(value);
    if (name !== undefined) return name;
    if (this.#isShared(value)) return value;
    const output = this.#nameBlocked(value);
    const node = this.#reorder('ReorderInput', value, value, output, new Map());
    this.#push({ node, layout: 'blocked', fused: [] });
    return output;
  }

  /** The name of a value in NCHW; reorders it where it is blocked only. */
  plain(value: string): string {
    if (value === '' || this.#plain.has(value)) return value;
    const name = this.#blocked.get(value);
    const image = this.image(value);
    if (name === undefined || image === undefined) return value;
    if (this.#isShared(value) && !this.isOutput(value)) return name;
    const attributes: Attributes = new Map([
      ['channels', { kind: 'int', value: image.channels }],
      ['channels_last', { kind: 'int', value: 0 }],
    ]);
    const node = this.#reorder('ReorderOutput', value, name, value, attributes);
    this.#push({ node, layout: 'nchw', fused: [] });
    this.#plain.add(value);
    return value;
  }

  /** Writes a node as it is, in NCHW. */
  keep(node: Node): void {
    const inputs = node.inputs.map((input) => this.plain(input));
    const same = inputs.every((input, i) => input === node.inputs[i]);
    this.#push({ node: same ? node : { ...node, inputs }, layout: 'nchw', fused: this.#fusedOf(node) });
    for (const output of node.outputs) this.#plain.add(output);
  }

  /** Writes a node whose outputs are values of the graph in the blocked layout. */
  write(node: BlockedNode, values: readonly string[]): Written {
    return this.#pushBlocked(
      node,
      values.map((value) => (value === '' ? '' : this.#nameBlocked(value))),
    );
  }

  /** Writes a node whose one output is no value of the graph, and gives its name; `dims` are for the runtime. */
  writeInner(node: BlockedNode, dims: readonly Dim[], layout: Layout = 'blocked'): string {
    const stem = node.name ?? node.origin.name;
    const output = this.builder.freshName(layout === 'blocked' ? `${stem}:blocked` : `${stem}:out`);
    this.#info.set(output, { name: output, type: 'float32', dims });
    this.#pushBlocked(node, [output], layout);
    return output;
  }

  /** As `writeInner` in NCHW, for a node of several outputs. */
  writeInnerParts(node: BlockedNode, dims: readonly (readonly Dim[])[]): string[] {
    const outputs = dims.map((part) => {
      const output = this.builder.freshName(`${node.name ?? node.origin.name}:out`);
      this.#info.set(output, { name: output, type: 'float32', dims: part });
      return output;
    });
    this.#pushBlocked(node, outputs, 'nchw');
    return outputs;
  }

  /** Writes a node in NCHW that makes a value of the graph of what was written for it. */
  writePlain(node: BlockedNode, value: string): void {
    this.#pushBlocked(node, [value], 'nchw');
    this.#plain.add(value);
  }

  /** Lets a value be what a written node makes. */
  bind(value: string, name: string): void {
    this.#blocked.set(value, name);
  }

  /** Who writes a value in the blocked layout, where nothing but the node that reads it now asks for it. */
  privateMaker(value: string): Written | undefined {
    const name = this.#blocked.get(value);
    return name !== undefined && this.isPrivate(value) ? this.#makers.get(name) : undefined;
  }

  /** The dims of a value written by `writeInner` or `write`. */
  dimsOf(name: string): readonly Dim[] {
    return this.#info.get(name)?.dims ?? [];
  }

  makerOf(name: string): Written | undefined {
    return this.#makers.get(name);
  }

  /** Changes a written node, which then stands behind everything written so far. */
  revise(written: Written, node: Node, origin: Node): void {
    this.drop(written);
    this.#push({ ...written, node, fused: [...written.fused, labelOf(origin), ...this.#fusedOf(origin)] });
  }

  /** Takes a written node back, whose output nobody reads. */
  drop(written: Written): void {
    this.#written = this.#written.filter((other) => other !== written);
  }

  build(): { graph: Graph; placement: readonly PlacedNode[] } {
    for (const { name } of this.#graph.outputs) this.plain(name);
    const nodes = this.#written.map(({ node }) => node);
    const made = new Set(nodes.flatMap(({ outputs }) => outputs));
    const read = new Set([...nodes.flatMap(({ inputs }) => inputs), ...this.#outputs]);
    const built = this.builder.build();
    const opsets = new Map(built.opsets);
    for (const { domain } of nodes) if (!opsets.has(domain)) opsets.set(domain, 1);
    const stated = [...built.valueInfo, ...this.#info].filter(([name]) => made.has(name));
    const graph = {
      ...built,
      nodes,
      opsets,
      initializers: new Map([...built.initializers].filter(([name]) => read.has(name))),
      valueInfo: new Map(stated),
    };
    return {
      graph,
      placement: this.#written.map(({ node, layout, fused }) => placeNode(node, layout, fused)),
    };
  }

  #fusedOf(node: Node): readonly string[] {
    return this.#fusions.get(node.outputs[0] ?? '') ?? [];
  }

  #nameBlocked(value: string): string {
    const map = this.map(value);
    const name = this.builder.freshName(`${value}:blocked`);
    this.#blocked.set(value, name);
    if (map !== undefined && this.image(value) !== undefined) {
      const [batch, channels, ...sizes] = map.dims;
      this.#info.set(name, { name, type: 'float32', dims: [batch, this.padded(channels), ...sizes] });
    }
    return name;
  }

  #pushBlocked(
    { origin, operator, domain, name, inputs, attributes, fused = [] }: BlockedNode,
    outputs: readonly string[],
    layout: Layout = 'blocked',
  ): Written {
    const written: Written = {
      node: {
        name: name === undefined ? origin.name : this.builder.freshName(name),
        operator: operator ?? origin.operator,
        domain: domain ?? origin.domain,
        inputs,
        outputs,
        attributes: attributes ?? origin.attributes,
      },
      layout,
      fused: [...fused, ...this.#fusedOf(origin)],
    };
    this.#push(written);
    return written;
  }

  #push(written: Written): void {
    this.#written.push(written);
    for (const output of written.node.outputs) this.#makers.set(output, written);
  }

  /** A node that brings a value of the graph from one layout into the other. */
  #reorder(operator: string, value: string, from: string, to: string, attributes: Attributes): Node {
    const name = this.builder.freshName(`${value}/${operator}`);
    return { name, operator, domain: NCHWC_DOMAIN, inputs: [from], outputs: [to], attributes };
  }
}
