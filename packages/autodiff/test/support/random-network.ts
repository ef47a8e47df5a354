import {
  type Dim,
  emptyGraph,
  type Graph,
  GraphBuilder,
  inferShapes,
  type PlainAttributes,
} from '@unitscope/onnx';
import { Random, sizeOf } from '@unitscope/tensor';
import fc from 'fast-check';

/** One step of a random network: what it adds to the values so far, and numbers to draw its form from. */
export interface Step {
  readonly kind: (typeof STEPS)[number];
  readonly numbers: readonly number[];
}

const STEPS = [
  ...['conv', 'conv', 'conv', 'strided', 'depthwise', 'grouped', 'transposed', 'normalization', 'activation'],
  ...['activation', 'convRelu', 'convRelu', 'maxPool', 'averagePool', 'residual', 'residual', 'downsample'],
  ...[
    'branches',
    'branches',
    'gate',
    'scalar',
    'perChannel',
    'map',
    'product',
    'repeat',
    'slice',
    'crop',
    'pad',
  ],
] as const;

export const steps = fc.array(
  fc.record({
    kind: fc.constantFrom(...STEPS),
    numbers: fc.array(fc.nat({ max: 1000 }), { minLength: 8, maxLength: 8 }),
  }),
  { minLength: 1, maxLength: 9 },
);

export interface NetworkOptions {
  readonly channels: number;
  readonly size: number;
  readonly tail: 'average' | 'flat' | 'convolution';
  readonly seed: number;
}

export const networkOptions = fc.record({
  channels: fc.constantFrom(1, 3, 4, 8, 12, 16),
  size: fc.integer({ min: 5, max: 11 }),
  tail: fc.constantFrom('average', 'flat', 'convolution'),
  seed: fc.nat({ max: 2 ** 20 }),
});

const CHANNELS = [1, 3, 4, 6, 8, 8, 12, 16, 16, 24, 32];
const ACTIVATIONS: readonly [string, PlainAttributes][] = [
  ['Relu', {}],
  ['Relu', {}],
  ['LeakyRelu', { alpha: { float: 0.125 } }],
  ['Sigmoid', {}],
  ['HardSigmoid', { alpha: { float: 0.25 }, beta: { float: 0.5 } }],
  ['HardSwish', {}],
  ['Tanh', {}],
  ['Elu', { alpha: { float: 1 } }],
  ['Softplus', {}],
  ['Clip', {}],
];

