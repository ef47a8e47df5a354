import {
  centralDifference,
  emptyGraph,
  evaluate,
  type Graph,
  GraphBuilder,
  type PlainAttributes,
  type ReferenceTensor,
  writeModel,
} from '@unitscope/onnx';
import { Random, sizeOf, type Tensor, type TensorData } from '@unitscope/tensor';
import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { expect } from 'vitest';
import { nativeOperators } from '../../src/registry.js';
import type { Rule } from '../../src/rule.js';
import { referenceOperators } from './reference-operators.js';
import { differentiateNode, lowerOperators } from './rule-harness.js';

export type Feeds = Readonly<Record<string, Tensor>>;

export interface NodeCase {
  readonly operator: string;
  /** Inputs that are fed, in the order of the node's inputs. */
  readonly feeds: Feeds;
  /** Inputs that are initializers; they follow the feeds unless `order` says otherwise. */
  readonly constants?: Feeds;
  readonly order?: readonly string[];
  readonly attributes?: PlainAttributes;
  readonly opset?: number;
  /** Feeds without a batch axis: parameters. */
  readonly parameters?: readonly string[];
  /** Whether the first axis of feeds and output is symbolic; it is unless false is given. */
  readonly symbolicBatch?: boolean;
}

/** A graph of one node with the output `y`, its batch axis symbolic, the dims of its output stated. */
export function nodeGraph(nodeCase: NodeCase): Graph {
  const { operator, feeds, constants = {}, order, attributes, opset = 18, symbolicBatch = true } = nodeCase;
  const { parameters = [] } = nodeCase;
  const stated = (dims: readonly number[]) => (symbolicBatch ? ['N', ...dims.slice(1)] : dims);
  const builder = new GraphBuilder(emptyGraph('case', opset));
  const renamed = new Map<string, string>();
  for (const [name, { dims }] of Object.entries(feeds)) {
    builder.input({ name, type: 'float32', dims: parameters.includes(name) ? dims : stated(dims) });
  }
  for (const [name, { dims, data }] of Object.entries(constants)) {
    renamed.set(name, builder.constant({ type: 'float32', dims, data }, name));
  }
  const inputs = (order ?? [...Object.keys(feeds), ...Object.keys(constants)]).map(
    (name) => renamed.get(name) ?? name,
  );
  const y = builder.node(operator, inputs, attributes);
  builder.output({ name: y, type: 'float32', dims: undefined });
  const graph = builder.build();
  const { dims } = evaluate(graph, feeds).get(y)!;
  builder.setOutputs([{ name: y, type: 'float32', dims: stated(dims) }]);
  return builder.build();
}

/** The output of a graph of one output, by the float64 evaluator. */
export function evaluateOutput(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor<TensorData>>>,
): ReferenceTensor {
  return evaluate(graph, feeds, { operators: referenceOperators }).get(graph.outputs[0]!.name)!;
}

/** Runs a graph of standard operators on ONNX Runtime; of the nodes, those that the outputs need. */
export async function runOnRuntime(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor<TensorData>>>,
): Promise<Map<string, Tensor>> {
  const read = new Set(graph.outputs.map(({ name }) => name));
  const needed = graph.nodes.toReversed().filter((node) => {
    if (!node.outputs.some((output) => read.has(output))) return false;
    for (const input of node.inputs) read.add(input);
    return true;
  });
  const session = await InferenceSession.create(writeModel({ ...graph, nodes: needed.reverse() }), {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  try {
    const inputs = Object.fromEntries(
      session.inputNames.map((name) => {
        const { data, dims } = feeds[name]!;
        return [
          name,
          data instanceof BigInt64Array
            ? new RuntimeTensor('int64', data, dims)
            : new RuntimeTensor('float32', Float32Array.from(data as Float32Array), dims),
        ];
      }),
    );
    const outputs = await session.run(inputs);
    return new Map(
      Object.entries(outputs).map(([name, { dims, data }]) => [
        name,
        { dims, data: Float32Array.from(data as Float32Array) },
      ]),
    );
  } finally {
    await session.release();
  }
}

/** Largest difference, relative to the largest magnitude of `wanted` (1 where that is zero). */
export function relativeError(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  expect(got.length).toBe(wanted.length);
  let [scale, worst] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    scale = Math.max(scale, Math.abs(wanted[i]!));
    const error = Math.abs(got[i]! - wanted[i]!);
    worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error);
  }
  return worst / (scale === 0 ? 1 : scale);
}

