import { UnitscopeError, unknownName } from '@unitscope/tensor';
import { GraphBuilder } from './builder.js';
import { renamedInitializer } from './decode-tensor.js';
import type { Graph, Node, ValueInfo } from './graph.js';
import { nodeLabel } from './graph.js';
import { indexGraph, valuesRead } from './graph-index.js';
import { deriveNode, ModelRest, origins, sparseNames } from './origin.js';
import { capturedNames } from './subgraphs.js';

/** Every value of a graph: its inputs, initializers and what its nodes make, in this order. */
export function valueNames(graph: Graph): string[] {
  const made = graph.nodes.flatMap((node) => node.outputs.filter((name) => name !== ''));
  return [
    ...graph.inputs.map((input) => input.name),
    ...graph.initializers.keys(),
    ...sparseNames(graph.rest),
    ...made,
  ];
}

/**
 * The graph with inner values as further outputs; names that are outputs already change nothing.
 * Throws `not-found` for a name that is no value of the graph.
 */
export function tapValues(graph: Graph, names: Iterable<string>): Graph {
  const values = new Set(valueNames(graph));
  const outputs = new Map(graph.outputs.map((output) => [output.name, output]));
  for (const name of names) {
    if (!values.has(name)) throw unknownName('value', name, [...values]);
    if (!outputs.has(name)) outputs.set(name, infoOf(graph, name) ?? untyped(name));
  }
  return outputs.size === graph.outputs.length ? graph : { ...graph, outputs: [...outputs.values()] };
}

/** What the graph states of a value; undefined where it states nothing. */
function infoOf(graph: Graph, name: string): ValueInfo | undefined {
  const constant = graph.initializers.get(name);
  if (constant !== undefined) return { name, type: constant.type, dims: constant.dims };
  const stated = [...graph.inputs, ...graph.outputs].find((info) => info.name === name);
  return stated ?? graph.valueInfo.get(name);
}

function untyped(name: string): ValueInfo {
  return { name, type: 'other', dims: undefined };
}

export interface Cut {
  /** Values that are to be fed instead of computed: names, or with type and dims where the file states none. */
  readonly inputs?: readonly (string | ValueInfo)[];
  /** Names of the values that are wanted. */
  readonly outputs: readonly string[];
}

/**
 * The part of a graph that computes `outputs`, starting from `inputs` where a path passes through one and from the
 * graph's own inputs elsewhere. Own inputs nothing needs any more go; the new ones come last, in the order given.
 * Throws `not-found` for a name that is no value, `wrong-use` where the type of a new input is not known.
 */
export function cutGraph(graph: Graph, cut: Cut): Graph {
  const values = new Set(valueNames(graph));
  const check = (name: string) => {
    if (!values.has(name)) throw unknownName('value', name, [...values]);
  };
  const fed = new Map<string, ValueInfo>();
  for (const input of cut.inputs ?? []) {
    const name = typeof input === 'string' ? input : input.name;
    check(name);
    const info = typeof input === 'string' ? infoOf(graph, name) : input;
    if (info === undefined || info.type === 'other') {
      throw new UnitscopeError(
        'wrong-use',
        `the type of ${name} is not stated in the file; give its type and dims`,
        {
          subject: name,
        },
      );
    }
    fed.set(name, info);
  }
  const sparse = sparseNames(graph.rest).find((name) => fed.has(name));
  if (sparse !== undefined) {
    throw new UnitscopeError('unsupported', `${sparse} is a sparse weight and cannot become an input`, {
      subject: sparse,
    });
  }
  cut.outputs.forEach(check);
  const needed = neededBy(graph, cut.outputs, fed);
  const own = graph.inputs.filter((input) => needed.values.has(input.name) && !fed.has(input.name));
  const builder = new GraphBuilder(graph);
  const nodes = graph.nodes
    .filter((node) => needed.nodes.has(node))
    .map((node) => {
      // A node that is needed for another of its outputs must not make the value that is fed now.
      if (!node.outputs.some((output) => fed.has(output))) return node;
      const outputs = node.outputs.map((output) => (fed.has(output) ? builder.freshName(output) : output));
      return deriveNode(node, { outputs });
    });
  const outputs = cut.outputs.map(
    (name) =>
      graph.outputs.find((output) => output.name === name) ??
      fed.get(name) ??
      infoOf(graph, name) ??
      untyped(name),
  );
  return keepNeeded({ ...graph, inputs: [...own, ...fed.values()], outputs, nodes }, needed.values, fed);
}

/** The graph without nodes and initializers that no output needs. Its inputs stay. */
export function pruneGraph(graph: Graph): Graph {
  const needed = neededBy(
    graph,
    graph.outputs.map((output) => output.name),
    new Map(),
  );
  const nodes = graph.nodes.filter((node) => needed.nodes.has(node));
  const unused = [...graph.initializers.keys()].some((name) => !needed.values.has(name));
  if (nodes.length === graph.nodes.length && !unused) return graph;
  return keepNeeded({ ...graph, nodes }, needed.values, new Map());
}

