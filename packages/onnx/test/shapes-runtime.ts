import { Random, sizeOf } from '@unitscope/tensor';
import * as ort from 'onnxruntime-node';
import { expect } from 'vitest';
import {
  type Constant,
  type Dim,
  emptyGraph,
  type Graph,
  GraphBuilder,
  type InferOptions,
  inferShapes,
  type PlainAttributes,
  type Shapes,
  type ValueInfo,
  writeModel,
} from '../src/index.js';

/** What ONNX Runtime gives for one value. */
export interface Observed {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: ort.Tensor['data'];
}

function randomFeed(type: ValueInfo['type'], dims: readonly number[], random: Random): ort.Tensor {
  const size = sizeOf(dims);
  const draw = () => random.normal();
  switch (type) {
    case 'float32':
      return new ort.Tensor('float32', Float32Array.from({ length: size }, draw), dims);
    case 'float64':
      return new ort.Tensor('float64', Float64Array.from({ length: size }, draw), dims);
    case 'int64':
      return new ort.Tensor('int64', new BigInt64Array(size), dims);
    case 'int32':
      return new ort.Tensor('int32', new Int32Array(size), dims);
    case 'bool':
      return new ort.Tensor('bool', new Uint8Array(size), dims);
    default:
      throw new Error(`no test feeds ${type}`);
  }
}

/** Every value of the graph's nodes, as ONNX Runtime computes it with each input of the given dims. */
export async function observe(
  graph: Graph,
  feedDims: Readonly<Record<string, readonly number[]>>,
  given: Readonly<Record<string, ort.Tensor>> = {},
): Promise<Map<string, Observed>> {
  const names = graph.nodes.flatMap((node) => node.outputs.filter((name) => name !== ''));
  // An output of type `other` is written without a type: ONNX Runtime infers it.
  const outputs = names.map((name): ValueInfo => ({ name, type: 'other', dims: undefined }));
  // Inputs are written without dims, so that nothing but the operators decides.
  const inputs = graph.inputs.map((input) => ({ ...input, dims: undefined }));
  const session = await ort.InferenceSession.create(
    writeModel({ ...graph, inputs, outputs, valueInfo: new Map() }),
    { graphOptimizationLevel: 'disabled', intraOpNumThreads: 1, logSeverityLevel: 4 },
  );
  try {
    const random = new Random(7);
    const feeds = graph.inputs.map(
      ({ name, type }) => [name, given[name] ?? randomFeed(type, feedDims[name]!, random)] as const,
    );
    const results = await session.run(Object.fromEntries(feeds));
    return new Map(
      names.map((name) => {
        const { type, dims, data } = results[name]!;
        return [name, { type, dims: [...dims], data }];
      }),
    );
  } finally {
    await session.release();
  }
}

/** The size a name such as `8*N` states. */
function productOf(name: string, symbols: Readonly<Record<string, number>>): number | undefined {
  let product = 1;
  for (const factor of name.split('*'))
    product *= symbols[factor] ?? (factor === '' ? Number.NaN : Number(factor));
  return Number.isNaN(product) ? undefined : product;
}

/**
 * Expects that the inferred type, dims and constants of every value are what ONNX Runtime gives. A symbol may stand
 * for any size, but for one size only; `symbols` fixes those that are known.
 */
export function expectShapes(
  shapes: Shapes,
  observed: ReadonlyMap<string, Observed>,
  symbols: Readonly<Record<string, number>>,
): void {
  const sizes = new Map(Object.entries(symbols));
  for (const [name, { type, dims, data }] of observed) {
    const inferred = shapes.dims(name);
    expect(inferred, `the rank of ${name}`).toBeDefined();
    const actual = inferred!.map((dim, axis) => {
      if (typeof dim === 'number') return dim;
      const size = sizes.get(dim) ?? productOf(dim, symbols) ?? dims[axis]!;
      sizes.set(dim, size);
      return size;
    });
    expect(actual, `[${inferred!.join(', ')}] of ${name}`).toEqual(dims);
    expect(shapes.type(name), `the type of ${name}`).toBe(type);
    const constant = shapes.constant(name);
    if (constant !== undefined) {
      expect(constant.dims, name).toEqual(dims);
      expect([...constant.data], name).toEqual([...data]);
    }
  }
}

/** A graph with one input `x` [N, ...sample], written by `write`. */
export function graphOf(
  opset: number,
  sample: readonly Dim[],
  write: (builder: GraphBuilder, x: string) => void,
): Graph {
  const builder = new GraphBuilder(emptyGraph('shapes', opset));
  write(builder, builder.input({ name: 'x', type: 'float32', dims: ['N', ...sample] }));
  return builder.build();
}

/** Infers with the symbolic batch N and compares with runs of batch 1 and 3. */
export async function expectBatched(
  graph: Graph,
  sample: readonly number[],
  options: InferOptions = {},
): Promise<Shapes> {
  const shapes = inferShapes(graph, options);
  for (const batch of [1, 3]) {
    expectShapes(shapes, await observe(graph, { x: [batch, ...sample] }), { N: batch });
  }
  return shapes;
}

/** One node over x [N, ...sample]; further inputs are constants, '' leaves one out. */
export interface NodeCase {
  readonly operator: string;
  readonly opset: number;
  readonly sample: readonly number[];
  readonly attributes?: PlainAttributes;
  readonly constants?: readonly (Constant | '')[];
  readonly outputs?: number;
  /** Dims of output 0 with the batch axis as a symbol; checked where given. */
  readonly dims?: readonly Dim[];
}

export function ints(...values: number[]): Constant {
  return { type: 'int64', dims: [values.length], data: BigInt64Array.from(values, BigInt) };
}

export function int(value: number): Constant {
  return { type: 'int64', dims: [], data: BigInt64Array.of(BigInt(value)) };
}

export function floats(dims: readonly number[], values?: readonly number[]): Constant {
  const data = values ?? Array.from({ length: sizeOf(dims) }, (_, i) => Math.sin(i + 1));
  return { type: 'float32', dims, data: Float32Array.from(data) };
}

export function nodeGraph(test: NodeCase): Graph {
  return graphOf(test.opset, test.sample, (builder, x) => {
    const constants = (test.constants ?? []).map((constant) =>
      constant === '' ? '' : builder.constant(constant),
    );
    builder.nodes(test.operator, [x, ...constants], test.outputs ?? 1, test.attributes ?? {});
  });
}

export async function expectNode(test: NodeCase): Promise<void> {
  const graph = nodeGraph(test);
  const shapes = await expectBatched(graph, test.sample);
  if (test.dims !== undefined) expect(shapes.dims(graph.nodes[0]!.outputs[0]!)).toEqual(test.dims);
}