export interface CheckOptions {
  /** Inputs to differentiate with respect to; the first by default. */
  readonly wrt?: readonly string[];
  readonly seed?: number;
  /** Components compared with differences, all where there are no more; 40 by default. */
  readonly components?: number;
  /** Step of the central differences; 1e-4 by default. */
  readonly step?: number;
}

/**
 * Checks a rule on one node, with a random signal:
 * - in float64 against central differences of the signal's inner product with the output, to 1e-6 of the largest;
 * - operators of the domain `unitscope` lowered against their definition, in float64, exactly up to rounding;
 * - ONNX Runtime in float32 against float64, to 1e-5 of the largest.
 *
 * Gives the gradients in float64, by input.
 */
export async function checkRule(
  rule: Rule,
  nodeCase: NodeCase,
  options: CheckOptions = {},
): Promise<Map<string, ReferenceTensor>> {
  const { seed = 1, components = 40, step = 1e-4 } = options;
  const { feeds } = nodeCase;
  const wrt = options.wrt ?? [Object.keys(feeds)[0]!];
  // A stream of its own: a signal equal to x would make differences of large numbers out of every normalization.
  const random = new Random(seed + 0x5eed);
  const graph = nodeGraph(nodeCase);
  const signal = random.normalTensor(evaluateOutput(graph, feeds).dims);
  const backward = differentiateNode(graph, rule, { wrt });
  const all: Feeds = { ...feeds, signal };
  const gradients = evaluate(backward, all, { operators: referenceOperators });
  const found = new Map<string, ReferenceTensor>();
  for (const name of wrt) {
    const { dims, data } = feeds[name]!;
    const gradient = gradients.get(`grad_${name}`)!;
    expect(gradient.dims).toEqual(dims);
    const inner = (x: Float64Array): number => {
      const y = evaluateOutput(graph, { ...feeds, [name]: { dims, data: x } });
      return y.data.reduce((sum, value, i) => sum + value * signal.data[i]!, 0);
    };
    const size = sizeOf(dims);
    const chosen =
      size <= components
        ? Array.from({ length: size }, (_, i) => i)
        : Array.from({ length: components }, () => random.integer(0, size - 1));
    const differences = centralDifference(inner, Float64Array.from(data), step, chosen);
    const scale = gradient.data.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
    for (const [i, index] of chosen.entries()) {
      const error = Math.abs(gradient.data[index]! - differences[i]!);
      expect(error, `${rule.name}, d/d${name}[${index}]`).toBeLessThanOrEqual(1e-6 * Math.max(scale, 1e-3));
    }
    found.set(name, gradient);
  }
  const portable = lowerOperators(backward, [...nativeOperators.values()]);
  if (portable.nodes.some((node, i) => node !== backward.nodes[i])) {
    // The share of a mean is a float32 constant of the portable form: half a unit in the last of its 24 places.
    const rounded = backward.nodes.some((node) => node.operator === 'GlobalAveragePoolGrad');
    for (const [name, { data }] of evaluate(portable, all)) {
      const error = relativeError(data, gradients.get(name)!.data);
      expect(error, `lowered ${name}`).toBeLessThanOrEqual(rounded ? 2 ** -24 : 1e-14);
    }
  }
  for (const [name, { data }] of await runOnRuntime(portable, all)) {
    expect(relativeError(data, gradients.get(name)!.data), `${name} on ONNX Runtime`).toBeLessThanOrEqual(
      1e-5,
    );
  }
  return found;
}

/** Normal numbers, the same in float32 and float64. */
export function normal(seed: number, dims: readonly number[]): Tensor {
  return new Random(seed).normalTensor(dims);
}

/** Distinct numbers in random order, 1/16 apart, so that no step of a difference changes which one is largest. */
export function distinct(seed: number, dims: readonly number[]): Tensor {
  const random = new Random(seed);
  const size = sizeOf(dims);
  const data = Float32Array.from({ length: size }, (_, i) => (i - size / 2) / 16);
  for (let i = size - 1; i > 0; i--) {
    const j = random.integer(0, i);
    [data[i], data[j]] = [data[j]!, data[i]!];
  }
  return { dims, data };
}

/** Small integers, so that ties are common. */
export function tied(seed: number, dims: readonly number[]): Tensor {
  const random = new Random(seed);
  return { dims, data: Float32Array.from({ length: sizeOf(dims) }, () => random.integer(0, 2)) };
}
