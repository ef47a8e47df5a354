import { type Dim, emptyGraph, type Graph, GraphBuilder, type PlainAttributes } from '@unitscope/onnx';
import { Random, sizeOf, UnitscopeError } from '@unitscope/tensor';
import { PURPOSES, seedFor } from '../seeds.js';

/** The operator set of the networks written here: the rules of differentiation need no rewriting of it. */
const OPSET = 18;

/** A map, or a vector where height and width are 1, in a network that is being written. */
export interface Maps {
  readonly value: string;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

export interface ConvShape {
  readonly kernel: number;
  readonly stride?: number;
  readonly pad?: number;
  readonly groups?: number;
  readonly bias?: boolean;
}

/**
 * Writes a network layer by layer. Weights are drawn from N(0, 2 / fan-in) (He et al., arXiv:1502.01852), each layer from
 * a seed of its own, so that a layer's weights do not change with what stands before it; biases are 0, scales 1.
 */
export class NetworkWriter {
  readonly input: Maps;
  readonly #builder: GraphBuilder;
  readonly #seed: number;
  #layers = 0;

  constructor(name: string, size: readonly [height: number, width: number], seed: number) {
    const [height, width] = size;
    this.#builder = new GraphBuilder(emptyGraph(name, OPSET));
    this.#seed = seed;
    const dims: readonly Dim[] = ['N', 3, height, width];
    this.input = {
      value: this.#builder.input({ name: 'input', type: 'float32', dims }),
      channels: 3,
      height,
      width,
    };
  }

  /** Conv, named `name`, with the parameters `name.weight` and `name.bias`. */
  conv(x: Maps, name: string, channels: number, shape: ConvShape): Maps {
    const { kernel, stride = 1, pad = 0, groups = 1, bias = true } = shape;
    const dims = [channels, x.channels / groups, kernel, kernel];
    const [height, width] = [x.height, x.width].map(
      (size) => Math.floor((size + 2 * pad - kernel) / stride) + 1,
    );
    this.#requireRoom(name, x, [height!, width!]);
    const inputs = [x.value, this.#weights(`${name}.weight`, dims, dims[1]! * kernel * kernel)];
    if (bias) inputs.push(this.#filled(`${name}.bias`, channels, 0));
    const value = this.#node(name, 'Conv', inputs, {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
      group: groups,
    });
    return { value, channels, height: height!, width: width! };
  }

  /** BatchNormalization with `name.scale`, `name.bias`, `name.mean` and `name.variance`. */
  batchNormalization(x: Maps, name: string): Maps {
    const parameters = [
      this.#filled(`${name}.scale`, x.channels, 1),
      this.#filled(`${name}.bias`, x.channels, 0),
      this.#filled(`${name}.mean`, x.channels, 0),
      this.#filled(`${name}.variance`, x.channels, 1),
    ];
    return { ...x, value: this.#node(name, 'BatchNormalization', [x.value, ...parameters]) };
  }

  relu(x: Maps, name: string): Maps {
    return { ...x, value: this.#node(name, 'Relu', [x.value]) };
  }

  add(a: Maps, b: Maps, name: string): Maps {
    return { ...a, value: this.#node(name, 'Add', [a.value, b.value]) };
  }

  /** Local response normalization over `size` channels (Krizhevsky et al. 2012). */
  lrn(x: Maps, name: string, size = 5): Maps {
    const attributes = { size, alpha: { float: 1e-4 * size }, beta: { float: 0.75 }, bias: { float: 2 } };
    return { ...x, value: this.#node(name, 'LRN', [x.value], attributes) };
  }

  maxPool(x: Maps, name: string, kernel: number, stride: number, pad = 0): Maps {
    const [height, width] = [x.height, x.width].map(
      (size) => Math.floor((size + 2 * pad - kernel) / stride) + 1,
    );
    this.#requireRoom(name, x, [height!, width!]);
    const value = this.#node(name, 'MaxPool', [x.value], {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
    });
    return { ...x, value, height: height!, width: width! };
  }

  globalAveragePool(x: Maps, name: string): Maps {
    return { ...x, value: this.#node(name, 'GlobalAveragePool', [x.value]), height: 1, width: 1 };
  }

  flatten(x: Maps, name: string): Maps {
    const channels = x.channels * x.height * x.width;
    return { value: this.#node(name, 'Flatten', [x.value], { axis: 1 }), channels, height: 1, width: 1 };
  }

  dropout(x: Maps, name: string, ratio: number): Maps {
    const share = this.#builder.floats(ratio, [], `${name}.ratio`);
    return { ...x, value: this.#node(name, 'Dropout', [x.value, share]) };
  }

  /** Gemm of a flat value, with `name.weight` [outputs, inputs] and `name.bias`. */
  linear(x: Maps, name: string, outputs: number): Maps {
    const weight = this.#weights(`${name}.weight`, [outputs, x.channels], x.channels);
    const inputs = [x.value, weight, this.#filled(`${name}.bias`, outputs, 0)];
    return { ...x, value: this.#node(name, 'Gemm', inputs, { transB: 1 }), channels: outputs };
  }

  /** Conv and ReLU; with `normalize`, batch normalization between them and no bias. */
  block(x: Maps, name: string, channels: number, shape: ConvShape, normalize: boolean): Maps {
    const conv = this.conv(x, name, channels, { ...shape, bias: !normalize });
    return this.relu(normalize ? this.batchNormalization(conv, `${name}/bn`) : conv, `${name}/relu`);
  }

  /** The network whose scores are `x`. */
  build(x: Maps): Graph {
    this.#builder.output({ name: x.value, type: 'float32', dims: ['N', x.channels] });
    return this.#builder.build();
  }

  #node(name: string, operator: string, inputs: readonly string[], attributes: PlainAttributes = {}): string {
    return this.#builder.node(operator, inputs, attributes, { name });
  }

  #weights(name: string, dims: readonly number[], fanIn: number): string {
    const random = new Random(seedFor(this.#seed, PURPOSES.weights, this.#layers++));
    const deviation = Math.sqrt(2 / fanIn);
    const data = new Float32Array(sizeOf(dims));
    for (let i = 0; i < data.length; i++) data[i] = deviation * random.normal();
    return this.#builder.constant({ type: 'float32', dims, data }, name);
  }

  #filled(name: string, size: number, value: number): string {
    return this.#builder.constant(
      { type: 'float32', dims: [size], data: new Float32Array(size).fill(value) },
      name,
    );
  }

  #requireRoom(name: string, { height, width }: Maps, sizes: readonly number[]): void {
    if (sizes.every((size) => size >= 1)) return;
    throw new UnitscopeError(
      'wrong-use',
      `the input is too small: ${name} gets a map of ${height}x${width}`,
      {
        subject: name,
      },
    );
  }
}
