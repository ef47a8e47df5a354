import { emptyGraph, type Graph, GraphBuilder, withMetadata } from '@unitscope/onnx';
import { Random } from '@unitscope/tensor';

export const SIDE = 7;

/**
 * conv (2 to 4 channels, padded), relu, overlapping max-pool, grouped conv of stride 2, relu, conv of one pixel, relu,
 * mean, fc to 3 classes, softmax. Its output and one of its values have names of the standalone file.
 *
 * @param batch the size of the batch axis, or its name
 */
export function smallNetwork(batch: number | string = 'N'): Graph {
  const random = new Random(5);
  const builder = new GraphBuilder(emptyGraph('small', 13));
  const weight = (dims: readonly number[], name: string) =>
    builder.constant({ type: 'float32', dims, data: random.normalTensor(dims, 0, 0.6).data }, name);
  const input = builder.input({ name: 'picture', type: 'float32', dims: [batch, 2, SIDE, SIDE] });
  const conv = builder.node('Conv', [input, weight([4, 2, 3, 3], 'w1'), weight([4], 'b1')], {
    pads: [1, 1, 1, 1],
  });
  const relu = builder.node('Relu', [conv], {}, { name: 'target' });
  const pool = builder.node('MaxPool', [relu], { kernel_shape: [3, 3], strides: [1, 1] }, { name: 'pool' });
  const grouped = builder.node(
    'Conv',
    [pool, weight([6, 2, 3, 3], 'w2'), weight([6], 'b2')],
    { strides: [2, 2], pads: [1, 1, 1, 1], group: 2 },
    { name: 'grouped' },
  );
  const relu2 = builder.node('Relu', [grouped], {}, { name: 'relu2' });
  const last = builder.node(
    'Conv',
    [relu2, weight([4, 6, 1, 1], 'w3'), weight([4], 'b3')],
    {},
    { name: 'last' },
  );
  const mean = builder.node('GlobalAveragePool', [builder.node('Relu', [last])]);
  const flat = builder.node('Flatten', [mean], { axis: 1 });
  const logits = builder.node(
    'Gemm',
    [flat, weight([4, 3], 'w4'), weight([3], 'b4')],
    {},
    { name: 'scores' },
  );
  builder.append({
    name: 'softmax',
    operator: 'Softmax',
    domain: '',
    inputs: [logits],
    outputs: ['map'],
    attributes: new Map([['axis', { kind: 'int', value: 1 }]]),
  });
  builder.output({ name: 'map', type: 'float32', dims: [batch, 3] });
  return withMetadata(builder.build(), new Map([['author', 'a test']]));
}
