import type { Graph } from '@unitscope/onnx';
import { Layers } from './layers.js';

/** Krizhevsky 2014, arXiv 1404.5997. */
export function alexNet(): Graph {
  const net = new Layers('alexnet').conv(64, 11, { stride: 4, pad: 2 }).relu().maxPool(3, 2);
  net.conv(192, 5, { pad: 2 }).relu().maxPool(3, 2);
  for (const out of [384, 256, 256]) net.conv(out, 3, { pad: 1 }).relu();
  net.maxPool(3, 2).flatten();
  return net.dense(9216, 4096).relu().dense(4096, 4096).relu().dense(4096, 1000).finish();
}

/** Simonyan and Zisserman, arXiv 1409.1556, configuration D. */
export function vgg16(): Graph {
  const net = new Layers('vgg16');
  for (const block of [
    [64, 64],
    [128, 128],
    [256, 256, 256],
    [512, 512, 512],
    [512, 512, 512],
  ]) {
    for (const out of block) net.conv(out, 3, { pad: 1 }).relu();
    net.maxPool(2, 2);
  }
  return net.flatten().dense(25088, 4096).relu().dense(4096, 4096).relu().dense(4096, 1000).finish();
}
