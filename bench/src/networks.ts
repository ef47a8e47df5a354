import { emptyGraph, type Graph, GraphBuilder } from '@unitscope/onnx';
import { Random } from '@unitscope/tensor';

/** The networks of the benchmark, in torchvision's shapes, with seeded weights: speed does not depend on training. */
export const networks: Readonly<Record<string, () => Graph>> = {
  squeezenet1_1: squeezeNet,
  alexnet: alexNet,
  resnet18: resNet18,
  vgg16: vgg16,
};

class Layers {
  readonly builder: GraphBuilder;
  readonly #random = new Random(1);
  value: string;
  channels = 3;

  constructor(name: string) {
    this.builder = new GraphBuilder(emptyGraph(name, 18));
    this.value = this.builder.input({ name: 'input', type: 'float32', dims: ['N', 3, 224, 224] });
  }

  /** A weight of He's initialisation, so that activations neither die nor explode. */
  #weight(dims: readonly number[]): string {
    const fanIn = dims.slice(1).reduce((product, size) => product * size, 1);
    const { data } = this.#random.normalTensor(dims, 0, Math.sqrt(2 / fanIn));
    return this.builder.constant({ type: 'float32', dims, data }, 'weight');
  }

  #vector(size: number, value: number): string {
    return this.builder.floats(new Array<number>(size).fill(value), [size], 'vector');
  }

  conv(out: number, kernel: number, stride = 1, pad = 0, bias = true): this {
    const inputs = [this.value, this.#weight([out, this.channels, kernel, kernel])];
    if (bias) inputs.push(this.#vector(out, 0.01));
    this.value = this.builder.node('Conv', inputs, {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
    });
    this.channels = out;
    return this;
  }

  norm(): this {
    const [one, zero] = [this.#vector(this.channels, 1), this.#vector(this.channels, 0)];
    this.value = this.builder.node('BatchNormalization', [this.value, one, zero, zero, one]);
    return this;
  }

  relu(): this {
    this.value = this.builder.node('Relu', [this.value]);
    return this;
  }

  pool(kernel: number, stride: number, pad = 0, ceil = 0): this {
    this.value = this.builder.node('MaxPool', [this.value], {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
      ceil_mode: ceil,
    });
    return this;
  }

  globalPool(): this {
    this.value = this.builder.node('GlobalAveragePool', [this.value]);
    return this;
  }

  flatten(): this {
    this.value = this.builder.node('Flatten', [this.value], { axis: 1 });
    return this;
  }

  dense(from: number, to: number): this {
    const inputs = [this.value, this.#weight([to, from]), this.#vector(to, 0.01)];
    this.value = this.builder.node('Gemm', inputs, { transB: 1 });
    return this;
  }

  finish(): Graph {
    const logits = this.builder.node('Identity', [this.value], {}, { name: 'logits' });
    this.builder.output({ name: logits, type: 'float32', dims: ['N', 1000] });
    return this.builder.build();
  }
}

function alexNet(): Graph {
  const net = new Layers('alexnet').conv(64, 11, 4, 2).relu().pool(3, 2).conv(192, 5, 1, 2).relu().pool(3, 2);
  net.conv(384, 3, 1, 1).relu().conv(256, 3, 1, 1).relu().conv(256, 3, 1, 1).relu().pool(3, 2).flatten();
  return net.dense(9216, 4096).relu().dense(4096, 4096).relu().dense(4096, 1000).finish();
}

function vgg16(): Graph {
  const net = new Layers('vgg16');
  for (const block of [
    [64, 64],
    [128, 128],
    [256, 256, 256],
    [512, 512, 512],
    [512, 512, 512],
  ]) {
    for (const out of block) net.conv(out, 3, 1, 1).relu();
    net.pool(2, 2);
  }
  return net.flatten().dense(25088, 4096).relu().dense(4096, 4096).relu().dense(4096, 1000).finish();
}

function resNet18(): Graph {
  const net = new Layers('resnet18').conv(64, 7, 2, 3, false).norm().relu().pool(3, 2, 1);
  for (const [out, first] of [
    [64, 1],
    [128, 2],
    [256, 2],
    [512, 2],
  ] as const) {
    for (const stride of [first, 1]) {
      const [shortcut, channels] = [net.value, net.channels];
      net.conv(out, 3, stride, 1, false).norm().relu().conv(out, 3, 1, 1, false).norm();
      const main = net.value;
      let skip = shortcut;
      if (stride !== 1 || channels !== out) {
        net.value = shortcut;
        net.channels = channels;
        net.conv(out, 1, stride, 0, false).norm();
        skip = net.value;
      }
      net.value = net.builder.node('Add', [main, skip]);
      net.relu();
    }
  }
  return net.globalPool().flatten().dense(512, 1000).finish();
}

function squeezeNet(): Graph {
  const net = new Layers('squeezenet1_1').conv(64, 3, 2).relu().pool(3, 2, 0, 1);
  const fire = (squeeze: number, expand: number) => {
    net.conv(squeeze, 1).relu();
    const [value, channels] = [net.value, net.channels];
    const narrow = net.conv(expand, 1).relu().value;
    net.value = value;
    net.channels = channels;
    const wide = net.conv(expand, 3, 1, 1).relu().value;
    net.value = net.builder.node('Concat', [narrow, wide], { axis: 1 });
    net.channels = 2 * expand;
  };
  fire(16, 64);
  fire(16, 64);
  net.pool(3, 2, 0, 1);
  fire(32, 128);
  fire(32, 128);
  net.pool(3, 2, 0, 1);
  fire(48, 192);
  fire(48, 192);
  fire(64, 256);
  fire(64, 256);
  return net.conv(1000, 1).relu().globalPool().flatten().finish();
}
