import { describe, it } from 'vitest';
import { expectNode, floats, int, ints, type NodeCase } from './shapes-runtime.js';

// Every operator in every form it has had, over x of dims [N, ...sample] with N = 1 and 3, against ONNX Runtime.

const plane = [4, 6, 8];
const unary = (opset: number, ...operators: readonly string[]): readonly NodeCase[] =>
  operators.map((operator) => ({ operator, opset, sample: plane, dims: ['N', ...plane] }));

const ELEMENTWISE: readonly NodeCase[] = [
  ...unary(7, 'Relu', 'LeakyRelu', 'Elu', 'Selu', 'Sigmoid', 'HardSigmoid', 'Tanh', 'Softplus', 'Softsign'),
  ...unary(9, 'Softmax', 'LogSoftmax', 'Exp', 'Log', 'Abs', 'Neg', 'Sqrt', 'Floor', 'Ceil', 'Reciprocal'),
  ...unary(13, 'Softmax', 'LogSoftmax', 'Erf', 'Sign', 'Sin', 'Cos', 'Clip', 'IsNaN', 'Round'),
  ...unary(20, 'Gelu', 'HardSwish', 'Mish', 'Identity', 'Hardmax', 'ThresholdedRelu', 'Celu', 'IsInf'),
  { operator: 'Clip', opset: 7, sample: plane, attributes: { min: { float: 0 }, max: { float: 6 } } },
  { operator: 'Clip', opset: 13, sample: plane, constants: ['', floats([], [6])] },
  { operator: 'PRelu', opset: 9, sample: plane, constants: [floats([4, 1, 1])] },
  { operator: 'Pow', opset: 13, sample: plane, constants: [floats([], [2])] },
  { operator: 'Dropout', opset: 7, sample: plane, outputs: 1 },
  { operator: 'Dropout', opset: 12, sample: plane, outputs: 2 },
  { operator: 'Cast', opset: 9, sample: plane, attributes: { to: 7 } },
  { operator: 'Cast', opset: 13, sample: plane, attributes: { to: 11 } },
  { operator: 'Cast', opset: 13, sample: plane, attributes: { to: 9 } },
  { operator: 'Sum', opset: 8, sample: plane, constants: [floats([8]), floats([6, 1])] },
  { operator: 'Mean', opset: 13, sample: plane, constants: [floats([2, 1, 4, 1, 8].slice(1))] },
  { operator: 'Max', opset: 8, sample: [4, 1, 8], constants: [floats([6, 1])], dims: ['N', 4, 6, 8] },
  { operator: 'Min', opset: 13, sample: plane, constants: [floats([])] },
  { operator: 'Mod', opset: 13, sample: plane, constants: [floats([8])], attributes: { fmod: 1 } },
  { operator: 'Add', opset: 7, sample: [1, 8], constants: [floats([5, 1, 6, 1])], dims: [5, 'N', 6, 8] },
  ...['Add', 'Sub', 'Mul', 'Div', 'Equal', 'Greater', 'Less', 'LessOrEqual', 'GreaterOrEqual'].map(
    (operator): NodeCase => ({ operator, opset: 16, sample: plane, constants: [floats([1, 4, 1, 1])] }),
  ),
];

const LINEAR: readonly NodeCase[] = [
  { operator: 'Gemm', opset: 7, sample: [5], constants: [floats([5, 3]), floats([3])], dims: ['N', 3] },
  {
    operator: 'Gemm',
    opset: 13,
    sample: [5],
    constants: [floats([3, 5])],
    attributes: { transB: 1 },
    dims: ['N', 3],
  },
  { operator: 'MatMul', opset: 9, sample: [5], constants: [floats([5, 3])], dims: ['N', 3] },
  { operator: 'MatMul', opset: 9, sample: [5], constants: [floats([5])], dims: ['N'] },
  { operator: 'MatMul', opset: 13, sample: [2, 4, 5], constants: [floats([2, 5, 3])], dims: ['N', 2, 4, 3] },
  { operator: 'MatMul', opset: 13, sample: [4, 5], constants: [floats([7, 1, 5, 3])], dims: [7, 'N', 4, 3] },
];

