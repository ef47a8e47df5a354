import { type Constant, floatAttribute, intAttribute } from '@unitscope/onnx';
import { UnitscopeError } from '@unitscope/tensor';
import type { Rule, RuleContext } from '../rule.js';
import { convWindow, emitInputGradient } from './conv.js';
import { checkEpsilon, emitShare, isNonNegative } from './lrp-relevance.js';
import { padsOf } from './window.js';

/** Which weights a positive input meets, which a negative one, and the bias, in place of the layer's own. */
interface Reweighting {
  readonly suffix: string;
  readonly positive: (w: number) => number;
  readonly negative: (w: number) => number;
  readonly bias: (b: number) => number;
  /** All contributions are positive by construction: their sum needs no look at its sign. */
  readonly isPositive: boolean;
}

type LinearOperator = 'Conv' | 'Gemm' | 'MatMul';

/**
 * The z-plus rule: relevance goes where contributions are positive, in proportion. With z_ij = a_i w_ij,
 * R_i = sum_j z_ij^+ / (sum_i z_ij^+ + eps) R_j, where z_ij^+ = a_i^+ w_ij^+ + a_i^- w_ij^-: the z+ rule of Montavon et
 * al. 2017, for inputs of either sign as in the alpha-beta rule of Bach et al. 2015 with alpha = 1, beta = 0. As in the
 * former the bias has no share, so that a layer hands on all that it gets, in its sign; but for an output that nothing
 * but its bias made positive, as happens in depthwise convolutions, whose relevance ends there.
 */
export function zPlusRule(operator: LinearOperator, epsilon: number): Rule {
  const part = { positive: (w: number) => Math.max(w, 0), negative: (w: number) => Math.min(w, 0) };
  return reweighted(operator, { suffix: 'lrp-z-plus', ...part, bias: () => 0, isPositive: true }, epsilon);
}

/**
 * The gamma rule (Montavon et al. 2019): positive contributions count 1 + gamma times,
 * R_i = sum_j (z_ij + gamma z_ij^+) / (z'_j + eps sign(z'_j)) R_j, z'_j = sum_i (z_ij + gamma z_ij^+) + b_j +
 * gamma b_j^+, z_ij^+ as of the z-plus rule. For inputs that are nowhere negative these are the weights w + gamma w^+ of
 * the paper, which speaks of no others.
 */
export function gammaRule(operator: LinearOperator, gamma: number, epsilon: number): Rule {
  if (!(gamma >= 0 && Number.isFinite(gamma))) {
    throw new UnitscopeError('wrong-use', `gamma must be a number from 0, not ${gamma}`);
  }
  const positive = (w: number) => w + gamma * Math.max(w, 0);
  const negative = (w: number) => w + gamma * Math.min(w, 0);
  return reweighted(
    operator,
    { suffix: 'lrp-gamma', positive, negative, bias: positive, isPositive: false },
    epsilon,
  );
}

const STEMS: Readonly<Record<LinearOperator, string>> = { Conv: 'conv', Gemm: 'gemm', MatMul: 'mat-mul' };

function reweighted(operator: LinearOperator, by: Reweighting, epsilon: number): Rule {
  checkEpsilon(epsilon);
  return {
    name: `${STEMS[operator]}.${by.suffix}`,
    operator,
    backward: (context) => {
      const relevance = context.signal(0);
      if (relevance === undefined || !context.needs(0)) return [];
      const layer = linearLayer(context);
      const { emit, node } = context;
      const a = node.inputs[0]!;
      const bias = layer.bias.map((b) => by.bias(b) + (by.isPositive ? epsilon : 0));
      const positive = reweigh(context, layer.weights, by.positive);
      const halves = isNonNegative(a, context)
        ? [{ input: a, weights: positive }]
        : [
            { input: emit('Relu', [a]), weights: positive },
            {
              input: emit('Min', [a, context.builder.floats(0)]),
              weights: reweigh(context, layer.weights, by.negative),
            },
          ];
      const sums = halves.map(({ input, weights }, i) =>
        layer.forward(input, weights.name, i === 0 ? bias : undefined),
      );
      const z = sums.length === 1 ? sums[0]! : emit('Add', sums);
      const share = by.isPositive ? emit('Div', [relevance, z]) : emitShare(context, relevance, z, epsilon);
      const parts = halves.map(({ input, weights }) =>
        emit('Mul', [input, layer.transposed(share, weights.name, weights.constant)]),
      );
      return [parts.length === 1 ? parts[0] : emit('Add', parts)];
    },
  };
}

