import { Random, sizeOf, type Tensor, type TensorData } from '@unitscope/tensor';
import * as ort from 'onnxruntime-node';
import { expect } from 'vitest';
import {
  type ElementType,
  emptyGraph,
  evaluate,
  GraphBuilder,
  type PlainAttributes,
  type ReferenceTensor,
  writeModel,
} from '../src/index.js';

/** One node to be run by ONNX Runtime and by the reference. An input that is left out is undefined. */
export interface OperatorCase {
  readonly operator: string;
  readonly opset: number;
  readonly inputs: readonly (Tensor<TensorData> | undefined)[];
  readonly attributes?: PlainAttributes;
  /** The number of outputs asked for; 1 by default. */
  readonly outputs?: number;
  /** Inputs, by number, that are constants of the graph; the others are fed. */
  readonly constants?: readonly number[];
}

export function numbers(dims: readonly number[], values: readonly number[]): Tensor {
  return { dims, data: Float32Array.from(values) };
}

export function integers(dims: readonly number[], values: readonly number[]): Tensor<BigInt64Array> {
  return { dims, data: BigInt64Array.from(values, BigInt) };
}

/** Uint8Array stands for booleans here. */
export function booleans(dims: readonly number[], values: readonly number[]): Tensor<Uint8Array> {
  return { dims, data: Uint8Array.from(values) };
}

export function vector(...values: number[]): Tensor<BigInt64Array> {
  return integers([values.length], values);
}

/** Normal random numbers, the same for the same dims and seed. */
export function randomly(dims: readonly number[], seed = 1, deviation = 1): Tensor {
  return new Random(seed).normalTensor(dims, 0, deviation);
}

/** Positive random numbers, none below 0.1. */
export function positive(dims: readonly number[]): Tensor {
  return { dims, data: randomly(dims).data.map((x) => Math.abs(x) + 0.1) };
}

/** Uniform random integers, as float32 numbers: tensors with ties. */
export function randomIntegers(dims: readonly number[], low: number, high: number, seed = 1): Tensor {
  const random = new Random(seed);
  return { dims, data: Float32Array.from({ length: sizeOf(dims) }, () => random.integer(low, high)) };
}

function elementType(data: TensorData): ElementType {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof BigInt64Array) return 'int64';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof Uint8Array) return 'bool';
  throw new Error(`no case needs a ${data.constructor.name}`);
}

function feedOf({ dims, data }: Tensor<TensorData>): ort.Tensor {
  if (data instanceof Float32Array) return new ort.Tensor('float32', data, dims);
  if (data instanceof Float64Array) return new ort.Tensor('float64', data, dims);
  if (data instanceof BigInt64Array) return new ort.Tensor('int64', data, dims);
  if (data instanceof Int32Array) return new ort.Tensor('int32', data, dims);
  if (data instanceof Uint8Array) return new ort.Tensor('bool', data, dims);
  throw new Error(`no case needs a ${data.constructor.name}`);
}

export interface Results {
  readonly runtime: readonly ReferenceTensor[];
  readonly reference: readonly ReferenceTensor[];
}

/** What ONNX Runtime and the reference make of the case. */
export async function runBoth(test: OperatorCase): Promise<Results> {
  const builder = new GraphBuilder(emptyGraph('case', test.opset));
  const feeds: Record<string, Tensor<TensorData>> = {};
  const names = test.inputs.map((input, index) => {
    if (input === undefined) return '';
    const type = elementType(input.data);
    if (test.constants?.includes(index)) return builder.constant({ type, ...input }, `in${index}`);
    const name = builder.input({ name: `in${index}`, type, dims: input.dims });
    feeds[name] = input;
    return name;
  });
  const outputs = builder.nodes(test.operator, names, test.outputs ?? 1, test.attributes);
  // An output of type `other` is written without a type: ONNX Runtime infers it.
  for (const name of outputs) builder.output({ name, type: 'other', dims: undefined });
  const graph = builder.build();
  const session = await ort.InferenceSession.create(writeModel(graph), {
    graphOptimizationLevel: 'disabled',
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  try {
    const given = await session.run(
      Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, feedOf(feed)])),
    );
    const results = evaluate(graph, feeds);
    return {
      runtime: outputs.map((name) => doubles(given[name]!)),
      reference: outputs.map((name) => results.get(name)!),
    };
  } finally {
    await session.release();
  }
}

function doubles({ dims, data }: ort.Tensor): ReferenceTensor {
  if (!ArrayBuffer.isView(data)) throw new Error('an output of strings');
  return { dims: [...dims], data: Float64Array.from(data as Iterable<number | bigint>, Number) };
}

/**
 * Expects equal dims and data: NaN and infinity in the same places, everything else within `tolerance` of the
 * largest finite entry.
 */
export function expectClose(got: ReferenceTensor, wanted: ReferenceTensor, tolerance = 1e-5): void {
  expect(got.dims).toEqual(wanted.dims);
  expect(got.data.length).toBe(wanted.data.length);
  const scale = wanted.data.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0);
  wanted.data.forEach((value, i) => {
    const other = got.data[i]!;
    const fits = Number.isFinite(value)
      ? Math.abs(value - other) <= tolerance * scale
      : Object.is(value, other);
    if (!fits) expect.fail(`entry ${i} is ${other}, ONNX Runtime has ${value}`);
  });
}

/** Expects that the reference gives what ONNX Runtime gives, on every output. */
export async function expectAgreement(test: OperatorCase): Promise<void> {
  const { runtime, reference } = await runBoth(test);
  runtime.forEach((wanted, index) => {
    expectClose(reference[index]!, wanted);
  });
}
