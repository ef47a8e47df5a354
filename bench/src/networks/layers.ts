import { emptyGraph, type Graph, GraphBuilder } from '@unitscope/onnx';
import { Random } from '@unitscope/tensor';

/** Where a network has got to: a value and its channels. */
export interface Point {
  readonly value: string;
  readonly channels: number;
}

export interface ConvOptions {
  readonly stride?: number;
  readonly pad?: number;
  /** Without one, a norm follows. */
  readonly bias?: boolean;
  readonly group?: number;
}

/** A network for pictures of 224 x 224, layer by layer, with seeded weights. */
export class Layers {
  readonly #builder: GraphBuilder;
  readonly #random = new Random(1);
  #value: string;
  #channels = 3;

  constructor(name: string) {
    this.#builder = new GraphBuilder(emptyGraph(name, 18));
    this.#value = this.#builder.input({ name: 'input', type: 'float32', dims: ['N', 3, 224, 224] });
  }

  get point(): Point {
    return { value: this.#value, channels: this.#channels };
  }

  /** Goes on from an earlier point. */
  from({ value, channels }: Point): this {
    this.#value = value;
    this.#channels = channels;
    return this;
  }

  conv(out: number, kernel: number, { stride = 1, pad = 0, bias = true, group = 1 }: ConvOptions = {}): this {
    const inputs = [this.#value, this.#weight([out, this.#channels / group, kernel, kernel])];
    if (bias) inputs.push(this.#vector(out, 0.01));
    this.#value = this.#builder.node('Conv', inputs, {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
      group,
    });
    this.#channels = out;
    return this;
  }

  norm(): this {
    const [one, zero] = [this.#vector(this.#channels, 1), this.#vector(this.#channels, 0)];
    return this.#next('BatchNormalization', [one, zero, zero, one]);
  }

  relu(): this {
    return this.#next('Relu');
  }

  relu6(): this {
    return this.#next('Clip', [this.#builder.floats(0), this.#builder.floats(6)]);
  }

  maxPool(kernel: number, stride: number, { pad = 0, ceil = false } = {}): this {
    return this.#next('MaxPool', [], {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
      ceil_mode: ceil ? 1 : 0,
    });
  }

  averagePool(kernel: number, stride: number): this {
    return this.#next('AveragePool', [], { kernel_shape: [kernel, kernel], strides: [stride, stride] });
  }

  globalPool(): this {
    return this.#next('GlobalAveragePool');
  }

  flatten(): this {
    return this.#next('Flatten', [], { axis: 1 });
  }

  dense(from: number, to: number): this {
    return this.#next('Gemm', [this.#weight([to, from]), this.#vector(to, 0.01)], { transB: 1 });
  }

  add({ value }: Point): this {
    return this.#next('Add', [value]);
  }

  concat(parts: readonly Point[]): this {
    const values = parts.map(({ value }) => value);
    this.#value = this.#builder.node('Concat', values, { axis: 1 });
    this.#channels = parts.reduce((sum, { channels }) => sum + channels, 0);
    return this;
  }

  finish(): Graph {
    const logits = this.#builder.node('Identity', [this.#value], {}, { name: 'logits' });
    this.#builder.output({ name: logits, type: 'float32', dims: ['N', 1000] });
    return this.#builder.build();
  }

  #next(
    operator: string,
    inputs: readonly string[] = [],
    attributes: Parameters<GraphBuilder['node']>[2] = {},
  ): this {
    this.#value = this.#builder.node(operator, [this.#value, ...inputs], attributes);
    return this;
  }

  /** A weight of He's initialisation, so that activations neither die nor explode. */
  #weight(dims: readonly number[]): string {
    const fanIn = dims.slice(1).reduce((product, size) => product * size, 1);
    const { data } = this.#random.normalTensor(dims, 0, Math.sqrt(2 / fanIn));
    return this.#builder.constant({ type: 'float32', dims, data }, 'weight');
  }

  #vector(size: number, value: number): string {
    return this.#builder.floats(new Array<number>(size).fill(value), [size], 'vector');
  }
}
