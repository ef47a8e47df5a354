import { floatAttribute, type Node, stringAttribute } from '../graph.js';
import { unary } from './elementwise.js';
import { erf } from './erf.js';
import { nodeError, type Operator, scalarOf } from './operator.js';

/** An activation with constants: they are read once per node, then the function is applied to every element. */
function activation(prepare: (node: Node) => (x: number) => number): Operator {
  return (node, inputs, context) => unary(prepare(node))(node, inputs, context);
}

/** log(1 + exp(x)) without overflow. */
function smoothRamp(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

export const relu = unary((x) => Math.max(x, 0));

export const leakyRelu = activation((node) => {
  const alpha = floatAttribute(node, 'alpha', 0.01);
  return (x) => (x < 0 ? alpha * x : x);
});

export const elu = activation((node) => {
  const alpha = floatAttribute(node, 'alpha', 1);
  return (x) => (x < 0 ? alpha * Math.expm1(x) : x);
});

/** gamma (x > 0 ? x : alpha (exp(x) - 1)), Klambauer et al. 2017; the defaults are the operator's. */
export const selu = activation((node) => {
  const alpha = floatAttribute(node, 'alpha', 1.6732631921768188);
  const gamma = floatAttribute(node, 'gamma', 1.0507010221481323);
  return (x) => gamma * (x < 0 ? alpha * Math.expm1(x) : x);
});

/** max(0, x) + min(0, alpha (exp(x / alpha) - 1)) */
export const celu = activation((node) => {
  const alpha = floatAttribute(node, 'alpha', 1);
  return (x) => (x < 0 ? alpha * Math.expm1(x / alpha) : x);
});

export const thresholdedRelu = activation((node) => {
  const alpha = floatAttribute(node, 'alpha', 1);
  return (x) => (x > alpha ? x : 0);
});

export const hardSigmoid = activation((node) => {
  const alpha = floatAttribute(node, 'alpha', 0.2);
  const beta = floatAttribute(node, 'beta', 0.5);
  return (x) => Math.max(0, Math.min(1, alpha * x + beta));
});

export const hardSwish = unary((x) => x * Math.max(0, Math.min(1, x / 6 + 0.5)));
export const sigmoid = unary((x) => 1 / (1 + Math.exp(-x)));
export const softplus = unary(smoothRamp);
export const softsign = unary((x) => x / (1 + Math.abs(x)));
export const mish = unary((x) => x * Math.tanh(smoothRamp(x)));
export const errorFunction = unary(erf);

/** x times the normal distribution function, exact or by tanh (Hendrycks and Gimpel 2016). */
export const gelu = activation((node) => {
  const approximate = stringAttribute(node, 'approximate', 'none');
  if (approximate === 'none') return (x) => 0.5 * x * (1 + erf(x / Math.SQRT2));
  if (approximate !== 'tanh') {
    throw nodeError('bad-input', node, `approximate "${approximate}" is neither none nor tanh`);
  }
  return (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
});

/** min(max(x, low), high): the bounds are attributes up to version 10, inputs from 11; NaN stays. */
export const clip: Operator = (node, inputs, context) => {
  const bound = (name: string, input: number, fallback: number) => {
    const value = inputs[input];
    return value === undefined ? floatAttribute(node, name, fallback) : scalarOf(node, value);
  };
  const low = bound('min', 1, Number.NEGATIVE_INFINITY);
  const high = bound('max', 2, Number.POSITIVE_INFINITY);
  return unary((x) => Math.min(Math.max(x, low), high))(node, inputs, context);
};