/** A network of these steps, with two input samples and five scores; the batch axis is symbolic. */
export function randomNetwork(list: readonly Step[], options: NetworkOptions): Graph {
  const random = new Random(options.seed);
  const builder = new GraphBuilder(emptyGraph('random', 18));
  const input = {
    name: 'input',
    type: 'float32',
    dims: ['N', options.channels, options.size, options.size + (options.seed % 3)],
  } as const;
  builder.input(input);
  let value: string = input.name;
  const dimsOf = (name: string): readonly Dim[] => inferShapes(builder.build()).dims(name)!;
  const channelsOf = (name: string) => Number(dimsOf(name)[1]);
  const weights = (dims: readonly number[], scale: number, stem = 'w') =>
    builder.constant({ type: 'float32', dims, data: random.normalTensor(dims, 0, scale).data }, stem);
  const add = (operator: string, inputs: readonly string[], attributes: PlainAttributes = {}) =>
    builder.node(operator, inputs, attributes);

  const convolve = (x: string, outputs: number, form: Partial<ConvForm> = {}): string => {
    const {
      kernel = 1,
      stride = 1,
      columnStride = stride,
      pad = 0,
      endPad = pad,
      dilation = 1,
      groups = 1,
      bias = false,
      autoPad,
    } = form;
    const inputs = channelsOf(x) / groups;
    const scale = 1 / Math.sqrt(inputs * kernel * kernel);
    const names = [x, weights([outputs, inputs, kernel, kernel], scale)];
    if (bias) names.push(weights([outputs], 0.2, 'b'));
    const around = [pad, pad, endPad, pad];
    return add('Conv', names, {
      // Left out now and then: the weights say it too.
      kernel_shape: outputs === 3 ? undefined : [kernel, kernel],
      strides: [stride, columnStride],
      dilations: [dilation, dilation],
      ...(autoPad === undefined ? { pads: around } : { auto_pad: autoPad }),
      group: groups,
    });
  };
  const activate = (x: string, pick: number): string => {
    const [operator, attributes] = ACTIVATIONS[pick % ACTIVATIONS.length]!;
    if (operator !== 'Clip') return add(operator, [x], attributes);
    const bounds = pick % 3 === 0 ? [-0.5, 0.5] : [0, 0.75];
    return add('Clip', [x, ...bounds.map((bound) => builder.floats(bound))]);
  };

  for (const [position, { kind, numbers }] of list.entries()) {
    const [a, b, c, d, e] = numbers as [number, number, number, number, number];
    const size = Math.min(...dimsOf(value).slice(2).map(Number));
    const channels = channelsOf(value);
    const outputs = CHANNELS[a % CHANNELS.length]!;
    const kernel = Math.min(size, 1 + (b % 3));
    const pad = c % kernel;
    const endPad = Math.floor(c / 8) % kernel;
    const widest = (kernel - 1) * 2 + 1 <= size + pad + Math.min(pad, endPad) ? 2 : 1;
    switch (kind) {
      case 'conv': {
        const dilation = d % 4 === 0 ? widest : 1;
        value = convolve(value, outputs, { kernel, pad, endPad, dilation, bias: e % 2 === 0 });
        break;
      }
      case 'convRelu':
        value = add('Relu', [
          convolve(value, outputs, {
            ...{ kernel, pad, bias: e % 2 === 0 },
            ...(d % 3 === 0
              ? { autoPad: d % 2 === 0 ? 'SAME_UPPER' : 'SAME_LOWER', stride: 1 + (c % 2) }
              : {}),
          }),
        ]);
        break;
      case 'strided': {
        const dilation = b % 4 === 0 ? widest : 1;
        const columnStride = 1 + (numbers[6]! % 3);
        const form = { kernel, pad, endPad, dilation, stride: 2 + (d % 2), columnStride, bias: e % 2 === 0 };
        value = convolve(value, outputs, form);
        if (numbers[5]! % 2 === 0) value = add('Relu', [value]);
        break;
      }
      case 'depthwise':
        value = convolve(value, channels, { kernel, pad, stride: 1 + (d % 2), groups: channels });
        break;
      case 'grouped': {
        const groups = [2, 4, 3].find((count) => channels % count === 0) ?? 1;
        value = convolve(value, groups * (1 + (a % 8)), { kernel, pad, groups, stride: 1 + (d % 2) });
        break;
      }
      case 'transposed': {
        const stride = 1 + (d % 2);
        const scale = 1 / Math.sqrt(channels * kernel * kernel);
        value = add('ConvTranspose', [value, weights([channels, outputs, kernel, kernel], scale)], {
          strides: [stride, stride],
          output_padding: stride > 1 && e % 2 === 0 ? [1, 1] : [0, 0],
        });
        break;
      }
      case 'normalization': {
        const spread = () => builder.floats(Array.from({ length: channels }, () => 0.5 + random.uniform()));
        const [gamma, beta] = [spread(), weights([channels], 0.3)];
        value = add('BatchNormalization', [value, gamma, beta, weights([channels], 0.3), spread()]);
        if (d % 2 === 0) value = add('Relu', [value]);
        break;
      }
      case 'activation':
        value = activate(value, a);
        break;
      case 'maxPool':
      case 'averagePool': {
        const window = Math.min(size, 2 + (b % 2));
        const pads = window > 1 ? c % 2 : 0;
        const stride = 1 + (d % 2);
        // ONNX Runtime infers a wrong size for a plain pool whose last window would start behind the input.
        const isInside = (along: number) =>
          Math.ceil((along + 2 * pads - window) / stride) * stride < along + pads;
        // It takes a Pad into the pool behind it, and then drops a window that would start in the padding.
        const isFused = list[position - 1]?.kind === 'pad';
        const sizes = dimsOf(value).slice(2).map(Number);
        const ceil = e % 3 === 0 && !isFused && sizes.every(isInside) ? 1 : 0;
        const attributes = {
          kernel_shape: [window, window],
          strides: [stride, stride],
          pads: [pads, pads, pads, pads],
          ceil_mode: ceil,
        };
        value =
          kind === 'maxPool'
            ? add('MaxPool', [value], {
                ...attributes,
                dilations: numbers[5]! % 3 === 0 && ceil === 0 && 2 * window <= size ? [2, 2] : [1, 1],
              })
            : add('AveragePool', [value], {
                ...attributes,
                count_include_pad: ceil === 1 ? 0 : numbers[5]! % 2,
              });
        break;
      }
      case 'residual': {
        const inner = add('Relu', [convolve(value, channels, { kernel: 1 })]);
        const odd = size >= 3 ? 3 : 1;
        const branch = convolve(inner, channels, { kernel: odd, pad: (odd - 1) / 2, bias: true });
        value = add(b % 2 === 0 ? 'Add' : 'Sum', c % 2 === 0 ? [branch, value] : [value, branch]);
        if (d % 2 === 0) value = add('Relu', [value]);
        break;
      }
      case 'downsample': {
        const stride = size >= 3 ? 2 : 1;
        const odd = size >= 3 ? 3 : 1;
        const main = add('Relu', [convolve(value, outputs, { kernel: odd, pad: (odd - 1) / 2, stride })]);
        const branch = convolve(main, outputs, { kernel: 1 });
        value = add('Relu', [add('Add', [branch, convolve(value, outputs, { kernel: 1, stride })])]);
        break;
      }
      case 'branches': {
        const squeezed = add('Relu', [convolve(value, 8)]);
        const widths = [a, b, c].map((pick) => CHANNELS[4 + (pick % 7)]!);
        const parts = widths.map((width, part) => {
          const odd = part === 1 && size >= 3 ? 3 : 1;
          const branch = convolve(squeezed, width, { kernel: odd, pad: (odd - 1) / 2 });
          return (d + part) % 4 === 0
            ? branch
            : (d + part) % 4 === 1
              ? activate(branch, 9)
              : add('Relu', [branch]);
        });
        value = add('Concat', e % 3 === 0 ? parts : parts.slice(0, 2), { axis: 1 });
        break;
      }
      case 'gate': {
        const mean = add('GlobalAveragePool', [value]);
        const inner = add('Relu', [convolve(mean, CHANNELS[3 + (a % 5)]!)]);
        const gate = add(b % 2 === 0 ? 'Sigmoid' : 'HardSigmoid', [
          convolve(inner, channels, { bias: true }),
        ]);
        value = add('Mul', c % 2 === 0 ? [value, gate] : [gate, value]);
        break;
      }
      case 'scalar':
        value = add(['Mul', 'Add', 'Sub', 'Div'][a % 4]!, [value, builder.floats(1.5)]);
        break;
      case 'perChannel': {
        const numbersOf = weights([channels, 1, 1], 1, 'channels');
        const operator = ['Mul', 'Add', 'Sub', 'Max'][a % 4]!;
        value = add(operator, b % 2 === 0 ? [value, numbersOf] : [numbersOf, value]);
        break;
      }
      case 'map': {
        const dims = [c % 2 === 0 ? 1 : channels, ...dimsOf(value).slice(2).map(Number)];
        value = add(['Mul', 'Add', 'Sub', 'Min'][a % 4]!, [value, weights(dims, 1, 'map')]);
        break;
      }
      case 'product':
        value = add(['Mul', 'Max', 'Min', 'Sub'][a % 4]!, [value, activate(convolve(value, channels), b)]);
        break;
      case 'repeat':
        if (size > 7) break;
        value = add('Resize', [value, '', builder.floats([1, 1, 2, 2])], {
          mode: 'nearest',
          coordinate_transformation_mode: 'asymmetric',
          nearest_mode: 'floor',
        });
        break;
      case 'crop': {
        if (size < 3) break;
        const bounds =
          a % 2 === 0
            ? [
                [1, 0],
                [size, size - 1],
                [2, 3],
              ]
            : [[0], [size], [2], [2]];
        value = add('Slice', [value, ...bounds.map((values) => builder.ints(values))]);
        break;
      }
      case 'pad': {
        const around = [0, a % 2 === 0 ? 0 : 8, b % 2, 1, 0, 0, 1, c % 2];
        value = add('Pad', [value, builder.ints(around)]);
        break;
      }
      case 'slice': {
        if (channels < 2) break;
        const start = channels > 8 ? 8 : 1;
        value = add('Slice', [value, ...[[start], [channels], [1]].map((values) => builder.ints(values))]);
        break;
      }
    }
  }
  const channels = channelsOf(value);
  if (options.tail === 'convolution') {
    value = add('Flatten', [add('GlobalAveragePool', [convolve(value, 5)])], { axis: 1 });
  } else {
    const tail = options.tail === 'average' ? add('GlobalAveragePool', [value]) : value;
    const flat = add('Flatten', [tail], { axis: 1 });
    const count = options.tail === 'average' ? channels : sizeOf(dimsOf(value).slice(1).map(Number));
    value = add('Gemm', [flat, weights([5, count], 1 / Math.sqrt(count))], { transB: 1 });
  }
  builder.output({ name: value, type: 'float32', dims: ['N', 5] });
  return builder.build();
}

interface ConvForm {
  readonly kernel: number;
  readonly stride: number;
  readonly columnStride: number;
  readonly pad: number;
  /** Rows behind the end. */
  readonly endPad: number;
  readonly dilation: number;
  readonly groups: number;
  readonly bias: boolean;
  /** In place of pads. */
  readonly autoPad: 'SAME_UPPER' | 'SAME_LOWER';
}
