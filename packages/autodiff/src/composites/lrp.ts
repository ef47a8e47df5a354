import { intsAttribute, type Node, stringAttribute } from '@unitscope/onnx';
import type { Assignment, Composite, NodeView } from '../composite.js';
import type { Rule } from '../rule.js';
import { add, mean, sub, sum } from '../rules/arithmetic.js';
import { averagePool } from '../rules/average-pool.js';
import { batchNormalization } from '../rules/batch-normalization.js';
import { conv } from '../rules/conv.js';
import { convTranspose } from '../rules/conv-transpose.js';
import { gemm } from '../rules/gemm.js';
import { globalAveragePool } from '../rules/global-average-pool.js';
import { isProductOfSignals, lrpMul, passing } from '../rules/lrp-pass.js';
import { noted, proportional } from '../rules/lrp-proportional.js';
import { gammaRule, zPlusRule } from '../rules/lrp-weights.js';
import { matMul } from '../rules/mat-mul.js';
import { reduceMean, reduceSum } from '../rules/reduce.js';
import { resize } from '../rules/resize.js';

// Layer-wise relevance propagation. What is explained is shared out among the inputs of each layer, layer by layer, so
// that the sum stays what it was but for what biases and epsilon take. Operators without a line here only choose or
// arrange (MaxPool, Concat, Split, Slice, Pad, Reshape, ...): there relevance goes the gradient's way.

export interface EpsilonOptions {
  /** The epsilon of all stabilised divisions, above 0; 1e-6 by default, which only keeps them sound. */
  readonly epsilon?: number;
}

export interface GammaOptions extends EpsilonOptions {
  /** How much more positive contributions count, from 0; 0.25 by default (Montavon et al. 2019). */
  readonly gamma?: number;
}

export interface LrpOptions extends GammaOptions {
  /** The rule of convolutions; `z-plus` by default. */
  readonly convolution?: 'z-plus' | 'gamma';
}

const EPSILON = 1e-6;
const GAMMA = 0.25;

/**
 * The epsilon rule in every layer (Bach et al. 2015). For a network of ReLUs and a small epsilon this is input times
 * gradient (Ancona et al. 2018); a larger epsilon drops what nearly cancelled.
 */
export function lrpEpsilon({ epsilon = EPSILON }: EpsilonOptions = {}): Composite {
  return composite('lrp-epsilon', epsilon, [conv, gemm, matMul].map(epsilonIn(epsilon)));
}

/** The gamma rule in every layer with weights (Montavon et al. 2019). */
export function lrpGamma({ gamma = GAMMA, epsilon = EPSILON }: GammaOptions = {}): Composite {
  const rules = LINEAR.map((operator) => gammaRule(operator, gamma, epsilon));
  return composite('lrp-gamma', epsilon, rules.map(assign));
}

/** The z-plus rule in every layer with weights (Bach et al. 2015 with alpha = 1; Montavon et al. 2017). */
export function lrpZPlus({ epsilon = EPSILON }: EpsilonOptions = {}): Composite {
  return composite(
    'lrp-z-plus',
    epsilon,
    LINEAR.map((operator) => assign(zPlusRule(operator, epsilon))),
  );
}

/**
 * LRP with a rule for each type of layer: epsilon in fully connected layers, which keeps what speaks against the class;
 * z-plus in convolutions, whose many small contributions of both signs make epsilon noisy (Montavon et al. 2019; Kohlbrenner
 * et al. 2020). Z-plus rather than gamma because it needs no parameter and divides by a sum of one sign, so that relevance
 * cannot blow up behind a layer without a ReLU, such as the linear bottlenecks of mobile networks.
 *
 * The last layer counts as fully connected where it is a 1x1 convolution, as in SqueezeNet: by z-plus it would explain any
 * class by all that its map likes.
 */
export function lrp({
  convolution = 'z-plus',
  gamma = GAMMA,
  epsilon = EPSILON,
}: LrpOptions = {}): Composite {
  const inner = convolution === 'gamma' ? gammaRule('Conv', gamma, epsilon) : zPlusRule('Conv', epsilon);
  return composite('lrp', epsilon, [
    { rule: proportional(conv.gradient, epsilon), when: isClassifier },
    assign(inner),
    ...[gemm, matMul].map(epsilonIn(epsilon)),
  ]);
}

const LINEAR = ['Conv', 'Gemm', 'MatMul'] as const;

const assign = (rule: Rule): Assignment => ({ rule });
const epsilonIn = (epsilon: number) => (variants: { readonly gradient: Rule }) =>
  assign(proportional(variants.gradient, epsilon));

const startAtLogits = 'explain the score before the softmax';
const start = { class: 'activation', unit: 'activation' } as const;

function composite(name: string, epsilon: number, linear: readonly Assignment[]): Composite {
  return {
    name,
    assignments: [...linear, ...sharing(epsilon), ...PASSING],
    start,
    forbidden: { Softmax: startAtLogits, LogSoftmax: startAtLogits },
  };
}

/** What shares relevance out in proportion to the contributions, whatever the rule of the layers with weights. */
function sharing(epsilon: number): readonly Assignment[] {
  const proportionally = epsilonIn(epsilon);
  return [
    ...[add, sum, sub, mean, averagePool, globalAveragePool, reduceMean, reduceSum].map(proportionally),
    {
      rule: noted(
        proportional(batchNormalization.gradient, epsilon),
        'that no convolution takes in is an affine layer, by the epsilon rule',
      ),
    },
    {
      rule: noted(
        proportional(convTranspose.gradient, epsilon),
        'goes by the epsilon rule, whatever the convolutions do',
      ),
    },
    // Nearest only repeats; other modes mix with weights of both signs.
    {
      rule: resize.gradient,
      when: ({ node }) => stringAttribute(node, 'mode', 'nearest') === 'nearest',
    },
    proportionally(resize),
  ];
}

const PASSING: readonly Assignment[] = [
  { rule: lrpMul.halves, when: isProductOfSignals },
  { rule: lrpMul.gate },
  ...['Relu', 'Clip', 'LeakyRelu', 'PRelu', 'ThresholdedRelu', 'Elu', 'Selu', 'Celu', 'Gelu'].map(pass),
  ...['Sigmoid', 'HardSigmoid', 'HardSwish', 'Tanh', 'Softplus', 'Softsign', 'Mish', 'Erf'].map(pass),
  ...['Neg', 'Abs', 'Sqrt', 'Exp', 'Log', 'Reciprocal', 'Pow', 'Div'].map(pass),
  ...['Sign', 'Floor', 'Ceil', 'Round'].map(pass),
  ...['InstanceNormalization', 'LayerNormalization', 'LRN'].map((operator) =>
    assign(passing(operator, 'passes relevance unchanged: its statistics count as constants')),
  ),
];

function pass(operator: string): Assignment {
  return assign(passing(operator));
}

/** Whether a Conv is of 1x1 and the last layer with weights. */
function isClassifier({ node, constant, consumers }: NodeView): boolean {
  const kernel = intsAttribute(node, 'kernel_shape') ?? constant(node.inputs[1]!)?.dims.slice(2);
  if (kernel === undefined || kernel.some((size) => size !== 1)) return false;
  const seen = new Set<Node>();
  const reachesWeights = (value: string): boolean =>
    consumers(value).some((reader) => {
      if (seen.has(reader)) return false;
      seen.add(reader);
      return WEIGHTED.has(reader.operator) || reader.outputs.some(reachesWeights);
    });
  return !reachesWeights(node.outputs[0]!);
}

const WEIGHTED: ReadonlySet<string> = new Set([...LINEAR, 'ConvTranspose']);