const POOLS: readonly NodeCase[] = [
  { operator: 'GlobalAveragePool', opset: 7, sample: plane, dims: ['N', 4, 1, 1] },
  { operator: 'GlobalMaxPool', opset: 7, sample: plane, dims: ['N', 4, 1, 1] },
  { operator: 'LpPool', opset: 11, sample: plane, attributes: { kernel_shape: [2, 3], strides: [2, 2] } },
  {
    operator: 'LpPool',
    opset: 18,
    sample: plane,
    attributes: { kernel_shape: [2, 3], strides: [2, 2], dilations: [2, 1], ceil_mode: 1 },
  },
];

const channels = (count: number) => Array.from({ length: count }, () => floats([4], [1, 2, 3, 4]));
const NORMALIZATIONS: readonly NodeCase[] = [
  { operator: 'BatchNormalization', opset: 9, sample: plane, constants: channels(4), dims: ['N', ...plane] },
  { operator: 'BatchNormalization', opset: 15, sample: [4], constants: channels(4), dims: ['N', 4] },
  {
    operator: 'BatchNormalization',
    opset: 15,
    sample: plane,
    constants: channels(4),
    attributes: { training_mode: 1 },
    outputs: 3,
  },
  { operator: 'InstanceNormalization', opset: 7, sample: plane, constants: channels(2) },
  { operator: 'LRN', opset: 7, sample: plane, attributes: { size: 3 } },
  { operator: 'LpNormalization', opset: 7, sample: plane },
  { operator: 'MeanVarianceNormalization', opset: 13, sample: plane },
  {
    operator: 'LayerNormalization',
    opset: 17,
    sample: plane,
    constants: [floats([8]), floats([8])],
    outputs: 3,
  },
  {
    operator: 'LayerNormalization',
    opset: 17,
    sample: plane,
    constants: [floats([4, 6, 8])],
    attributes: { axis: 1 },
  },
];

const large = 2 ** 31 - 1;
const SLICES: readonly NodeCase[] = [
  { operator: 'Concat', opset: 7, sample: plane, attributes: { axis: 3 } },
  { operator: 'Split', opset: 7, sample: plane, attributes: { axis: 1 }, outputs: 2, dims: ['N', 2, 6, 8] },
  { operator: 'Split', opset: 11, sample: plane, attributes: { axis: -1, split: [1, 4, 3] }, outputs: 3 },
  {
    operator: 'Split',
    opset: 13,
    sample: plane,
    constants: [ints(4, 2)],
    attributes: { axis: 2 },
    outputs: 2,
  },
  { operator: 'Split', opset: 13, sample: plane, attributes: { axis: 2 }, outputs: 3 },
  { operator: 'Split', opset: 18, sample: plane, attributes: { axis: 3, num_outputs: 3 }, outputs: 3 },
  {
    operator: 'Slice',
    opset: 9,
    sample: plane,
    attributes: { starts: [1, -3], ends: [large, -1], axes: [2, 3] },
    dims: ['N', 4, 5, 2],
  },
  {
    operator: 'Slice',
    opset: 9,
    sample: plane,
    attributes: { starts: [0, 1], ends: [large, 3] },
    dims: ['N', 2, 6, 8],
  },
  {
    operator: 'Slice',
    opset: 10,
    sample: plane,
    constants: [ints(-1, 100), ints(-100, 0), ints(3, 2), ints(-1, -2)],
    dims: ['N', 4, 3, 8],
  },
  {
    operator: 'Slice',
    opset: 13,
    sample: plane,
    constants: [
      ints(1, 2),
      { type: 'int64', dims: [2], data: BigInt64Array.of(2n ** 63n - 1n, 2n ** 63n - 1n) },
      ints(-1, 1),
      ints(3, 1),
    ],
    dims: ['N', 2, 6, 3],
  },
  {
    operator: 'Slice',
    opset: 13,
    sample: plane,
    constants: [
      { type: 'int64', dims: [1], data: BigInt64Array.of(2n ** 63n - 1n) },
      { type: 'int64', dims: [1], data: BigInt64Array.of(-(2n ** 63n)) },
      ints(0),
      ints(-1),
    ],
  },
  {
    operator: 'Slice',
    opset: 13,
    sample: plane,
    constants: [ints(5), ints(2), ints(3)],
    dims: ['N', 4, 6, 0],
  },
  { operator: 'Slice', opset: 13, sample: plane, constants: [ints(0), ints(1), ints(0)] },
  {
    operator: 'Pad',
    opset: 7,
    sample: plane,
    attributes: { pads: [0, 0, 1, 2, 0, 0, 3, -2] },
    dims: ['N', 4, 10, 8],
  },
  {
    operator: 'Pad',
    opset: 11,
    sample: plane,
    constants: [ints(0, 1, 0, 0, 0, 0, 2, 0)],
    dims: ['N', 5, 8, 8],
  },
  {
    operator: 'Pad',
    opset: 18,
    sample: plane,
    constants: [ints(1, 2, 3, 4), floats([]), ints(-1, 1)],
    dims: ['N', 10, 6, 12],
  },
];

