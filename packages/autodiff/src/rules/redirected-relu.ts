import type { Rule, RuleContext } from '../rule.js';
import { clip } from './clip.js';
import { scalarLike } from './pointwise.js';
import { relu } from './relu.js';

/**
 * The signal of a rectifier from its input, sample by sample: the derivative, unless that is zero everywhere; then what
 * reaches the floor passes unless it pushes lower, and what reaches the ceiling unless it pushes higher.
 */
function redirect(context: RuleContext, derivative: string): string {
  const { node, emit, builder } = context;
  const x = node.inputs[0]!;
  const dy = context.signal(0)!;
  const zero = scalarLike(context, x, 0);
  const rank = context.dims(x).length;
  const lower = emit('And', [emit('Less', [x, zero]), emit('Less', [dy, zero])]);
  const ceiling = node.operator === 'Clip' ? node.inputs[2] : undefined;
  const blocked =
    ceiling === undefined || ceiling === ''
      ? lower
      : emit('Or', [lower, emit('And', [emit('Greater', [x, ceiling]), emit('Greater', [dy, zero])])]);
  const redirected = emit('Where', [blocked, zero, dy]);
  const axes = builder.ints(Array.from({ length: rank - 1 }, (_, i) => i + 1));
  const largest = emit('ReduceMax', [emit('Abs', [derivative]), axes], { keepdims: 1 });
  return emit('Where', [emit('Greater', [largest, zero]), derivative, redirected]);
}

function redirecting(rule: Rule): Rule {
  return {
    name: `${rule.operator.toLowerCase()}.redirected`,
    operator: rule.operator,
    backward(context) {
      const [derivative] = rule.backward(context);
      return [derivative === undefined ? undefined : redirect(context, derivative)];
    },
  };
}

/**
 * Rectifiers whose units are all off for a sample still pass its signal on, so that an ascent can wake them (Olah,
 * Mordvintsev, Schubert 2017; Lucid's redirected ReLU and ReLU6). No derivative: for the first steps of an ascent only.
 */
export const redirected = { relu: redirecting(relu.gradient), clip: redirecting(clip.gradient) };
