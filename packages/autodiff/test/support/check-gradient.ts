import {
  type Constant,
  centralDifference,
  emptyGraph,
  evaluate,
  type Graph,
  GraphBuilder,
  type PlainAttributes,
  type ReferenceTensor,
} from '@unitscope/onnx';
import { Random, sizeOf, type Tensor } from '@unitscope/tensor';
import { expect } from 'vitest';
import { reluGrad } from '../../src/operators/relu-grad.js';
import type { Rule } from '../../src/rule.js';
import { relativeError, runOnRuntime } from './check-rule.js';
import { referenceOperators } from './reference-operators.js';
import { differentiateNode, lowerOperators, signalName } from './rule-harness.js';

export interface GradientCase {
  readonly operator: string;
  /** The inputs of the node in order: tensors are fed, constants are initializers, '' is left out. */
  readonly inputs: readonly (Tensor | Constant | '')[];
  readonly attributes?: PlainAttributes;
  readonly opset?: number;
  readonly outputs?: number;
  /** The first axis of fed inputs and outputs is known at run time only; not by default. */
  readonly symbolicBatch?: boolean;
}

/** Initializers. */
export function ints(values: readonly number[], dims: readonly number[] = [values.length]): Constant {
  return { type: 'int64', dims, data: BigInt64Array.from(values, BigInt) };
}

export function floats(values: readonly number[], dims: readonly number[] = [values.length]): Constant {
  return { type: 'float32', dims, data: Float32Array.from(values) };
}

export function scalar(value: number): Constant {
  return floats([value], []);
}

export function bools(values: readonly number[], dims: readonly number[]): Constant {
  return { type: 'bool', dims, data: Uint8Array.from(values) };
}

/** Tensor fed to a node. */
export function feed(values: readonly number[], dims: readonly number[] = [values.length]): Tensor {
  return { dims, data: Float32Array.from(values) };
}

/** Random numbers that stay `margin` away from the places where a function has no derivative. */
export function awayFrom(
  kinks: readonly number[],
  seed: number,
  dims: readonly number[],
  { scale = 2, margin = 0.05 } = {},
): Tensor {
  const random = new Random(seed);
  const draw = (): number => {
    for (;;) {
      const value = scale * random.normal();
      if (kinks.every((kink) => Math.abs(value - kink) > margin)) return value;
    }
  };
  return { dims, data: Float32Array.from({ length: sizeOf(dims) }, draw) };
}

interface BuiltCase {
  readonly graph: Graph;
  /** Fed inputs, by name `in0`, `in1`, ... */
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly outputs: readonly string[];
}

/** A graph of one node whose inputs are called `in0`, `in1`, ... and whose dims are stated. */
export function buildCase(gradientCase: GradientCase): BuiltCase {
  const { operator, inputs, attributes, opset = 18, outputs = 1, symbolicBatch = false } = gradientCase;
  const stated = (dims: readonly number[]) => (symbolicBatch ? ['N', ...dims.slice(1)] : dims);
  const builder = new GraphBuilder(emptyGraph('case', opset));
  const feeds: Record<string, Tensor> = {};
  const names = inputs.map((input, i) => {
    if (input === '') return '';
    if ('type' in input) return builder.constant(input, `in${i}`);
    feeds[`in${i}`] = input;
    return builder.input({ name: `in${i}`, type: 'float32', dims: stated(input.dims) });
  });
  const made = builder.nodes(operator, names, outputs, attributes);
  for (const name of made) builder.output({ name, type: 'float32', dims: undefined });
  const values = evaluate(builder.build(), feeds);
  builder.setOutputs(made.map((name) => ({ name, type: 'float32', dims: stated(values.get(name)!.dims) })));
  return { graph: builder.build(), feeds, outputs: made };
}

export interface CheckGradientOptions {
  /** Positions of the inputs to differentiate with respect to; the first by default. */
  readonly wrt?: readonly number[];
  /** The outputs a signal arrives at; all by default. */
  readonly signals?: readonly number[];
  readonly seed?: number;
  readonly step?: number;
  /** Components compared with differences at most; 30 by default. */
  readonly components?: number;
}