const SHAPES: readonly NodeCase[] = [
  { operator: 'Flatten', opset: 7, sample: plane, dims: ['N', 192] },
  { operator: 'Flatten', opset: 9, sample: plane, attributes: { axis: 0 }, dims: [1, '192*N'] },
  { operator: 'Flatten', opset: 13, sample: plane, attributes: { axis: -1 }, dims: ['24*N', 8] },
  { operator: 'Flatten', opset: 13, sample: plane, attributes: { axis: 4 }, dims: ['192*N', 1] },
  { operator: 'Transpose', opset: 7, sample: plane, dims: [8, 6, 4, 'N'] },
  {
    operator: 'Transpose',
    opset: 13,
    sample: plane,
    attributes: { perm: [0, 2, 3, 1] },
    dims: ['N', 6, 8, 4],
  },
  { operator: 'Squeeze', opset: 9, sample: [1, 5, 1], attributes: { axes: [1, 3] }, dims: ['N', 5] },
  { operator: 'Squeeze', opset: 13, sample: [1, 5, 1], constants: [ints(-1)], dims: ['N', 1, 5] },
  { operator: 'Unsqueeze', opset: 9, sample: [5], attributes: { axes: [0, 3] }, dims: [1, 'N', 5, 1] },
  { operator: 'Unsqueeze', opset: 13, sample: [5], constants: [ints(-1, 1)], dims: ['N', 1, 5, 1] },
  { operator: 'Reshape', opset: 7, sample: plane, constants: [ints(0, -1)], dims: ['N', 192] },
  { operator: 'Reshape', opset: 13, sample: plane, constants: [ints(-1, 192)], dims: ['N', 192] },
  { operator: 'Reshape', opset: 13, sample: plane, constants: [ints(0, 0, 48)], dims: ['N', 4, 48] },
  { operator: 'Reshape', opset: 13, sample: plane, constants: [ints(-1, 8)], dims: ['24*N', 8] },
  {
    operator: 'Reshape',
    opset: 14,
    sample: [0],
    constants: [ints(4, 0)],
    attributes: { allowzero: 1 },
    dims: [4, 0],
  },
  { operator: 'Expand', opset: 8, sample: [1, 8], constants: [ints(2, 1, 6, 1)], dims: [2, 'N', 6, 8] },
  { operator: 'Tile', opset: 7, sample: plane, constants: [ints(1, 2, 1, 3)], dims: ['N', 8, 6, 24] },
  { operator: 'Tile', opset: 13, sample: [5], constants: [ints(2, 1)], dims: ['2*N', 5] },
  { operator: 'DepthToSpace', opset: 9, sample: plane, attributes: { blocksize: 2 }, dims: ['N', 1, 12, 16] },
  { operator: 'DepthToSpace', opset: 13, sample: [18, 2, 3], attributes: { blocksize: 3, mode: 'CRD' } },
  { operator: 'SpaceToDepth', opset: 9, sample: plane, attributes: { blocksize: 2 }, dims: ['N', 16, 3, 4] },
  { operator: 'Shape', opset: 13, sample: plane, dims: [4] },
  { operator: 'Shape', opset: 15, sample: plane, attributes: { start: -3, end: 9 }, dims: [3] },
  { operator: 'Shape', opset: 15, sample: plane, attributes: { start: 1, end: -1 }, dims: [2] },
  { operator: 'Size', opset: 13, sample: plane, dims: [] },
];

