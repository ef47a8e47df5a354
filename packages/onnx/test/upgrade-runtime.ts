import { Random, sizeOf } from '@unitscope/tensor';
import * as ort from 'onnxruntime-node';
import {
  type Constant,
  emptyGraph,
  encodeForRuntime,
  type Graph,
  GraphBuilder,
  type PlainAttributes,
} from '../src/index.js';

export type Outputs = ReadonlyMap<
  string,
  { dims: readonly number[]; type: string; data: readonly unknown[] }
>;

/** Runs a graph in ONNX Runtime as it is, without its optimizations, and gives every output. */
export async function runGraph(graph: Graph, feeds: Readonly<Record<string, ort.Tensor>>): Promise<Outputs> {
  const { bytes, externalData } = encodeForRuntime(graph);
  const session = await ort.InferenceSession.create(bytes, {
    externalData: [...externalData],
    graphOptimizationLevel: 'disabled',
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  try {
    const results = await session.run(feeds);
    return new Map(
      Object.entries(results).map(([name, { dims, type, data }]) => [
        name,
        { dims: [...dims], type, data: Array.from(data as ArrayLike<unknown>) },
      ]),
    );
  } finally {
    await session.release();
  }
}

/** Seeded normal numbers. */
export function feed(dims: readonly number[], seed = 3): ort.Tensor {
  const random = new Random(seed);
  return new ort.Tensor(
    'float32',
    Float32Array.from({ length: sizeOf(dims) }, () => random.normal()),
    dims,
  );
}

export interface OldNode {
  readonly operator: string;
  readonly attributes?: PlainAttributes;
  /** Inputs after x; '' leaves one out. */
  readonly constants?: readonly (Constant | '')[];
  readonly outputs?: number;
  /** Dims the file states for x; the fed ones by default. */
  readonly stated?: readonly (number | string)[];
}

/** A graph of one node over the input x; its outputs are graph outputs. */
export function oldGraph(opset: number, dims: readonly number[], node: OldNode): Graph {
  const builder = new GraphBuilder({ ...emptyGraph('old', opset), irVersion: 7 });
  const x = builder.input({ name: 'x', type: 'float32', dims: node.stated ?? dims });
  const inputs = (node.constants ?? []).map((constant) =>
    constant === '' ? '' : builder.constant(constant),
  );
  const outputs = builder.nodes(node.operator, [x, ...inputs], node.outputs ?? 1, node.attributes, {
    name: 'layer',
  });
  builder.setOutputs(outputs.map((name) => ({ name, type: 'other', dims: undefined })));
  return builder.build();
}

export const int64 = (...values: number[]): Constant => ({
  type: 'int64',
  dims: [values.length],
  data: BigInt64Array.from(values, BigInt),
});

export const float32 = (dims: readonly number[], ...values: number[]): Constant => ({
  type: 'float32',
  dims,
  data: Float32Array.from(values),
});
