import type { Graph } from '@unitscope/onnx';
import { Layers } from './layers.js';

/** Iandola et al., arXiv 1602.07360, version 1.1. */
export function squeezeNet(): Graph {
  const net = new Layers('squeezenet1_1').conv(64, 3, { stride: 2 }).relu().maxPool(3, 2, { ceil: true });
  const fire = (squeeze: number, expand: number) => {
    const start = net.conv(squeeze, 1).relu().point;
    const narrow = net.conv(expand, 1).relu().point;
    const wide = net.from(start).conv(expand, 3, { pad: 1 }).relu().point;
    net.concat([narrow, wide]);
  };
  fire(16, 64);
  fire(16, 64);
  net.maxPool(3, 2, { ceil: true });
  fire(32, 128);
  fire(32, 128);
  net.maxPool(3, 2, { ceil: true });
  fire(48, 192);
  fire(48, 192);
  fire(64, 256);
  fire(64, 256);
  return net.conv(1000, 1).relu().globalPool().flatten().finish();
}

/** Szegedy et al., arXiv 1409.4842, as torchvision has it: batch norm, and 3x3 where the paper has 5x5. */
export function googLeNet(): Graph {
  const net = new Layers('googlenet');
  const conv = (out: number, kernel: number, stride = 1) =>
    net
      .conv(out, kernel, { stride, pad: (kernel - 1) / 2, bias: false })
      .norm()
      .relu();
  const inception = (one: number, three: readonly number[], five: readonly number[], pool: number) => {
    const start = net.point;
    const first = conv(one, 1).point;
    const others = [three, five].map(([narrow, wide]) => {
      net.from(start);
      conv(narrow!, 1);
      return conv(wide!, 3).point;
    });
    net.from(start).maxPool(3, 1, { pad: 1, ceil: true });
    net.concat([first, ...others, conv(pool, 1).point]);
  };
  conv(64, 7, 2).maxPool(3, 2, { ceil: true });
  conv(64, 1);
  conv(192, 3).maxPool(3, 2, { ceil: true });
  inception(64, [96, 128], [16, 32], 32);
  inception(128, [128, 192], [32, 96], 64);
  net.maxPool(3, 2, { ceil: true });
  inception(192, [96, 208], [16, 48], 64);
  inception(160, [112, 224], [24, 64], 64);
  inception(128, [128, 256], [24, 64], 64);
  inception(112, [144, 288], [32, 64], 64);
  inception(256, [160, 320], [32, 128], 128);
  net.maxPool(2, 2, { ceil: true });
  inception(256, [160, 320], [32, 128], 128);
  inception(384, [192, 384], [48, 128], 128);
  return net.globalPool().flatten().dense(1024, 1000).finish();
}

/** Huang et al., arXiv 1608.06993. */
export function denseNet121(): Graph {
  const net = new Layers('densenet121').conv(64, 7, { stride: 2, pad: 3, bias: false }).norm().relu();
  net.maxPool(3, 2, { pad: 1 });
  for (const [block, count] of [6, 12, 24, 16].entries()) {
    const parts = [net.point];
    for (let i = 0; i < count; i++) {
      if (i > 0) net.concat(parts);
      net.norm().relu().conv(128, 1, { bias: false }).norm().relu();
      parts.push(net.conv(32, 3, { pad: 1, bias: false }).point);
    }
    net.concat(parts).norm().relu();
    if (block === 3) break;
    net.conv(net.point.channels / 2, 1, { bias: false }).averagePool(2, 2);
  }
  return net.globalPool().flatten().dense(1024, 1000).finish();
}
