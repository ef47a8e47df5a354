import type { Tensor, TensorData } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import {
  type Attribute,
  emptyGraph,
  evaluate,
  type Graph,
  GraphBuilder,
  type PlainAttributes,
  type ReferenceTensor,
  readModel,
} from '../src/index.js';
import { Golden, type GoldenCase, goldensAreThere } from './reference-goldens.js';

/** The largest difference, relative to the largest entry of `wanted`. */
function relativeError(got: ReferenceTensor, wanted: Tensor<Float64Array>): number {
  expect(got.dims).toEqual(wanted.dims);
  let largest = 0;
  let difference = 0;
  wanted.data.forEach((value, i) => {
    largest = Math.max(largest, Math.abs(value));
    difference = Math.max(difference, Math.abs(value - got.data[i]!));
  });
  expect(largest).toBeGreaterThan(0);
  return difference / largest;
}

/** A number or a list, as a list of one entry per spatial axis. */
function pair(value: number | readonly number[] = 0): readonly number[] {
  return typeof value === 'number' ? [value, value] : value;
}

const float = (value = 0) => ({ float: value });

/** The node of a golden case: its inputs after x, by golden name or as numbers, and its attributes. */
function nodeOf(golden: GoldenCase): { inputs: (string | number)[]; attributes: PlainAttributes } {
  const pads = [...pair(golden.pad), ...pair(golden.pad)];
  const strides = pair(golden.stride);
  switch (golden.op) {
    case 'Conv':
      return {
        inputs: ['w', 'b'],
        attributes: { strides, pads, dilations: pair(golden.dilation), group: golden.groups },
      };
    case 'ConvTranspose':
      return {
        inputs: ['w', 'b'],
        attributes: { strides, pads, output_padding: pair(golden.output_padding) },
      };
    case 'MaxPool':
    case 'AveragePool':
      return {
        inputs: [],
        attributes: {
          kernel_shape: pair(golden.kernel),
          strides,
          pads,
          ceil_mode: Number(golden.ceil),
          ...(golden.op === 'AveragePool' ? { count_include_pad: Number(golden.count_include_pad) } : {}),
        },
      };
    case 'LRN':
      return {
        inputs: [],
        attributes: {
          size: golden.size,
          alpha: float(golden.alpha),
          beta: float(golden.beta),
          bias: float(golden.bias),
        },
      };
    case 'BatchNormalization':
      return { inputs: ['gamma', 'beta', 'mean', 'var'], attributes: { epsilon: float(golden.eps) } };
    case 'Clip':
      return { inputs: [golden.min ?? 0, golden.max ?? 0], attributes: {} };
    case 'LeakyRelu':
      return { inputs: [], attributes: { alpha: float(golden.alpha) } };
    case 'Softmax':
      return { inputs: [], attributes: { axis: golden.axis } };
    case 'Gemm':
      return { inputs: ['w', 'b'], attributes: { transB: golden.transB } };
    case 'Resize':
      return {
        inputs: [],
        attributes: {
          mode: 'linear',
          coordinate_transformation_mode: golden.align_corners ? 'align_corners' : 'half_pixel',
        },
      };
    case 'Relu':
    case 'Sigmoid':
    case 'GlobalAveragePool':
      return { inputs: [], attributes: {} };
    default:
      throw new Error(`golden case ${golden.name} has the operator ${golden.op}, which this test lacks`);
  }
}

describe.skipIf(!goldensAreThere)('goldens of single operators', () => {
  const cases = goldensAreThere ? (new Golden('ops').manifest.cases ?? []) : [];

  it.each(cases.map((golden) => [golden.name, golden] as const))('%s', (name, golden) => {
    const ops = new Golden('ops');
    const { inputs, attributes } = nodeOf(golden);
    const wanted = ops.doubles(`${name}.y`);
    const builder = new GraphBuilder(emptyGraph(name, 18));
    builder.input({ name: 'x', type: 'float32', dims: undefined });
    const feeds: Record<string, Tensor<TensorData>> = { x: ops.tensor(`${name}.x`) };
    const names = inputs.map((input) => {
      if (typeof input !== 'string') return builder.floats(input);
      const { dims, data } = ops.tensor(`${name}.${input}`);
      return builder.constant({ type: 'float32', dims, data }, input);
    });
    if (golden.op === 'Resize') names.push('', '', builder.ints(wanted.dims));
    const outputs = builder.nodes(golden.op, ['x', ...names], golden.op === 'MaxPool' ? 2 : 1, attributes);
    const results = evaluate(builder.build(), feeds, { outputs });
    expect(relativeError(results.get(outputs[0]!)!, wanted)).toBeLessThan(1e-12);
    if (golden.op === 'MaxPool') {
      const plane = ops
        .tensor(`${name}.x`)
        .dims.slice(2)
        .reduce((size, dim) => size * dim, 1);
      const indices = Array.from(results.get(outputs[1]!)!.data, (index) => index % plane);
      expect(indices).toEqual(Array.from(ops.tensor(`${name}.indices_hw`).data, Number));
    }
  });
});

/**
 * The goldens were computed with the constants as they were written in decimal; in the file they are rounded to
 * float32, which alone makes a difference of 1e-8. This gives back the shortest decimals.
 */
function withDecimalAttributes(graph: Graph): Graph {
  const decimal = (attribute: Attribute): Attribute =>
    attribute.kind === 'float' ? { kind: 'float', value: shortestDecimal(attribute.value) } : attribute;
  const nodes = graph.nodes.map((node) => ({
    ...node,
    attributes: new Map([...node.attributes].map(([name, attribute]) => [name, decimal(attribute)])),
  }));
  return { ...graph, nodes };
}

function shortestDecimal(value: number): number {
  for (let digits = 1; digits < 10; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return value;
}

describe.skipIf(!goldensAreThere)('goldens of whole networks', () => {
  it.each(['mini_vgg11', 'opzoo', 'mini_resnet18'])('%s: the logits in double precision', (name) => {
    const golden = new Golden(name);
    const graph = withDecimalAttributes(readModel(golden.model()));
    const { logits } = Object.fromEntries(evaluate(graph, { input: golden.tensor('input') }));
    expect(relativeError(logits!, golden.doubles('logits'))).toBeLessThan(1e-10);
  });
});
