import type { Graph } from '@unitscope/onnx';
import { denseNet121, googLeNet, squeezeNet } from './branching.js';
import { alexNet, vgg16 } from './plain.js';
import { mobileNetV2, resNet18 } from './residual.js';

export interface Network {
  readonly build: () => Graph;
  /** The larger batch that is timed beside one picture. */
  readonly batch: number;
}

/** The networks of the benchmark, in torchvision's shapes, with seeded weights: speed does not depend on training. */
export const networks: Readonly<Record<string, Network>> = {
  squeezenet1_1: { build: squeezeNet, batch: 16 },
  resnet18: { build: resNet18, batch: 16 },
  alexnet: { build: alexNet, batch: 16 },
  vgg16: { build: vgg16, batch: 4 },
  mobilenet_v2: { build: mobileNetV2, batch: 16 },
  densenet121: { build: denseNet121, batch: 16 },
  googlenet: { build: googLeNet, batch: 16 },
};
