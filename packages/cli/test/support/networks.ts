import { type Dim, emptyGraph, type Graph, GraphBuilder } from '@unitscope/onnx';
import { Random } from '@unitscope/tensor';

export interface TinyOptions {
  readonly dims?: readonly Dim[];
  /** The operator between the two convolutions. */
  readonly activation?: string;
}

/**
 * conv (to 4 channels, 3 x 3, padded) - an activation named act - pool (2 x 2, stride 2) - conv2 (to 5 channels, 3 x 3)
 * - relu2 - mean over the map - fc (5 classes) - softmax.
 */
export function tinyNetwork({ dims = ['N', 3, 8, 8], activation = 'Relu' }: TinyOptions = {}): Graph {
  const random = new Random(7);
  const builder = new GraphBuilder(emptyGraph('tiny', 18));
  const weight = (shape: readonly number[], name: string) =>
    builder.constant({ type: 'float32', dims: shape, data: random.normalTensor(shape, 0, 0.5).data }, name);
  const channels = Number(dims[1]);
  const input = builder.input({ name: 'picture', type: 'float32', dims });
  const conv = builder.node(
    'Conv',
    [input, weight([4, channels, 3, 3], 'w1'), weight([4], 'b1')],
    { kernel_shape: [3, 3], pads: [1, 1, 1, 1] },
    { name: 'conv' },
  );
  const act = builder.node(activation, [conv], {}, { name: 'act' });
  const pool = builder.node('MaxPool', [act], { kernel_shape: [2, 2], strides: [2, 2] }, { name: 'pool' });
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
  builder.output({ name: probability, type: 'float32', dims: [dims[0]!, 5] });
  return builder.build();
}

/** Ten numbers in, three scores out: no maps anywhere. */
export function flatNetwork(): Graph {
  const random = new Random(3);
  const builder = new GraphBuilder(emptyGraph('flat', 18));
  const input = builder.input({ name: 'numbers', type: 'float32', dims: ['N', 10] });
  const weights = builder.constant({ type: 'float32', ...random.normalTensor([10, 3], 0, 1) }, 'w');
  const scores = builder.node('MatMul', [input, weights], {}, { name: 'scores' });
  builder.output({ name: scores, type: 'float32', dims: ['N', 3] });
  return builder.build();
}

/** Two convolutions of one pixel whose product of weights is beyond float32, then the mean over the map: 2 scores. */
export function steepNetwork(): Graph {
  const builder = new GraphBuilder(emptyGraph('steep', 18));
  const weight = (shape: readonly number[], name: string) => {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(1e30);
    return builder.constant({ type: 'float32', dims: shape, data }, name);
  };
  const input = builder.input({ name: 'picture', type: 'float32', dims: ['N', 3, 4, 4] });
  const conv = builder.node('Conv', [input, weight([2, 3, 1, 1], 'w1')], {}, { name: 'conv' });
  const conv2 = builder.node('Conv', [conv, weight([2, 2, 1, 1], 'w2')], {}, { name: 'conv2' });
  const mean = builder.node('GlobalAveragePool', [conv2], {}, { name: 'mean' });
  const scores = builder.node('Flatten', [mean], { axis: 1 }, { name: 'scores' });
  builder.output({ name: scores, type: 'float32', dims: ['N', 2] });
  return builder.build();
}

/** Two nodes that wait for each other. */
export function cyclicNetwork(): Graph {
  const graph = tinyNetwork();
  const nodes = graph.nodes.map((node) =>
    node.name === 'conv' ? { ...node, inputs: ['pool:out', ...node.inputs.slice(1)] } : node,
  );
  return { ...graph, nodes };
}

/** A node that reads a value nobody makes. */
export function danglingNetwork(): Graph {
  const graph = tinyNetwork();
  const nodes = graph.nodes.map((node) => (node.name === 'relu2' ? { ...node, inputs: ['nowhere'] } : node));
  return { ...graph, nodes };
}
