import type { Graph } from '@unitscope/onnx';
import { NetworkWriter } from './network-writer.js';

export interface Sizes {
  readonly classes: number;
  readonly size: readonly [height: number, width: number];
  readonly seed: number;
}

/**
 * AlexNet (Krizhevsky et al. 2012): five convolutions, two of them in two groups, local response normalization, three
 * fully connected layers with dropout.
 */
export function alexNet({ classes, size, seed }: Sizes): Graph {
  const net = new NetworkWriter('alexnet', size, seed);
  let x = net.relu(net.conv(net.input, 'conv1', 96, { kernel: 11, stride: 4 }), 'relu1');
  x = net.maxPool(net.lrn(x, 'norm1'), 'pool1', 3, 2);
  x = net.relu(net.conv(x, 'conv2', 256, { kernel: 5, pad: 2, groups: 2 }), 'relu2');
  x = net.maxPool(net.lrn(x, 'norm2'), 'pool2', 3, 2);
  x = net.relu(net.conv(x, 'conv3', 384, { kernel: 3, pad: 1 }), 'relu3');
  x = net.relu(net.conv(x, 'conv4', 384, { kernel: 3, pad: 1, groups: 2 }), 'relu4');
  x = net.relu(net.conv(x, 'conv5', 256, { kernel: 3, pad: 1, groups: 2 }), 'relu5');
  x = net.flatten(net.maxPool(x, 'pool5', 3, 2), 'flatten');
  for (const layer of [6, 7]) {
    x = net.dropout(net.relu(net.linear(x, `fc${layer}`, 4096), `relu${layer}`), `drop${layer}`, 0.5);
  }
  return net.build(net.linear(x, 'fc8', classes));
}

/** The layers of AlexNet at a third of its width and a finer stride, for pictures of 64 pixels or so. */
export function smallAlexNet({ classes, size, seed }: Sizes): Graph {
  const net = new NetworkWriter('alexnet-small', size, seed);
  let x = net.relu(net.conv(net.input, 'conv1', 32, { kernel: 5, stride: 2, pad: 2 }), 'relu1');
  x = net.maxPool(x, 'pool1', 3, 2, 1);
  x = net.maxPool(net.relu(net.conv(x, 'conv2', 64, { kernel: 5, pad: 2 }), 'relu2'), 'pool2', 3, 2, 1);
  x = net.relu(net.conv(x, 'conv3', 96, { kernel: 3, pad: 1 }), 'relu3');
  x = net.relu(net.conv(x, 'conv4', 96, { kernel: 3, pad: 1 }), 'relu4');
  x = net.relu(net.conv(x, 'conv5', 64, { kernel: 3, pad: 1 }), 'relu5');
  x = net.flatten(net.maxPool(x, 'pool5', 3, 2, 1), 'flatten');
  for (const layer of [6, 7]) {
    x = net.dropout(net.relu(net.linear(x, `fc${layer}`, 256), `relu${layer}`), `drop${layer}`, 0.5);
  }
  return net.build(net.linear(x, 'fc8', classes));
}
