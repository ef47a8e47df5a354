import { UnitscopeError } from '@unitscope/tensor';
import {
  type Constant,
  type Dim,
  type ElementType,
  type Graph,
  type Node,
  nodeLabel,
  opsetOf,
} from '../graph.js';
import { MOST_AXES, ShapeContext, type ShapeRule, type SharedState } from './context.js';
import { SHAPE_RULES } from './registry.js';
import { Symbols } from './symbols.js';
import { constantOf, type Value } from './value.js';

/** What is known of a graph's values before it runs. */
export interface Shapes {
  /** Element type; throws `unsupported` for a value whose type is unknown, naming it. */
  type(value: string): ElementType;
  /** Dims, or undefined where not even the rank is known. Equal symbols mean equal sizes. */
  dims(value: string): readonly Dim[] | undefined;
  /** The value where it is known before the network runs: initializers, Constant nodes, and arithmetic on shapes. */
  constant(value: string): Constant | undefined;
}

export interface InferOptions {
  /** Dims to take for graph inputs instead of those in the file, e.g. `{ input: ['N', 3, 224, 224] }`. */
  readonly inputs?: Readonly<Record<string, readonly Dim[]>>;
  /** Called for an operator nothing is known about: true leaves its outputs unknown (default), false throws. */
  readonly onUnknown?: (node: Node) => boolean;
  /** Rules for operators of other domains, by `domain::operator`. */
  readonly rules?: ReadonlyMap<string, ShapeRule>;
}

const OLDEST_OPSET = 7;

/**
 * Infers element type and dims of every value, and the values that depend on shapes alone. Sizes that are known at
 * run time only stay symbols; an unnamed one in the file gets a name such as `?input_0`.
 *
 * Throws `bad-file` for a node whose inputs contradict each other or whose outputs cannot exist, `wrong-use` for
 * options that name no input, `unsupported` for operator sets before 7 and, if `onUnknown` says so, for an operator
 * without a rule.
 */
export function inferShapes(graph: Graph, options: InferOptions = {}): Shapes {
  const opset = opsetOf(graph);
  if (opset < OLDEST_OPSET) {
    throw new UnitscopeError(
      'unsupported',
      `the graph uses operator set ${opset}; convert it to set ${OLDEST_OPSET} or later with onnx.version_converter`,
    );
  }
  const shared: SharedState = { opset, symbols: new Symbols(), folded: 0 };
  const values = startingValues(graph, options, shared.symbols);
  for (const node of graph.nodes) inferNode(node, values, shared, options);

  const constants = new Map<string, Constant | undefined>();
  return {
    type: (name) => {
      const type = values.get(name)?.type;
      if (type !== undefined) return type;
      throw new UnitscopeError('unsupported', `the element type of ${name} cannot be inferred`, {
        subject: name,
      });
    },
    dims: (name) => values.get(name)?.dims,
    constant: (name) => {
      const value = values.get(name);
      if (value === undefined) return undefined;
      if (!constants.has(name)) constants.set(name, constantOf(value));
      return constants.get(name);
    },
  };
}

function startingValues(graph: Graph, options: InferOptions, symbols: Symbols): Map<string, Value> {
  const values = new Map<string, Value>();
  const given = new Map(Object.entries(options.inputs ?? {}));
  for (const name of given.keys()) {
    if (!graph.inputs.some((input) => input.name === name)) {
      throw new UnitscopeError('wrong-use', `dims are given for "${name}", which is no input of the graph`, {
        subject: name,
        alternatives: graph.inputs.map((input) => input.name),
      });
    }
  }
  // All names of the file are taken before any is invented.
  const stated = graph.inputs.map((input) => ({ ...input, dims: given.get(input.name) ?? input.dims }));
  for (const { dims } of stated) {
    for (const dim of dims ?? []) if (typeof dim === 'string' && dim !== '') symbols.declare(dim);
  }
  for (const { name, type, dims } of stated) {
    const named = dims?.map((dim, axis) =>
      dim === '' || (typeof dim === 'number' && dim < 0) ? symbols.fresh(`?${name}_${axis}`) : dim,
    );
    checkDims(named, `input ${name}`, name);
    values.set(name, { type, dims: named });
  }
  for (const [name, initializer] of graph.initializers) {
    if (given.has(name)) continue;
    checkDims(initializer.dims, `initializer ${name}`, name);
    values.set(name, { type: initializer.type, dims: initializer.dims, constant: initializer });
  }
  return values;
}

function inferNode(
  node: Node,
  values: Map<string, Value>,
  shared: SharedState,
  { rules, onUnknown }: InferOptions,
): void {
  const inputs = node.inputs.map((name) => {
    if (name === '') return undefined;
    const value = values.get(name);
    if (value !== undefined) return value;
    throw new UnitscopeError(
      'bad-file',
      `${nodeLabel(node)} reads "${name}", which nothing makes before it`,
      {
        subject: name,
      },
    );
  });
  const domain = node.domain === 'ai.onnx' ? '' : node.domain;
  const rule = domain === '' ? SHAPE_RULES.get(node.operator) : rules?.get(`${domain}::${node.operator}`);
  if (rule === undefined && onUnknown?.(node) === false) {
    throw new UnitscopeError('unsupported', `${nodeLabel(node)}: the shapes of this operator are not known`, {
      subject: node.name,
    });
  }
  const outputs = rule?.(new ShapeContext(node, inputs, shared)) ?? [];
  node.outputs.forEach((name, index) => {
    if (name === '') return;
    const value = outputs[index] ?? { type: undefined, dims: undefined };
    checkDims(value.dims, nodeLabel(node), node.name);
    values.set(name, value);
  });
}

/** Throws `bad-file` for dims no tensor can have. */
function checkDims(dims: readonly Dim[] | undefined, label: string, subject: string): void {
  if (dims === undefined) return;
  const bad = (why: string) =>
    new UnitscopeError('bad-file', `${label} has dims [${dims.slice(0, MOST_AXES).join(', ')}], ${why}`, {
      subject,
    });
  if (dims.length > MOST_AXES) throw bad(`and ${dims.length} axes in all; ${MOST_AXES} are the most`);
  let count = 1;
  for (const dim of dims) {
    if (typeof dim === 'string') continue;
    if (!Number.isSafeInteger(dim) || dim < 0) throw bad('which are no sizes');
    if (dim > 0) count *= dim;
  }
  if (!Number.isSafeInteger(count)) throw bad('more elements than can be counted');
}
