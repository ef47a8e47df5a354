import { emptyGraph, type Graph, GraphBuilder } from '@unitscope/onnx';
import { Random } from '@unitscope/tensor';

/** Convolution, batch normalization, ReLU, pool, dropout, linear layer, for inputs of 8x8. */
export function smallNetwork(classes = 4, seed = 1, dropout = 0.2): Graph {
  const random = new Random(seed);
  const builder = new GraphBuilder(emptyGraph('small', 18));
  const weight = (name: string, dims: number[], deviation = 0.3) =>
    builder.constant({ type: 'float32', dims, data: random.normalTensor(dims, 0, deviation).data }, name);
  const filled = (name: string, value: number) =>
    builder.constant({ type: 'float32', dims: [8], data: new Float32Array(8).fill(value) }, name);
  const input = builder.input({ name: 'input', type: 'float32', dims: ['N', 3, 8, 8] });
  const conv = builder.node('Conv', [input, weight('conv.weight', [8, 3, 3, 3])], { pads: [1, 1, 1, 1] });
  const statistics = [
    filled('bn.scale', 1),
    filled('bn.bias', 0),
    filled('bn.mean', 0),
    filled('bn.variance', 1),
  ];
  const active = builder.node(
    'Relu',
    [builder.node('BatchNormalization', [conv, ...statistics])],
    {},
    { name: 'act' },
  );
  const pooled = builder.node('MaxPool', [active], { kernel_shape: [2, 2], strides: [2, 2] });
  const flat = builder.node('Flatten', [pooled], { axis: 1 });
  const dropped = dropout === 0 ? flat : builder.node('Dropout', [flat, builder.floats(dropout)]);
  const inputs = [dropped, weight('fc.weight', [classes, 128], 0.1), weight('fc.bias', [classes])];
  const scores = builder.node('Gemm', inputs, { transB: 1 }, { name: 'scores' });
  builder.output({ name: scores, type: 'float32', dims: ['N', classes] });
  return builder.build();
}