/** A layer z = L(a) + b whose weights and bias are known before the network runs. */
interface LinearLayer {
  readonly weights: Constant & { readonly data: Float32Array };
  /** One number for each output. */
  readonly bias: Float64Array;
  forward(input: string, weights: string, bias: Float64Array | undefined): string;
  /** L^T of a signal at the output. */
  transposed(signal: string, name: string, weights: Constant): string;
}

function linearLayer(context: RuleContext): LinearLayer {
  const { operator } = context.node;
  return operator === 'Conv' ? convLayer(context) : matrixLayer(context);
}

function convLayer(context: RuleContext): LinearLayer {
  const { node } = context;
  const weights = requireFloats(context, 1, 'the weights');
  const { window } = convWindow(context);
  const attributes = {
    kernel_shape: window.kernel,
    strides: window.strides,
    dilations: window.dilations,
    pads: padsOf(window),
    group: intAttribute(node, 'group', 1),
  };
  return {
    weights,
    bias: biasOf(context, weights.dims[0]!, 1),
    forward: (input, w, bias) =>
      context.emit('Conv', bias === undefined ? [input, w] : [input, w, floats(context, bias)], attributes),
    transposed: (signal, name, constant) => emitInputGradient(context, signal, name, constant),
  };
}

/** Gemm and MatMul with a matrix of weights on the right. */
function matrixLayer(context: RuleContext): LinearLayer {
  const { node } = context;
  const given = requireFloats(context, 1, 'the weights');
  const isGemm = node.operator === 'Gemm';
  if (given.dims.length !== 2) throw context.unsupported('weights that are no matrix are not covered');
  if (isGemm && intAttribute(node, 'transA', 0) !== 0) throw context.unsupported('transA is not covered');
  const transB = isGemm ? intAttribute(node, 'transB', 0) : 0;
  const [alpha, beta] = isGemm ? [floatAttribute(node, 'alpha', 1), floatAttribute(node, 'beta', 1)] : [1, 0];
  const weights = { ...given, data: given.data.map((w) => alpha * w) };
  const outputs = given.dims[transB === 1 ? 0 : 1]!;
  const product = (input: string, w: string, transposed: number) =>
    isGemm
      ? context.emit('Gemm', [input, w], { transB: transposed })
      : context.emit('MatMul', [input, transposed === 0 ? w : context.emit('Transpose', [w])]);
  return {
    weights,
    bias: biasOf(context, outputs, beta),
    forward: (input, w, bias) => {
      const sum = product(input, w, transB);
      return bias === undefined ? sum : context.emit('Add', [sum, floats(context, bias)]);
    },
    transposed: (signal, name) => product(signal, name, 1 - transB),
  };
}

function biasOf(context: RuleContext, outputs: number, factor: number): Float64Array {
  const isThere = factor !== 0 && (context.node.inputs[2] ?? '') !== '';
  if (!isThere) return new Float64Array(outputs);
  const { dims, data } = requireFloats(context, 2, 'the bias');
  const perOutput = data.length === outputs && (dims.at(-1) ?? 1) === outputs;
  if (data.length !== 1 && !perOutput) {
    throw context.unsupported(`a bias of dims [${dims.join(', ')}] is not covered`);
  }
  return Float64Array.from({ length: outputs }, (_, i) => factor * data[perOutput ? i : 0]!);
}

function floats(context: RuleContext, values: Float64Array): string {
  return context.builder.floats([...values]);
}

function reweigh(
  context: RuleContext,
  weights: Constant & { readonly data: Float32Array },
  change: (w: number) => number,
): { readonly name: string; readonly constant: Constant } {
  const constant = { ...weights, data: weights.data.map(change) };
  return { name: context.builder.constant(constant, 'relevance_weights'), constant };
}

function requireFloats(
  context: RuleContext,
  input: number,
  what: string,
): Constant & { readonly data: Float32Array } {
  const constant = context.requireConstant(input, what);
  const { data } = constant;
  if (data instanceof Float32Array) return { ...constant, data };
  throw context.unsupported(`${what} are of type ${constant.type}; convert the network to float32`);
}
