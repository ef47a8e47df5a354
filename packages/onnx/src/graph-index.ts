import { UnitscopeError } from '@unitscope/tensor';
import { type Graph, type Node, nodeLabel } from './graph.js';
import { capturedNames } from './subgraphs.js';

/** Who makes and who reads every value of a graph. */
export interface GraphIndex {
  /** The node that makes a value; undefined for inputs, initializers and names nobody makes. */
  maker(value: string): Node | undefined;
  /** The nodes that read a value, once each, in the order of the graph; subgraphs count as their node. */
  consumers(value: string): readonly Node[];
}

/** Indexes a graph in one pass over its nodes. */
export function indexGraph(graph: Graph): GraphIndex {
  const makers = new Map<string, Node>();
  const consumers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const output of node.outputs) if (output !== '') makers.set(output, node);
    for (const value of valuesRead(node)) {
      const list = consumers.get(value);
      if (list === undefined) consumers.set(value, [node]);
      else list.push(node);
    }
  }
  return {
    maker: (value) => makers.get(value),
    consumers: (value) => consumers.get(value) ?? [],
  };
}

/** Names of all values a node reads, each once: its inputs and what its subgraphs capture. */
export function valuesRead(node: Node): Set<string> {
  const read = new Set([...node.inputs, ...capturedNames(node)]);
  read.delete('');
  return read;
}

/**
 * The same graph with its nodes in an order in which every value is made before it is read; a graph that is in such an
 * order already is given back as it is. Throws `bad-file` where the nodes form a cycle.
 */
export function sortNodes(graph: Graph): Graph {
  const sorted = topologicalOrder(graph.nodes, (why) => new UnitscopeError('bad-file', why));
  return sorted === graph.nodes ? graph : { ...graph, nodes: sorted };
}

/**
 * Kahn's algorithm; among nodes that are ready, the one that stood first comes first. Nodes in order already are given
 * back as they are.
 *
 * @param failure makes the error for nodes that form a cycle, from a description of it
 */
export function topologicalOrder(
  nodes: readonly Node[],
  failure: (why: string) => UnitscopeError,
): readonly Node[] {
  const makers = new Map<string, number>();
  nodes.forEach((node, index) => {
    for (const output of node.outputs) if (output !== '') makers.set(output, index);
  });
  const waitsFor = new Int32Array(nodes.length);
  const followers: number[][] = nodes.map(() => []);
  let inOrder = true;
  nodes.forEach((node, index) => {
    for (const value of valuesRead(node)) {
      const maker = makers.get(value);
      if (maker === undefined) continue;
      if (maker >= index) inOrder = false;
      followers[maker]!.push(index);
      waitsFor[index]!++;
    }
  });
  if (inOrder) return nodes;
  const ready = new SmallestFirst();
  waitsFor.forEach((count, index) => {
    if (count === 0) ready.add(index);
  });
  const sorted: Node[] = [];
  for (let index = ready.take(); index !== undefined; index = ready.take()) {
    sorted.push(nodes[index]!);
    for (const follower of followers[index]!) if (--waitsFor[follower]! === 0) ready.add(follower);
  }
  if (sorted.length < nodes.length) throw failure(describeCycle(nodes, waitsFor, makers));
  return sorted;
}

function describeCycle(
  nodes: readonly Node[],
  waitsFor: Int32Array,
  makers: ReadonlyMap<string, number>,
): string {
  // From any waiting node, going back to a maker that waits too must come round to a node already seen.
  const seen = new Map<number, number>();
  const walk: number[] = [];
  let at = waitsFor.findIndex((count) => count > 0);
  while (!seen.has(at)) {
    seen.set(at, walk.length);
    walk.push(at);
    for (const value of valuesRead(nodes[at]!)) {
      const maker = makers.get(value);
      if (maker !== undefined && waitsFor[maker]! > 0) {
        at = maker;
        break;
      }
    }
  }
  const cycle = walk.slice(seen.get(at)).reverse();
  const shown = cycle.slice(0, 4).map((index) => nodeLabel(nodes[index]!).slice(0, 80));
  const more = cycle.length > 4 ? ` and ${cycle.length - 4} more` : '';
  return `the nodes ${shown.join(', ')}${more} form a cycle, each needs what another makes`;
}

/** A binary heap of numbers. */
class SmallestFirst {
  readonly #heap: number[] = [];

  add(value: number): void {
    const heap = this.#heap;
    let at = heap.push(value) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]! <= value) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = value;
  }

  take(): number | undefined {
    const heap = this.#heap;
    const smallest = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return smallest;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
      if (child >= heap.length || heap[child]! >= last) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return smallest;
  }
}
