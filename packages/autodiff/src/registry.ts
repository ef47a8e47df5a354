import { type Node, nodeLabel, type ShapeRule } from '@unitscope/onnx';
import { UnitscopeError } from '@unitscope/tensor';
import { type NativeOperator, UNITSCOPE_DOMAIN } from './native-operator.js';
import { convWeightGrad } from './operators/conv-weight-grad.js';
import { globalAveragePoolGrad } from './operators/global-average-pool-grad.js';
import { maxPoolGrad } from './operators/max-pool-grad.js';
import { phaseInterleave } from './operators/phase-interleave.js';
import { reluGrad } from './operators/relu-grad.js';
import { splitReluGrad } from './operators/split-relu-grad.js';
import type { Rule } from './rule.js';
import { add, div, mean, pow, sub, sum } from './rules/arithmetic.js';
import { averagePool } from './rules/average-pool.js';
import { batchNormalization } from './rules/batch-normalization.js';
import { clip } from './rules/clip.js';
import { concat } from './rules/concat.js';
import { conv } from './rules/conv.js';
import { convTranspose } from './rules/conv-transpose.js';
import { depthToSpace, spaceToDepth } from './rules/depth-to-space.js';
import { celu, elu, selu } from './rules/elu.js';
import { gather } from './rules/gather.js';
import { gelu } from './rules/gelu.js';
import { gemm } from './rules/gemm.js';
import { globalAveragePool } from './rules/global-average-pool.js';
import { globalMaxPool } from './rules/global-max-pool.js';
import { cast, dropout, identity } from './rules/identity.js';
import { instanceNormalization } from './rules/instance-normalization.js';
import { layerNormalization } from './rules/layer-normalization.js';
import { leakyRelu, prelu, thresholdedRelu } from './rules/leaky-relu.js';
import { lrn } from './rules/lrn.js';
import { matMul } from './rules/mat-mul.js';
import { max, min } from './rules/max.js';
import { maxPool } from './rules/max-pool.js';
import { mul } from './rules/mul.js';
import { pad } from './rules/pad.js';
import { reduceMax, reduceMean, reduceMin, reduceSum } from './rules/reduce.js';
import { relu } from './rules/relu.js';
import { expand, flatten, reshape, squeeze, unsqueeze } from './rules/reshape.js';
import { resize } from './rules/resize.js';
import { hardSigmoid, hardSwish, sigmoid } from './rules/sigmoid.js';
import { slice } from './rules/slice.js';
import { logSoftmax, softmax } from './rules/softmax.js';
import { mish, softplus, softsign } from './rules/softplus.js';
import { split } from './rules/split.js';
import { tanh } from './rules/tanh.js';
import { transpose } from './rules/transpose.js';
import { abs, ceil, erf, exp, floor, log, neg, reciprocal, round, sign, sqrt } from './rules/unary.js';
import { where } from './rules/where.js';

const variants: readonly { readonly gradient: Rule }[] = [
  ...[conv, convTranspose, gemm, matMul],
  ...[maxPool, averagePool, globalAveragePool, globalMaxPool],
  ...[batchNormalization, instanceNormalization, layerNormalization, lrn],
  ...[add, sub, mul, div, pow, sum, mean, max, min],
  ...[neg, abs, sqrt, exp, log, erf, reciprocal, sign, floor, ceil, round],
  ...[relu, leakyRelu, prelu, thresholdedRelu, elu, selu, celu, clip, gelu],
  ...[sigmoid, hardSigmoid, hardSwish, tanh, softplus, softsign, mish, softmax, logSoftmax],
  ...[concat, split, slice, pad, reshape, flatten, transpose, squeeze, unsqueeze, expand, gather, where],
  ...[identity, dropout, cast, depthToSpace, spaceToDepth, resize],
  ...[reduceMean, reduceSum, reduceMax, reduceMin],
];

const gradients: ReadonlyMap<string, Rule> = new Map(
  variants.map(({ gradient }) => [`${gradient.domain ?? ''}::${gradient.operator}`, gradient]),
);

const natives: readonly NativeOperator[] = [
  convWeightGrad,
  globalAveragePoolGrad,
  maxPoolGrad,
  phaseInterleave,
  reluGrad,
  splitReluGrad,
];

/** The operators of the domain `unitscope`, by name. */
export const nativeOperators: ReadonlyMap<string, NativeOperator> = new Map(
  natives.map((operator) => [operator.operator, operator]),
);

/** Their shape rules, for `inferShapes`. */
export const nativeShapeRules: ReadonlyMap<string, ShapeRule> = new Map(
  natives.map(({ operator, shape }) => [`${UNITSCOPE_DOMAIN}::${operator}`, shape]),
);

/** The operators that can be differentiated, in alphabetical order. */
export const differentiableOperators: readonly string[] = variants
  .map(({ gradient }) => gradient.operator)
  .sort();

/** The derivative of a node's operator; throws `unsupported`, naming the node, where there is none. */
export function gradientRule(node: Node): Rule {
  const rule = gradients.get(`${node.domain}::${node.operator}`);
  if (rule !== undefined) return rule;
  throw new UnitscopeError(
    'unsupported',
    `no backward rule for node ${nodeLabel(node)}; explain a layer behind it, or one whose signal does not pass it`,
    { subject: node.name, alternatives: differentiableOperators },
  );
}
