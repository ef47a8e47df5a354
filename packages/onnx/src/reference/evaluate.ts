import { sizeOf, type Tensor, type TensorData, UnitscopeError, unknownName } from '@unitscope/tensor';
import { type Graph, type Node, nodeLabel, opsetOf } from '../graph.js';
import { type Inputs, nodeError, type ReferenceOperator } from './operator.js';
import { OPERATORS } from './registry.js';
import { fromConstant, fromFeed, type ReferenceTensor, type Value } from './value.js';

export interface EvaluateOptions {
  /** Values wanted; the graph's outputs by default. */
  readonly outputs?: readonly string[];
  /** Operators of other domains, by `domain::Operator`. */
  readonly operators?: ReadonlyMap<string, ReferenceOperator>;
}

/**
 * Evaluates a graph slowly in double precision, straight from the operators' definitions: the judge of faster code.
 *
 * Only what the wanted outputs need is evaluated. A feed may also name an initializer or an inner value, and then
 * stands in its place. A Float64Array is taken as it is, never rounded to float32. Integers are doubles too, so
 * they are exact up to 2^53.
 *
 * @throws `bad-input` for a graph input without a feed and for tensors that do not fit an operator, `not-found` for
 *   a wanted output the graph does not have, `unsupported` for an operator that is unknown or in a form that is.
 */
export function evaluate(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor<TensorData>>>,
  options: EvaluateOptions = {},
): Map<string, ReferenceTensor> {
  const wanted = options.outputs ?? graph.outputs.map((output) => output.name);
  const values = feedValues(graph, feeds);
  for (const node of neededNodes(graph, values, wanted)) {
    const inputs = node.inputs.map((name) => (name === '' ? undefined : lookUp(graph, values, name, node)));
    const outputs = run(node, inputs, opsetOf(graph), options.operators);
    node.outputs.forEach((name, index) => {
      if (name === '' || values.has(name)) return;
      const output = outputs[index];
      if (output === undefined) throw nodeError('unsupported', node, `output ${index} is not computed`);
      values.set(name, output);
    });
  }
  return new Map(
    wanted.map((name) => {
      const { dims, data } = lookUp(graph, values, name, undefined);
      return [name, { dims, data }];
    }),
  );
}

function feedValues(graph: Graph, feeds: Readonly<Record<string, Tensor<TensorData>>>): Map<string, Value> {
  const values = new Map<string, Value>();
  for (const [name, feed] of Object.entries(feeds)) {
    const declared = graph.inputs.find((input) => input.name === name) ?? graph.valueInfo.get(name);
    const size = sizeOf(feed.dims);
    if (size !== feed.data.length) {
      throw new UnitscopeError(
        'bad-input',
        `feed "${name}": dims [${feed.dims.join(', ')}] need ${size} elements, the data has ${feed.data.length}`,
        { subject: name },
      );
    }
    values.set(name, fromFeed(feed, declared?.type));
  }
  const made = new Set(graph.nodes.flatMap((node) => node.outputs));
  for (const name of values.keys()) {
    const known = made.has(name) || graph.initializers.has(name);
    if (!known && !graph.inputs.some((input) => input.name === name)) {
      throw unknownName(
        'value to feed',
        name,
        graph.inputs.map((input) => input.name),
        'bad-input',
      );
    }
  }
  return values;
}

/** The nodes between the given values and the wanted ones, in order. */
function neededNodes(graph: Graph, given: ReadonlyMap<string, Value>, wanted: readonly string[]): Node[] {
  const open = new Set(wanted.filter((name) => !given.has(name)));
  const needed: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => open.has(name))) continue;
    needed.push(node);
    for (const name of node.inputs) if (!given.has(name)) open.add(name);
  }
  return needed.reverse();
}

function lookUp(graph: Graph, values: Map<string, Value>, name: string, reader: Node | undefined): Value {
  const known = values.get(name);
  if (known !== undefined) return known;
  const initializer = graph.initializers.get(name);
  if (initializer !== undefined) {
    const value = fromConstant(initializer, name);
    values.set(name, value);
    return value;
  }
  if (graph.inputs.some((input) => input.name === name)) {
    throw new UnitscopeError('bad-input', `the graph input "${name}" has no feed; give it a tensor`, {
      subject: name,
    });
  }
  if (reader !== undefined)
    throw nodeError('bad-input', reader, `reads "${name}", which nothing before it makes`);
  throw unknownName(
    'value',
    name,
    [...graph.inputs, ...graph.outputs].map((info) => info.name),
  );
}

function run(
  node: Node,
  inputs: Inputs,
  opset: number,
  foreign: ReadonlyMap<string, ReferenceOperator> | undefined,
): readonly Value[] {
  if (node.domain === '' || node.domain === 'ai.onnx') {
    const operator = OPERATORS.get(node.operator);
    if (operator !== undefined) return operator(node, inputs, { opset });
  }
  const operator = foreign?.get(`${node.domain}::${node.operator}`);
  if (operator === undefined) {
    throw new UnitscopeError(
      'unsupported',
      `the reference evaluator has no operator for node ${nodeLabel(node)}; give one in options.operators`,
      { subject: node.operator },
    );
  }
  return operator(node, inputs, { opset }).map(({ dims, data }) => ({ dims, data, kind: 'float' }));
}
