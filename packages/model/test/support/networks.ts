import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Dim, emptyGraph, type Graph, GraphBuilder } from '@unitscope/onnx';
import { Random } from '@unitscope/tensor';

export interface TinyOptions {
  readonly seed?: number;
  readonly dims?: readonly Dim[];
}

/**
 * conv (3 to 4 channels, 3 x 3, padded) - relu - pool (2 x 2, stride 2) - conv2 (4 to 5 channels, 3 x 3) - relu2 - mean
 * over the map - 5 classes - softmax. Any picture of 6 x 6 and more.
 */
export function tinyNetwork({ seed = 1, dims = ['N', 3, 8, 8] }: TinyOptions = {}): Graph {
  const random = new Random(seed);
  const weight = (shape: readonly number[], name: string) =>
    builder.constant({ type: 'float32', dims: shape, data: random.normalTensor(shape, 0, 0.5).data }, name);
  const builder = new GraphBuilder(emptyGraph('tiny', 18));
  const input = builder.input({ name: 'picture', type: 'float32', dims });
  const conv = builder.node(
    'Conv',
    [input, weight([4, 3, 3, 3], 'w1'), weight([4], 'b1')],
    { kernel_shape: [3, 3], pads: [1, 1, 1, 1] },
    { name: 'conv' },
  );
  const relu = builder.node('Relu', [conv], {}, { name: 'relu' });
  const pool = builder.node('MaxPool', [relu], { kernel_shape: [2, 2], strides: [2, 2] }, { name: 'pool' });
  const conv2 = builder.node(
    'Conv',
    [pool, weight([5, 4, 3, 3], 'w2'), weight([5], 'b2')],
    { kernel_shape: [3, 3] },
    { name: 'conv2' },
  );
  const relu2 = builder.node('Relu', [conv2], {}, { name: 'relu2' });
  const mean = builder.node('GlobalAveragePool', [relu2], {}, { name: 'mean' });
  const flat = builder.node('Flatten', [mean], { axis: 1 }, { name: 'flat' });
  const logits = builder.node('Gemm', [flat, weight([5, 5], 'w3'), weight([5], 'b3')], {}, { name: 'fc' });
  const probability = builder.node('Softmax', [logits], { axis: 1 }, { name: 'softmax' });
  const batch = dims[0]!;
  builder.output({ name: logits, type: 'float32', dims: [batch, 5] });
  builder.output({ name: probability, type: 'float32', dims: [batch, 5] });
  return builder.build();
}

/** y = x + bias, of one channel. */
export function shiftNetwork(bias: number, dims: readonly Dim[] = ['N', 1, 2, 2]): Graph {
  const builder = new GraphBuilder(emptyGraph(`shift by ${bias}`, 18));
  const input = builder.input({ name: 'x', type: 'float32', dims });
  const output = builder.node('Add', [input, builder.floats(bias)], {}, { name: 'add' });
  builder.output({ name: output, type: 'float32', dims });
  return builder.build();
}

/**
 * y = x multiplied `steps` times with a square matrix of this size: slow enough that a signal fires meanwhile. The
 * matrix is a rotation of the axes, so the numbers stay as they are.
 */
export function slowNetwork(size: number, steps: number): Graph {
  const builder = new GraphBuilder(emptyGraph('slow', 18));
  const input = builder.input({ name: 'x', type: 'float32', dims: ['N', size] });
  const matrix = new Float32Array(size * size);
  for (let i = 0; i < size; i++) matrix[i * size + ((i + 1) % size)] = 1;
  const weight = builder.constant({ type: 'float32', dims: [size, size], data: matrix }, 'w');
  let value = input;
  for (let i = 0; i < steps; i++) value = builder.node('MatMul', [value, weight], {}, { name: `step${i}` });
  builder.output({ name: value, type: 'float32', dims: ['N', size] });
  return builder.build();
}

const SHARED = new URL('../../../../../shared/', import.meta.url);

/** Where a file of the shared test data is, or undefined, with a line that says so, where there is none. */
export function sharedFile(path: string): string | undefined {
  const file = fileURLToPath(new URL(path, SHARED));
  if (existsSync(file)) return file;
  console.warn(`skipped: ../shared/${path} is missing`);
  return undefined;
}
