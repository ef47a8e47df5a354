import { intAttribute } from '../../graph.js';
import type { ShapeContext, ShapeRule } from '../context.js';
import type { Value } from '../value.js';

/** Throws where an input that holds one number per channel does not. */
function checkPerChannel(context: ShapeContext, input: number): void {
  const x = context.ranked(0, 2);
  if (x === undefined || !context.has(input)) return;
  const statistic = context.ranked(input, 1, 1);
  if (statistic !== undefined) {
    context.same(statistic[0]!, x[1]!, `${context.node.inputs[input]} needs one number per channel`);
  }
}

/** Outputs 1 and later, which exist in training only, are statistics of the channels. */
const batchNormalization: ShapeRule = (context) => {
  // Until version 8 the statistics could be per position (spatial = 0).
  if (intAttribute(context.node, 'spatial', 1) !== 0) {
    for (const input of [1, 2, 3, 4]) checkPerChannel(context, input);
  }
  const { type, dims } = context.input(0);
  const { type: statisticType, dims: statisticDims } = context.input(3);
  const statistic: Value = { type: statisticType, dims: statisticDims };
  return [{ type, dims }, statistic, statistic, statistic, statistic];
};

const instanceNormalization: ShapeRule = (context) => {
  for (const input of [1, 2]) checkPerChannel(context, input);
  const { type, dims } = context.input(0);
  return [{ type, dims }];
};

/** Mean and inverse deviation keep the normalized axes as 1. */
const layerNormalization: ShapeRule = (context) => {
  const { type, dims } = context.input(0);
  const statistic: Value = { type: 'float32', dims: undefined };
  if (dims === undefined) return [{ type, dims }, statistic, statistic];
  const first = context.axisAttribute(dims.length, -1);
  for (const input of [1, 2]) {
    const factor = context.has(input) ? context.dims(input) : undefined;
    if (factor !== undefined && context.broadcast(dims, factor).length > dims.length) {
      throw context.bad(
        `${context.node.inputs[input]} cannot be broadcast to X (inputs ${context.inputDims()})`,
      );
    }
  }
  const kept = { ...statistic, dims: dims.map((dim, axis) => (axis < first ? dim : 1)) };
  return [{ type, dims }, kept, kept];
};

const sameAsInput: ShapeRule = (context) => {
  const { type, dims } = context.input(0);
  return [{ type, dims }];
};

export const NORMALIZATION_RULES: readonly (readonly [string, ShapeRule])[] = [
  ['BatchNormalization', batchNormalization],
  ['InstanceNormalization', instanceNormalization],
  ['LayerNormalization', layerNormalization],
  ['LRN', sameAsInput],
  ['LpNormalization', sameAsInput],
  ['MeanVarianceNormalization', sameAsInput],
  ['GroupNormalization', sameAsInput],
];