/**
 * Checks a rule on one node with random signals: in float64 against central differences, to 1e-6 of the largest;
 * lowered, against the definition of the operators of the domain `unitscope`; and on ONNX Runtime, in float32, to 1e-5
 * of the largest. Gives the backward graph.
 */
export async function checkGradient(
  rule: Rule,
  gradientCase: GradientCase,
  { wrt = [0], signals, seed = 1, step = 1e-4, components = 30 }: CheckGradientOptions = {},
): Promise<Graph> {
  const { graph, feeds, outputs } = buildCase(gradientCase);
  const random = new Random(seed);
  const forward = evaluate(graph, feeds);
  const given = signals ?? outputs.map((_, output) => output);
  const signalFeeds = Object.fromEntries(
    given.map((output) => [signalName(output), random.normalTensor(forward.get(outputs[output]!)!.dims)]),
  );
  const backward = differentiateNode(graph, rule, { wrt: wrt.map((input) => `in${input}`), signals: given });
  const all = { ...feeds, ...signalFeeds };
  const gradients = evaluate(backward, all, { operators: referenceOperators });

  for (const input of wrt) {
    const name = `in${input}`;
    const { dims, data } = feeds[name]!;
    const gradient = gradients.get(`grad_${name}`)!;
    expect(gradient.dims).toEqual(dims);
    const score = (x: Float64Array): number => {
      const values = evaluate(graph, { ...feeds, [name]: { dims, data: x } });
      return given.reduce((total, output) => {
        const signal = signalFeeds[signalName(output)]!.data;
        return values.get(outputs[output]!)!.data.reduce((sum, y, i) => sum + y * signal[i]!, total);
      }, 0);
    };
    const size = sizeOf(dims);
    const chosen = Array.from({ length: Math.min(size, components) }, (_, i) =>
      size <= components ? i : random.integer(0, size - 1),
    );
    const differences = centralDifference(score, Float64Array.from(data), step, chosen);
    const scale = gradient.data.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-3);
    chosen.forEach((index, i) => {
      const error = Math.abs(gradient.data[index]! - differences[i]!);
      expect(error, `${rule.name}, d/d${name}[${index}]`).toBeLessThanOrEqual(1e-6 * scale);
    });
  }

  const portable = lowerOperators(backward, [reluGrad]);
  const lowered = evaluate(portable, all);
  // The node's own outputs too: a derivative is of use only where ONNX Runtime computes the same function.
  const run = await runOnRuntime({ ...portable, outputs: [...portable.outputs, ...graph.outputs] }, all);
  for (const [name, { data }] of [...gradients, ...forward]) {
    if (gradients.has(name)) {
      expect(relativeError(lowered.get(name)!.data, data), `${name} lowered`).toBeLessThanOrEqual(1e-14);
    }
    expect(relativeError(run.get(name)!.data, data), `${name} on ONNX Runtime`).toBeLessThanOrEqual(1e-5);
  }
  return backward;
}

/**
 * The gradient at the first input, for chosen inputs and a chosen signal at the first output: by the definitions, and
 * the same numbers demanded of ONNX Runtime.
 */
export async function gradientAt(
  rule: Rule,
  gradientCase: GradientCase,
  signal: readonly number[],
  input = 0,
): Promise<number[]> {
  const { graph, feeds, outputs } = buildCase(gradientCase);
  const backward = differentiateNode(graph, rule, { wrt: [`in${input}`] });
  const { dims } = evaluate(graph, feeds).get(outputs[0]!)!;
  const all = { ...feeds, signal: feed(signal, dims) };
  const name = `grad_in${input}`;
  const exact: ReferenceTensor = evaluate(backward, all, { operators: referenceOperators }).get(name)!;
  const run = await runOnRuntime(lowerOperators(backward, [reluGrad]), all);
  expect(relativeError(run.get(name)!.data, exact.data), `${rule.name} on ONNX Runtime`).toBeLessThanOrEqual(
    1e-6,
  );
  // Adding 0 makes -0 plain 0.
  return Array.from(exact.data, (value) => value + 0);
}

/** The operators a rule adds, in order, without the Identity that names the gradient. */
export function emitted(backward: Graph): string[] {
  return backward.nodes.slice(1, -1).map(({ operator }) => operator);
}
