import type { Rule, RuleContext } from '../rule.js';
import { isFloat, scalarLike } from './pointwise.js';

/** A signal of the dims of the output, summed down to the dims of an input that was broadcast. */
export function toInput(context: RuleContext, signal: string, input: number): string {
  const { inputs, outputs } = context.node;
  return context.reduceTo(signal, context.dims(outputs[0]!), inputs[input]!);
}

/** The rule of an operator whose inputs broadcast: `partial` emits the signal at one input, before it is summed down. */
function broadcasting(
  operator: string,
  partial: (context: RuleContext, dy: string, input: number) => string,
): { readonly gradient: Rule } {
  return {
    gradient: {
      name: `${operator.toLowerCase()}.gradient`,
      operator,
      backward: (context) => {
        const dy = context.signal(0)!;
        return context.node.inputs.map((_, input) =>
          context.needs(input) ? toInput(context, partial(context, dy, input), input) : undefined,
        );
      },
    },
  };
}

/** y = a + b. */
export const add = broadcasting('Add', (_, dy) => dy);

/** y = the sum of all inputs. */
export const sum = broadcasting('Sum', (_, dy) => dy);

/** y = the mean of all inputs. */
export const mean = broadcasting('Mean', (context, dy) => {
  const count = context.node.inputs.length;
  return count === 1
    ? dy
    : context.emit('Mul', [dy, scalarLike(context, context.node.outputs[0]!, 1 / count)]);
});

/** y = a - b. */
export const sub = {
  gradient: {
    name: 'sub.gradient',
    operator: 'Sub',
    backward: (context) => {
      const dy = context.signal(0)!;
      return [
        context.needs(0) ? toInput(context, dy, 0) : undefined,
        // Negated after summing: where b was broadcast that is less work.
        context.needs(1) ? context.emit('Neg', [toInput(context, dy, 1)]) : undefined,
      ];
    },
  } satisfies Rule,
};

/** y = a / b: da = dy / b, db = -y dy / b. */
export const div = {
  gradient: {
    name: 'div.gradient',
    operator: 'Div',
    backward: (context) => {
      const { emit, node } = context;
      const quotient = emit('Div', [context.signal(0)!, node.inputs[1]!]);
      const byDivisor = () => toInput(context, emit('Mul', [quotient, node.outputs[0]!]), 1);
      return [
        context.needs(0) ? toInput(context, quotient, 0) : undefined,
        context.needs(1) ? emit('Neg', [byDivisor()]) : undefined,
      ];
    },
  } satisfies Rule,
};

/**
 * y = a^b: da = dy b a^(b - 1), which is 0 where b is 0; db = dy y ln a, taken as 0 where a is 0 (NaN where a is
 * negative: there is no derivative).
 */
export const pow = {
  gradient: {
    name: 'pow.gradient',
    operator: 'Pow',
    backward: (context) => {
      const { emit, node } = context;
      const dy = context.signal(0)!;
      const [a, y] = [node.inputs[0]!, node.outputs[0]!];
      const signals: (string | undefined)[] = [undefined, undefined];
      if (context.needs(0)) {
        const { exponent, lowered } = powExponents(context);
        const slope = emit('Mul', [exponent, emit('Pow', [a, lowered])]);
        signals[0] = toInput(context, emit('Mul', [dy, slope]), 0);
      }
      if (context.needs(1)) {
        const safe = emit('Where', [
          emit('Equal', [a, scalarLike(context, a, 0)]),
          scalarLike(context, a, 1),
          a,
        ]);
        const slope = emit('Mul', [y, emit('Log', [safe])]);
        signals[1] = toInput(context, emit('Mul', [dy, slope]), 1);
      }
      return signals;
    },
  } satisfies Rule,
};

/** b and b - 1 in the element type of a; b - 1 is 0 where b is 0, so that b a^(b - 1) is 0 there and not NaN at a = 0. */
function powExponents(context: RuleContext): { exponent: string; lowered: string } {
  const { builder, emit, node } = context;
  const [a, b] = node.inputs as [string, string];
  const known = context.constant(b);
  const type = context.type(a);
  if (known !== undefined && (type === 'float32' || type === 'float64')) {
    const values = Array.from(known.data as ArrayLike<number | bigint>, Number);
    const constant = (list: readonly number[]) =>
      builder.constant({
        type,
        dims: known.dims,
        data: type === 'float32' ? Float32Array.from(list) : Float64Array.from(list),
      });
    return {
      exponent: constant(values),
      lowered: constant(values.map((value) => (value === 0 ? 0 : value - 1))),
    };
  }
  const exponent = isFloat(context.type(b)) ? b : emit('CastLike', [b, a]);
  const [zero, one] = [scalarLike(context, a, 0), scalarLike(context, a, 1)];
  const isZero = emit('Equal', [exponent, zero]);
  return { exponent, lowered: emit('Where', [isZero, exponent, emit('Sub', [exponent, one])]) };
}