const REDUCTIONS: readonly NodeCase[] = [
  ...[
    'ReduceMean',
    'ReduceMax',
    'ReduceMin',
    'ReduceProd',
    'ReduceL1',
    'ReduceL2',
    'ReduceSumSquare',
  ].flatMap((operator): NodeCase[] => [
    { operator, opset: 11, sample: plane, attributes: { axes: [2, -1] }, dims: ['N', 4, 1, 1] },
    { operator, opset: 13, sample: plane, attributes: { axes: [2, 3], keepdims: 0 }, dims: ['N', 4] },
    { operator, opset: 18, sample: plane, constants: [ints(1)], dims: ['N', 1, 6, 8] },
  ]),
  { operator: 'ReduceSum', opset: 11, sample: plane, attributes: { keepdims: 0 }, dims: [] },
  { operator: 'ReduceSum', opset: 13, sample: plane, constants: [ints(0)], dims: [1, ...plane] },
  { operator: 'ReduceSum', opset: 13, sample: plane, dims: [1, 1, 1, 1] },
  {
    operator: 'ReduceSum',
    opset: 13,
    sample: plane,
    attributes: { noop_with_empty_axes: 1 },
    dims: ['N', ...plane],
  },
  { operator: 'ReduceMean', opset: 18, sample: plane, constants: [ints()], attributes: { keepdims: 0 } },
  { operator: 'ReduceLogSum', opset: 18, sample: plane, constants: [ints(3)] },
  { operator: 'ReduceLogSumExp', opset: 18, sample: plane, constants: [ints(3)] },
  { operator: 'ArgMax', opset: 7, sample: plane, dims: [1, ...plane] },
  { operator: 'ArgMax', opset: 13, sample: plane, attributes: { axis: -1, keepdims: 0 }, dims: ['N', 4, 6] },
  { operator: 'ArgMin', opset: 13, sample: plane, attributes: { axis: 1 } },
  { operator: 'TopK', opset: 11, sample: plane, constants: [ints(3)], outputs: 2, dims: ['N', 4, 6, 3] },
  { operator: 'TopK', opset: 11, sample: plane, constants: [ints(2)], attributes: { axis: 1 }, outputs: 2 },
];

