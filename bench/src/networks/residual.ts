import type { Graph } from '@unitscope/onnx';
import { Layers } from './layers.js';

/** He et al., arXiv 1512.03385. */
export function resNet18(): Graph {
  const net = new Layers('resnet18').conv(64, 7, { stride: 2, pad: 3, bias: false }).norm().relu();
  net.maxPool(3, 2, { pad: 1 });
  for (const [out, first] of [
    [64, 1],
    [128, 2],
    [256, 2],
    [512, 2],
  ] as const) {
    for (const stride of [first, 1]) {
      const start = net.point;
      net.conv(out, 3, { stride, pad: 1, bias: false }).norm().relu();
      const main = net.conv(out, 3, { pad: 1, bias: false }).norm().point;
      net.from(start);
      if (stride !== 1 || start.channels !== out) net.conv(out, 1, { stride, bias: false }).norm();
      const skip = net.point;
      net.from(main).add(skip).relu();
    }
  }
  return net.globalPool().flatten().dense(512, 1000).finish();
}

/** Sandler et al., arXiv 1801.04381. */
export function mobileNetV2(): Graph {
  const net = new Layers('mobilenet_v2').conv(32, 3, { stride: 2, pad: 1, bias: false }).norm().relu6();
  for (const [expansion, out, count, first] of [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
  ] as const) {
    for (let i = 0; i < count; i++) {
      const stride = i === 0 ? first : 1;
      const start = net.point;
      const hidden = start.channels * expansion;
      if (expansion !== 1) net.conv(hidden, 1, { bias: false }).norm().relu6();
      net.conv(hidden, 3, { stride, pad: 1, group: hidden, bias: false }).norm().relu6();
      net.conv(out, 1, { bias: false }).norm();
      if (stride === 1 && start.channels === out) net.add(start);
    }
  }
  return net.conv(1280, 1, { bias: false }).norm().relu6().globalPool().flatten().dense(1280, 1000).finish();
}
