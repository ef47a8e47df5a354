import type { Graph } from '@unitscope/onnx';
import type { Sizes } from './alexnet.js';
import { NetworkWriter } from './network-writer.js';

/** Convolutions of each stage of VGG-16. */
const STAGES = [2, 2, 3, 3, 3] as const;

interface VggForm {
  readonly name: string;
  readonly widths: readonly number[];
  readonly hidden: number;
  readonly normalize: boolean;
}

/** VGG-16 (Simonyan and Zisserman, arXiv:1409.1556): thirteen 3x3 convolutions in five stages, three linear layers. */
export function vgg16(sizes: Sizes): Graph {
  return vgg(sizes, { name: 'vgg-16', widths: [64, 128, 256, 512, 512], hidden: 4096, normalize: false });
}

/**
 * The layers of VGG-16 at a quarter of its width with batch normalization, without which so deep a network of random
 * weights hardly begins to learn.
 */
export function smallVgg16(sizes: Sizes): Graph {
  return vgg(sizes, { name: 'vgg-16-small', widths: [16, 32, 64, 128, 128], hidden: 256, normalize: true });
}

function vgg({ classes, size, seed }: Sizes, { name, widths, hidden, normalize }: VggForm): Graph {
  const net = new NetworkWriter(name, size, seed);
  let x = net.input;
  for (const [stage, convolutions] of STAGES.entries()) {
    for (let i = 1; i <= convolutions; i++) {
      x = net.block(x, `conv${stage + 1}_${i}`, widths[stage]!, { kernel: 3, pad: 1 }, normalize);
    }
    x = net.maxPool(x, `pool${stage + 1}`, 2, 2);
  }
  x = net.flatten(x, 'flatten');
  for (const layer of [6, 7]) {
    x = net.dropout(net.relu(net.linear(x, `fc${layer}`, hidden), `relu${layer}`), `drop${layer}`, 0.5);
  }
  return net.build(net.linear(x, 'fc8', classes));
}

/** VGG-M (Chatfield et al., arXiv:1405.3531): five convolutions, the second of stride 2. */
export function vggM({ classes, size, seed }: Sizes): Graph {
  const net = new NetworkWriter('vgg-m', size, seed);
  let x = net.relu(net.conv(net.input, 'conv1', 96, { kernel: 7, stride: 2 }), 'relu1');
  x = net.maxPool(net.lrn(x, 'norm1'), 'pool1', 3, 2);
  x = net.relu(net.conv(x, 'conv2', 256, { kernel: 5, stride: 2, pad: 1 }), 'relu2');
  x = net.maxPool(net.lrn(x, 'norm2'), 'pool2', 3, 2);
  return head(net, x, { classes, widths: [512, 512, 512], hidden: 4096, pool: [3, 2] });
}

/** VGG-S (Chatfield et al., arXiv:1405.3531): as VGG-M, the second convolution of stride 1 and wider pools. */
export function vggS({ classes, size, seed }: Sizes): Graph {
  const net = new NetworkWriter('vgg-s', size, seed);
  let x = net.relu(net.conv(net.input, 'conv1', 96, { kernel: 7, stride: 2 }), 'relu1');
  x = net.maxPool(net.lrn(x, 'norm1'), 'pool1', 3, 3);
  x = net.maxPool(net.relu(net.conv(x, 'conv2', 256, { kernel: 5 }), 'relu2'), 'pool2', 2, 2);
  return head(net, x, { classes, widths: [512, 512, 512], hidden: 4096, pool: [3, 3] });
}

/** The layers of VGG-M at a third of its width, padded, for pictures of 64 pixels or so. */
export function smallVggM({ classes, size, seed }: Sizes): Graph {
  const net = new NetworkWriter('vgg-m-small', size, seed);
  let x = net.relu(net.conv(net.input, 'conv1', 32, { kernel: 7, stride: 2, pad: 3 }), 'relu1');
  x = net.maxPool(x, 'pool1', 3, 2, 1);
  x = net.relu(net.conv(x, 'conv2', 80, { kernel: 5, pad: 2 }), 'relu2');
  x = net.maxPool(x, 'pool2', 3, 2, 1);
  return head(net, x, { classes, widths: [160, 160, 160], hidden: 256, pool: [2, 2] });
}

/** The layers of VGG-S at a third of its width, padded, for pictures of 64 pixels or so. */
export function smallVggS({ classes, size, seed }: Sizes): Graph {
  const net = new NetworkWriter('vgg-s-small', size, seed);
  let x = net.relu(net.conv(net.input, 'conv1', 32, { kernel: 7, stride: 2, pad: 3 }), 'relu1');
  x = net.maxPool(x, 'pool1', 3, 3, 1);
  x = net.maxPool(net.relu(net.conv(x, 'conv2', 80, { kernel: 5, pad: 2 }), 'relu2'), 'pool2', 2, 2);
  return head(net, x, { classes, widths: [160, 160, 160], hidden: 256, pool: [2, 2] });
}

interface HeadForm {
  readonly classes: number;
  readonly widths: readonly number[];
  readonly hidden: number;
  readonly pool: readonly [kernel: number, stride: number];
}

/** Convolutions 3 to 5, the pool behind them and the linear layers, which VGG-M and VGG-S share. */
function head(
  net: NetworkWriter,
  from: NetworkWriter['input'],
  { classes, widths, hidden, pool }: HeadForm,
): Graph {
  let x = from;
  for (const [i, width] of widths.entries()) {
    x = net.relu(net.conv(x, `conv${i + 3}`, width, { kernel: 3, pad: 1 }), `relu${i + 3}`);
  }
  x = net.flatten(net.maxPool(x, 'pool5', ...pool), 'flatten');
  for (const layer of [6, 7]) {
    x = net.dropout(net.relu(net.linear(x, `fc${layer}`, hidden), `relu${layer}`), `drop${layer}`, 0.5);
  }
  return net.build(net.linear(x, 'fc8', classes));
}
