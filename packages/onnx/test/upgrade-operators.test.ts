import { describe, expect, it } from 'vitest';
import { type Graph, opsetOf, upgradeOpset } from '../src/index.js';
import { feed, float32, int64, type OldNode, oldGraph, runGraph } from './upgrade-runtime.js';

interface Case extends OldNode {
  readonly dims: readonly number[];
  /** Versions the form exists in, both included; 7 to 17 by default. */
  readonly since?: number;
  readonly until?: number;
  /** Operators of the upgraded graph, in order, where they say that the short form was taken. */
  readonly becomes?: readonly string[];
}

const image = [2, 3, 4, 6];
const floats = (...values: number[]) => ({ floats: values });
const many = (count: number, value: (index: number) => number) =>
  Array.from({ length: count }, (_, i) => value(i));

const CASES: Readonly<Record<string, Case>> = {
  'Clip, both bounds': {
    operator: 'Clip',
    dims: image,
    until: 10,
    attributes: { min: { float: -0.5 }, max: { float: 0.25 } },
    becomes: ['Clip'],
  },
  'Clip, lower bound': { operator: 'Clip', dims: image, until: 10, attributes: { min: { float: 0 } } },
  'Clip, upper bound': { operator: 'Clip', dims: image, until: 10, attributes: { max: { float: 0.5 } } },
  'Clip, no bound': { operator: 'Clip', dims: image, until: 10 },
  'Clip, bounds as inputs': {
    operator: 'Clip',
    dims: image,
    since: 11,
    constants: [float32([], -0.1), ''],
  },
  'Pad with zeros': {
    operator: 'Pad',
    dims: image,
    until: 10,
    attributes: { pads: [0, 0, 1, 2, 0, 1, 0, 3] },
  },
  'Pad with a value': {
    operator: 'Pad',
    dims: image,
    until: 10,
    attributes: { pads: [0, 0, 1, 2, 0, 1, 0, 3], value: { float: 2.5 } },
  },
  'Pad by reflection': {
    operator: 'Pad',
    dims: image,
    until: 10,
    attributes: { pads: [0, 0, 1, 2, 0, 0, 1, 3], mode: 'reflect' },
  },
  'Pad, pads as input': {
    operator: 'Pad',
    dims: image,
    since: 11,
    constants: [int64(0, 0, 1, 1, 0, 0, 1, 1)],
  },
  'Slice with axes': {
    operator: 'Slice',
    dims: image,
    until: 9,
    attributes: { starts: [1, -3], ends: [3, 9_007_199_254_740_991], axes: [1, 3] },
  },
  'Slice without axes': {
    operator: 'Slice',
    dims: image,
    until: 9,
    attributes: { starts: [0, 1], ends: [1, 2] },
  },
  'Slice, inputs': {
    operator: 'Slice',
    dims: image,
    since: 10,
    constants: [int64(1), int64(5), int64(3), int64(2)],
  },
  'TopK of an attribute': {
    operator: 'TopK',
    dims: image,
    until: 9,
    attributes: { k: 2, axis: 3 },
    outputs: 2,
  },
  'TopK of an input': { operator: 'TopK', dims: image, since: 10, constants: [int64(2)], outputs: 2 },
  'Squeeze with axes': { operator: 'Squeeze', dims: [2, 1, 3, 1], until: 12, attributes: { axes: [3] } },
  'Squeeze without axes': { operator: 'Squeeze', dims: [2, 1, 3, 1] },
  'Unsqueeze with axes': { operator: 'Unsqueeze', dims: [2, 3], until: 12, attributes: { axes: [0, 3] } },
  'Split in given parts': {
    operator: 'Split',
    dims: image,
    until: 12,
    attributes: { split: [1, 5], axis: 3 },
    outputs: 2,
  },
  'Split in equal parts': { operator: 'Split', dims: image, attributes: { axis: 3 }, outputs: 3 },
  'Split, parts as input': {
    operator: 'Split',
    dims: image,
    since: 13,
    attributes: { axis: 2 },
    constants: [int64(1, 3)],
    outputs: 2,
  },
  'Dropout of an attribute': {
    operator: 'Dropout',
    dims: image,
    until: 11,
    attributes: { ratio: { float: 0.3 } },
  },
  'Dropout of an input': { operator: 'Dropout', dims: image, since: 12, constants: [float32([], 0.3)] },
  'Softmax over the last axis': {
    operator: 'Softmax',
    dims: [3, 5],
    attributes: { axis: 1 },
    becomes: ['Softmax'],
  },
  'Softmax of a pooled map': {
    operator: 'Softmax',
    dims: [3, 5, 1, 1],
    until: 12,
    becomes: ['Softmax'],
  },
  'Softmax over several axes': {
    operator: 'Softmax',
    dims: image,
    until: 12,
    becomes: ['Flatten', 'Softmax', 'Shape', 'Reshape'],
  },
  'Softmax over dims not stated': {
    operator: 'Softmax',
    dims: image,
    stated: ['N', 'C', 'H', 'W'],
    until: 12,
    attributes: { axis: 2 },
  },
  'Softmax over one axis of several': {
    operator: 'Softmax',
    dims: image,
    since: 13,
    attributes: { axis: 1 },
  },
  'LogSoftmax over several axes': { operator: 'LogSoftmax', dims: image, until: 12 },
  'LogSoftmax of a negative axis': {
    operator: 'LogSoftmax',
    dims: image,
    since: 11,
    until: 12,
    attributes: { axis: -2 },
  },
  'Hardmax over several axes': { operator: 'Hardmax', dims: image, until: 12 },
  'BatchNormalization with spatial': {
    operator: 'BatchNormalization',
    dims: image,
    until: 8,
    attributes: { spatial: 1 },
    constants: [3, 5, 7, 11].map((k) => float32([3], ...many(3, (i) => 0.2 + ((k * (i + 1)) % 4)))),
    becomes: ['BatchNormalization'],
  },
  BatchNormalization: {
    operator: 'BatchNormalization',
    dims: image,
    attributes: { epsilon: { float: 1e-3 } },
    constants: [3, 5, 7, 11].map((k) => float32([3], ...many(3, (i) => 0.2 + ((k * (i + 1)) % 4)))),
    becomes: ['BatchNormalization'],
  },
  'Upsample, nearest, of an attribute': {
    operator: 'Upsample',
    dims: image,
    until: 8,
    attributes: { scales: floats(1, 1, 2, 3) },
  },
  'Upsample, linear, of an attribute': {
    operator: 'Upsample',
    dims: image,
    until: 8,
    attributes: { scales: floats(1, 1, 2, 1.5), mode: 'linear' },
  },
  'Upsample, nearest': {
    operator: 'Upsample',
    dims: image,
    since: 9,
    until: 9,
    constants: [float32([4], 1, 1, 2.5, 2)],
  },
  'Upsample, linear': {
    operator: 'Upsample',
    dims: image,
    since: 9,
    until: 9,
    attributes: { mode: 'linear' },
    constants: [float32([4], 1, 1, 2, 2)],
  },
  'Resize 10, enlarging': {
    operator: 'Resize',
    dims: image,
    since: 10,
    until: 10,
    constants: [float32([4], 1, 1, 2.5, 1.7)],
    becomes: ['Resize'],
  },
  'Resize 10, shrinking': {
    operator: 'Resize',
    dims: [1, 1, 7, 9],
    since: 10,
    until: 10,
    constants: [float32([4], 1, 1, 0.6, 0.4)],
  },
  'Resize 10, both': {
    operator: 'Resize',
    dims: [1, 2, 7, 9],
    since: 10,
    until: 10,
    constants: [float32([4], 1, 1, 0.6, 1.6)],
  },
  'Resize 10, linear': {
    operator: 'Resize',
    dims: [1, 2, 7, 9],
    since: 10,
    until: 10,
    attributes: { mode: 'linear' },
    constants: [float32([4], 1, 1, 0.6, 1.6)],
  },
  'Resize of scales': {
    operator: 'Resize',
    dims: image,
    since: 11,
    attributes: { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
    constants: [float32([0]), float32([4], 1, 1, 2, 1.5)],
  },
  'Resize to sizes': {
    operator: 'Resize',
    dims: image,
    since: 11,
    attributes: { mode: 'cubic' },
    constants: [float32([0]), float32([0]), int64(2, 3, 7, 5)],
  },
  'Resize by half pixels for the nearest': {
    operator: 'Resize',
    dims: [1, 1, 5, 7],
    since: 11,
    until: 12,
    attributes: { coordinate_transformation_mode: 'tf_half_pixel_for_nn', nearest_mode: 'floor' },
    constants: [float32([0]), float32([4], 1, 1, 1.5, 0.6)],
  },
  Scatter: {
    operator: 'Scatter',
    dims: [3, 4],
    since: 9,
    until: 10,
    attributes: { axis: 1 },
    constants: [
      { type: 'int64', dims: [2, 2], data: BigInt64Array.from([1n, 3n, 0n, 2n]) },
      float32([2, 2], 9, 8, 7, 6),
    ],
  },
  RoiAlign: {
    operator: 'RoiAlign',
    dims: [1, 2, 6, 6],
    since: 10,
    until: 15,
    attributes: { output_height: 2, output_width: 2 },
    constants: [float32([1, 4], 0, 0, 4, 5), int64(0)],
  },
  MeanVarianceNormalization: { operator: 'MeanVarianceNormalization', dims: image, since: 9 },
  ...Object.fromEntries(
    ['L1', 'L2', 'LogSum', 'LogSumExp', 'Max', 'Mean', 'Min', 'Prod', 'Sum', 'SumSquare'].flatMap((kind) => {
      const until = kind === 'Sum' ? 12 : 17;
      const operator = `Reduce${kind}`;
      return [
        [
          `${operator} with axes`,
          { operator, dims: image, until, attributes: { axes: [1, 3], keepdims: 0 } },
        ],
        [`${operator} over all`, { operator, dims: image }],
      ];
    }),
  ),
};

/** Every value name of the old graph is a value of the new one, and the layer keeps its name. */
function expectNamesKept(old: Graph, upgraded: Graph): void {
  const outputs = new Set(upgraded.nodes.flatMap((node) => node.outputs));
  for (const node of old.nodes) for (const output of node.outputs) expect(outputs).toContain(output);
  expect(upgraded.nodes.find((node) => node.name === 'layer')?.outputs[0]).toBe(old.outputs[0]!.name);
}

describe.each(Object.entries(CASES))('%s', (_, { dims, since = 7, until = 17, becomes, ...node }) => {
  const versions = Array.from({ length: until - since + 1 }, (_, index) => since + index);
  // Versions between two changes share one kernel in ONNX Runtime: the ends and those the operator set names suffice.
  const told = versions.filter(
    (v) => v === since || v === until || [9, 10, 11, 12, 13, 14, 15, 16].includes(v),
  );
  it.each(told)('is the same in operator set %i and 18', async (opset) => {
    const old = oldGraph(opset, dims, node);
    const upgraded = upgradeOpset(old);
    expect(opsetOf(upgraded)).toBe(18);
    expectNamesKept(old, upgraded);
    if (becomes !== undefined) expect(upgraded.nodes.map(({ operator }) => operator)).toEqual(becomes);
    const x = node.operator.endsWith('LogSum') ? positive(dims) : feed(dims);
    expect(await runGraph(upgraded, { x })).toEqual(await runGraph(old, { x }));
  });
});

function positive(dims: readonly number[]) {
  const x = feed(dims);
  (x.data as Float32Array).forEach((value, index, data) => {
    data[index] = Math.abs(value) + 0.1;
  });
  return x;
}
