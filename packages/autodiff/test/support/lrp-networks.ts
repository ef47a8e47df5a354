import { emptyGraph, type Graph, GraphBuilder, type PlainAttributes } from '@unitscope/onnx';
import { Random } from '@unitscope/tensor';
import fc from 'fast-check';

/** What a generated network is made of, from its input on. */
export interface Form {
  readonly kinds: readonly (typeof KINDS)[number][];
  readonly tail: 'gemm' | 'mat-mul' | 'convolution';
  readonly biased: boolean;
  readonly seed: number;
}

const KINDS = [
  ...['conv', 'strided', 'dilated', 'grouped', 'depthwise', 'residual', 'branches', 'maxPool', 'averagePool'],
  ...['normalization', 'gate', 'linear'],
] as const;

export const forms: fc.Arbitrary<Form> = fc.record({
  kinds: fc.array(fc.constantFrom(...KINDS), { minLength: 1, maxLength: 4 }),
  tail: fc.constantFrom('gemm', 'mat-mul', 'convolution'),
  biased: fc.boolean(),
  seed: fc.nat({ max: 2 ** 20 }),
});

/** A network of 8 channels (or what a form makes of them) on 7x6 pictures of 3, signed channels, with 4 classes. */
export function networkOf({ kinds, tail, biased, seed }: Form): Graph {
  const random = new Random(seed);
  const builder = new GraphBuilder(emptyGraph('lrp', 18));
  const weight = (dims: readonly number[], scale: number) =>
    builder.constant({ type: 'float32', dims, data: random.normalTensor(dims, 0, scale).data }, 'w');
  const add = (operator: string, inputs: readonly string[], attributes: PlainAttributes = {}) =>
    builder.node(operator, inputs, attributes);
  const convolve = (
    x: string,
    inputs: number,
    outputs: number,
    kernel: number,
    attributes: PlainAttributes,
  ) =>
    add(
      'Conv',
      [
        x,
        weight([outputs, inputs, kernel, kernel], 1 / Math.sqrt(inputs * kernel * kernel)),
        ...(biased ? [weight([outputs], 0.3)] : []),
      ],
      { kernel_shape: [kernel, kernel], ...attributes },
    );
  const same = { pads: [1, 1, 1, 1] };
  let value: string = builder.input({ name: 'input', type: 'float32', dims: ['N', 3, 7, 6] });
  value = add('Relu', [convolve(value, 3, 8, 3, same)]);
  for (const kind of kinds) {
    switch (kind) {
      case 'conv':
        value = add('Relu', [convolve(value, 8, 8, 3, same)]);
        break;
      case 'linear':
        value = convolve(value, 8, 8, 1, {});
        break;
      case 'strided':
        value = add('Relu', [convolve(value, 8, 8, 3, { pads: [1, 1, 1, 1], strides: [2, 1] })]);
        break;
      case 'dilated':
        value = add('Relu', [convolve(value, 8, 8, 2, { pads: [1, 1, 1, 1], dilations: [2, 2] })]);
        break;
      case 'grouped':
        value = add('Relu', [convolve(value, 4, 8, 1, { group: 2 })]);
        break;
      case 'depthwise':
        value = convolve(value, 1, 8, 3, { ...same, group: 8 });
        break;
      case 'residual':
        value = add('Add', [convolve(value, 8, 8, 3, same), value]);
        break;
      case 'branches':
        value = add('Concat', [convolve(value, 8, 4, 1, {}), add('Relu', [convolve(value, 8, 4, 3, same)])], {
          axis: 1,
        });
        break;
      case 'maxPool':
        value = add('MaxPool', [value], { kernel_shape: [3, 2], strides: [1, 1], pads: [1, 0, 1, 1] });
        break;
      case 'averagePool':
        value = add('AveragePool', [value], { kernel_shape: [2, 2], strides: [1, 1], pads: [0, 0, 1, 1] });
        break;
      case 'normalization': {
        const spread = () => builder.floats(Array.from({ length: 8 }, () => 0.5 + random.uniform()));
        const [gamma, beta] = [spread(), weight([8], biased ? 0.3 : 0)];
        value = add('Relu', [value]);
        value = add('BatchNormalization', [value, gamma, beta, weight([8], biased ? 0.3 : 0), spread()]);
        break;
      }
      case 'gate': {
        const mean = add('GlobalAveragePool', [value]);
        value = add('Mul', [value, add('Sigmoid', [convolve(mean, 8, 8, 1, {})])]);
        break;
      }
    }
  }
  if (tail === 'convolution') {
    const map = add('Relu', [convolve(value, 8, 4, 1, {})]);
    value = add('Flatten', [add('GlobalAveragePool', [map])], { axis: 1 });
  } else {
    const flat = add('Flatten', [add('GlobalAveragePool', [value])], { axis: 1 });
    if (tail === 'gemm') {
      const inputs = [flat, weight([4, 8], 0.5), ...(biased ? [weight([4], 0.3)] : [])];
      value = add('Gemm', inputs, { transB: 1, alpha: { float: 0.5 }, beta: { float: 2 } });
    } else {
      value = add('MatMul', [flat, weight([8, 4], 0.5)]);
      if (biased) value = add('Add', [value, weight([4], 0.3)]);
    }
  }
  builder.output({ name: value, type: 'float32', dims: ['N', 4] });
  return builder.build();
}