const INDEXED: readonly NodeCase[] = [
  {
    operator: 'Gather',
    opset: 9,
    sample: plane,
    constants: [ints(0, 3, 1)],
    attributes: { axis: 1 },
    dims: ['N', 3, 6, 8],
  },
  {
    operator: 'Gather',
    opset: 13,
    sample: plane,
    constants: [int(-1)],
    attributes: { axis: -2 },
    dims: ['N', 4, 8],
  },
  {
    operator: 'Gather',
    opset: 13,
    sample: [5],
    constants: [{ ...ints(0, 0, 0, 0), dims: [2, 2] }],
    dims: [2, 2, 5],
  },
  {
    operator: 'GatherElements',
    opset: 13,
    sample: [5],
    constants: [{ ...ints(1, 2), dims: [1, 2] }],
    attributes: { axis: 1 },
  },
  { operator: 'GatherND', opset: 13, sample: plane, constants: [{ ...ints(0, 1, 0, 2), dims: [2, 2] }] },
  {
    operator: 'ScatterElements',
    opset: 13,
    sample: [5],
    constants: [{ ...ints(1, 3), dims: [1, 2] }, floats([1, 2])],
    attributes: { axis: 1 },
  },
  {
    operator: 'ScatterND',
    opset: 13,
    sample: [5],
    constants: [{ ...ints(0), dims: [1, 1] }, floats([1, 5])],
  },
  {
    operator: 'OneHot',
    opset: 11,
    sample: [5],
    constants: [floats([1], [7]), floats([2], [0, 1])],
    dims: ['N', 5, 7],
  },
  {
    operator: 'OneHot',
    opset: 11,
    sample: [5],
    constants: [floats([], [7]), floats([2], [0, 1])],
    attributes: { axis: 1 },
    dims: ['N', 7, 5],
  },
  { operator: 'NonZero', opset: 13, sample: [5] },
  { operator: 'EyeLike', opset: 9, sample: [5], attributes: { dtype: 1 }, dims: ['N', 5] },
  { operator: 'Trilu', opset: 14, sample: [4, 5] },
  { operator: 'CumSum', opset: 14, sample: [4, 5], constants: [int(1)] },
];

const scales = (...values: number[]) => floats([values.length], values);
const RESIZES: readonly NodeCase[] = [
  { operator: 'Upsample', opset: 7, sample: plane, attributes: { scales: { floats: [1, 1, 2, 1.7] } } },
  {
    operator: 'Upsample',
    opset: 9,
    sample: plane,
    constants: [scales(1, 1, 2.3, 3)],
    dims: ['N', 4, 13, 24],
  },
  { operator: 'Resize', opset: 10, sample: plane, constants: [scales(1, 1, 0.6, 2)], dims: ['N', 4, 3, 16] },
  { operator: 'Resize', opset: 11, sample: plane, constants: [floats([0]), scales(1, 1, 1.5, 0.3)] },
  {
    operator: 'Resize',
    opset: 13,
    sample: plane,
    constants: ['', scales(1, 1, 3, 3)],
    dims: ['N', 4, 18, 24],
  },
  {
    operator: 'Resize',
    opset: 18,
    sample: plane,
    constants: ['', '', ints(5, 9)],
    attributes: { axes: [2, 3] },
    dims: ['N', 4, 5, 9],
  },
  {
    operator: 'Resize',
    opset: 19,
    sample: plane,
    constants: ['', scales(1.5, 2.5)],
    attributes: { axes: [3, 2], mode: 'linear' },
    dims: ['N', 4, 15, 12],
  },
  ...['not_larger', 'not_smaller', 'stretch'].flatMap((policy) =>
    [
      [5, 9],
      [9, 5],
      [13, 13],
      [7, 30],
    ].map(
      (sizes): NodeCase => ({
        operator: 'Resize',
        opset: 18,
        sample: plane,
        constants: ['', '', ints(...sizes)],
        attributes: { axes: [2, 3], keep_aspect_ratio_policy: policy, mode: 'linear' },
      }),
    ),
  ),
];

const FAMILIES = {
  elementwise: ELEMENTWISE,
  linear: LINEAR,
  pools: POOLS,
  normalizations: NORMALIZATIONS,
  'slices and pads': SLICES,
  'changes of shape': SHAPES,
  reductions: REDUCTIONS,
  indexing: INDEXED,
  resizing: RESIZES,
};

describe.each(Object.entries(FAMILIES))('shapes of %s', (_, cases) => {
  it.each(cases)('$operator, operator set $opset, $sample $attributes $dims', expectNode);
});