/** Nodes and values on the paths to `outputs` that start behind the values fed. */
function neededBy(
  graph: Graph,
  outputs: readonly string[],
  fed: ReadonlyMap<string, unknown>,
): { nodes: Set<Node>; values: Set<string> } {
  const index = indexGraph(graph);
  const nodes = new Set<Node>();
  const values = new Set<string>(outputs);
  for (const value of values) {
    const maker = fed.has(value) ? undefined : index.maker(value);
    if (maker === undefined || nodes.has(maker)) continue;
    nodes.add(maker);
    // A set visits what is added to it during the loop, once each.
    for (const read of valuesRead(maker)) values.add(read);
  }
  return { nodes, values };
}

/** Drops initializers that are not needed, and what the file says about values that are gone. */
function keepNeeded(graph: Graph, needed: ReadonlySet<string>, fed: ReadonlyMap<string, unknown>): Graph {
  const initializers = new Map(
    [...graph.initializers].filter(([name]) => needed.has(name) && !fed.has(name)),
  );
  const made = new Set(graph.nodes.flatMap((node) => node.outputs));
  const valueInfo = new Map(
    [...graph.valueInfo].filter(([name]) => made.has(name) || initializers.has(name)),
  );
  return { ...graph, initializers, valueInfo };
}

/**
 * The graph with values renamed wherever they appear. Throws `not-found` for a name that is no value, `wrong-use` where
 * two values would have one name, `unsupported` where a subgraph reads the value or it is a sparse weight.
 */
export function renameValues(graph: Graph, names: ReadonlyMap<string, string>): Graph {
  const values = valueNames(graph);
  const known = new Set(values);
  for (const name of names.keys()) if (!known.has(name)) throw unknownName('value', name, values);
  const rename = (name: string) => names.get(name) ?? name;
  const renamed = new Set<string>();
  for (const value of values) {
    const name = rename(value);
    if (name === '' || renamed.has(name)) {
      throw new UnitscopeError(
        'wrong-use',
        `${value} cannot be renamed "${name}": the name is taken or empty`,
        {
          subject: value,
        },
      );
    }
    renamed.add(name);
  }
  const fixed = (name: string, why: string) => {
    if (rename(name) !== name) {
      throw new UnitscopeError('unsupported', `${name} cannot be renamed: ${why}`, { subject: name });
    }
  };
  for (const name of sparseNames(graph.rest)) fixed(name, 'it is a sparse weight');
  for (const node of graph.nodes) {
    for (const name of capturedNames(node)) fixed(name, `a subgraph of ${nodeLabel(node)} reads it`);
  }
  const renameInfo = (info: ValueInfo): ValueInfo =>
    rename(info.name) === info.name ? info : { ...info, name: rename(info.name) };
  return {
    ...graph,
    inputs: graph.inputs.map(renameInfo),
    outputs: graph.outputs.map(renameInfo),
    nodes: graph.nodes.map((node) =>
      [...node.inputs, ...node.outputs].some((name) => names.has(name))
        ? deriveNode(node, { inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) })
        : node,
    ),
    initializers: new Map(
      [...graph.initializers].map(([name, initializer]) => {
        const origin = origins.constants.get(initializer);
        return [
          rename(name),
          names.has(name) ? renamedInitializer(rename(name), initializer, origin) : initializer,
        ];
      }),
    ),
    valueInfo: new Map([...graph.valueInfo].map(([name, info]) => [rename(name), renameInfo(info)])),
    ...(graph.rest === undefined ? {} : { rest: ModelRest.renamed(graph.rest, rename) }),
  };
}

/**
 * The graph with some nodes replaced. `rewrite` gets every node in turn and gives back the nodes that take its place,
 * or undefined to keep it; what it adds through the builder (constants, nodes with names of their own) comes right
 * before them. The replacement makes the outputs of the node, so everything else stays as it is.
 */
export function replaceNodes(
  graph: Graph,
  rewrite: (node: Node, builder: GraphBuilder) => readonly Node[] | undefined,
): Graph {
  const builder = new GraphBuilder(graph);
  const plan: { end: number; nodes: readonly Node[] }[] = [];
  let changed = false;
  for (const node of graph.nodes) {
    const replacement = rewrite(node, builder);
    changed ||= replacement !== undefined;
    plan.push({ end: builder.nodeCount, nodes: replacement ?? [node] });
  }
  if (!changed && builder.nodeCount === graph.nodes.length) return graph;
  const built = builder.build();
  const nodes: Node[] = [];
  let start = graph.nodes.length;
  for (const step of plan) {
    nodes.push(...built.nodes.slice(start, step.end), ...step.nodes);
    start = step.end;
  }
  return { ...built, nodes };
}
