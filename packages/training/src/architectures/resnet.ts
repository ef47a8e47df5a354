import type { Graph } from '@unitscope/onnx';
import type { Sizes } from './alexnet.js';
import { type Maps, NetworkWriter } from './network-writer.js';

/**
 * ResNet-20 for small pictures (He et al., arXiv:1512.03385, section 4.2): three stages of three blocks, 16, 32 and 64
 * channels. Where channels double, the shortcut is a 1x1 convolution of stride 2.
 */
export function resNet20({ classes, size, seed }: Sizes): Graph {
  const net = new NetworkWriter('resnet-20', size, seed);
  let x = net.block(net.input, 'conv1', 16, { kernel: 3, pad: 1 }, true);
  for (const [stage, channels] of [16, 32, 64].entries()) {
    for (let block = 1; block <= 3; block++) {
      const stride = stage > 0 && block === 1 ? 2 : 1;
      x = residualBlock(net, x, `stage${stage + 1}/block${block}`, channels, stride);
    }
  }
  return net.build(net.linear(net.flatten(net.globalAveragePool(x, 'pool'), 'flatten'), 'fc', classes));
}

function residualBlock(net: NetworkWriter, x: Maps, name: string, channels: number, stride: number): Maps {
  const inner = net.block(x, `${name}/conv1`, channels, { kernel: 3, stride, pad: 1 }, true);
  const second = net.conv(inner, `${name}/conv2`, channels, { kernel: 3, pad: 1, bias: false });
  const branch = net.batchNormalization(second, `${name}/conv2/bn`);
  const shortcut =
    stride === 1 && x.channels === channels
      ? x
      : net.batchNormalization(
          net.conv(x, `${name}/shortcut`, channels, { kernel: 1, stride, bias: false }),
          `${name}/shortcut/bn`,
        );
  return net.relu(net.add(branch, shortcut, `${name}/add`), `${name}/relu`);
}
