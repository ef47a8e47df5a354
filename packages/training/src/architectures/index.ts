import type { Graph } from '@unitscope/onnx';
import { UnitscopeError, unknownName } from '@unitscope/tensor';
import { alexNet, type Sizes, smallAlexNet } from './alexnet.js';
import { resNet20 } from './resnet.js';
import { tiny } from './tiny.js';
import { smallVgg16, smallVggM, smallVggS, vgg16, vggM, vggS } from './vgg.js';

interface Architecture {
  readonly build: (sizes: Sizes) => Graph;
  /** Height and width where none are asked for. */
  readonly size: number;
}

const ARCHITECTURES: ReadonlyMap<string, Architecture> = new Map([
  ['tiny', { build: tiny, size: 32 }],
  ['resnet-20', { build: resNet20, size: 32 }],
  ['alexnet-small', { build: smallAlexNet, size: 64 }],
  ['vgg-m-small', { build: smallVggM, size: 64 }],
  ['vgg-s-small', { build: smallVggS, size: 64 }],
  ['vgg-16-small', { build: smallVgg16, size: 64 }],
  ['alexnet', { build: alexNet, size: 227 }],
  ['vgg-m', { build: vggM, size: 224 }],
  ['vgg-s', { build: vggS, size: 224 }],
  ['vgg-16', { build: vgg16, size: 224 }],
]);

/** The names `buildArchitecture` knows, small networks first. */
export const architectureNames: readonly string[] = [...ARCHITECTURES.keys()];

export interface ArchitectureOptions {
  /** How many scores the network has. */
  readonly classes: number;
  /** Of the input; the architecture's own by default. */
  readonly size?: readonly [height: number, width: number];
  /** Of the weights; 0 by default. */
  readonly seed?: number;
}

/**
 * A network of random weights by the name of its architecture: standard operators, input `input` [N, 3, H, W], the scores
 * [N, classes] its output, parameters called after their layers. The same seed gives the same weights.
 *
 * Throws `wrong-use` for an unknown name, classes that are not positive and an input too small for the layers.
 */
export function buildArchitecture(name: string, options: ArchitectureOptions): Graph {
  const architecture = ARCHITECTURES.get(name);
  if (architecture === undefined) throw unknownName('architecture', name, architectureNames, 'wrong-use');
  const { classes, seed = 0 } = options;
  if (!Number.isInteger(classes) || classes < 1) {
    throw new UnitscopeError('wrong-use', `a network has at least one score, not ${classes}`, {
      subject: 'classes',
    });
  }
  const { size = [architecture.size, architecture.size] } = options;
  return architecture.build({ classes, size, seed });
}
