import type { Graph } from '@unitscope/onnx';
import type { Sizes } from './alexnet.js';
import { NetworkWriter } from './network-writer.js';

/** Three convolutions with batch normalization, pools, and one linear layer: trained in a minute. */
export function tiny({ classes, size, seed }: Sizes): Graph {
  const net = new NetworkWriter('tiny', size, seed);
  let x = net.block(net.input, 'conv1', 16, { kernel: 3, pad: 1 }, true);
  x = net.block(net.maxPool(x, 'pool1', 2, 2), 'conv2', 32, { kernel: 3, pad: 1 }, true);
  x = net.block(net.maxPool(x, 'pool2', 2, 2), 'conv3', 48, { kernel: 3, pad: 1 }, true);
  x = net.flatten(net.globalAveragePool(net.maxPool(x, 'pool3', 2, 2), 'pool'), 'flatten');
  return net.build(net.linear(x, 'fc', classes));
}
