import type { Rule } from '../rule.js';
import { toInput } from './arithmetic.js';
import { scalarLike } from './pointwise.js';

/** y = condition ? a : b; the condition is taken as it is. */
export const where = {
  gradient: {
    name: 'where.gradient',
    operator: 'Where',
    backward: (context) => {
      const { emit, node } = context;
      const dy = context.signal(0)!;
      const condition = node.inputs[0]!;
      const zero = scalarLike(context, node.outputs[0]!, 0);
      return [
        undefined,
        context.needs(1) ? toInput(context, emit('Where', [condition, dy, zero]), 1) : undefined,
        context.needs(2) ? toInput(context, emit('Where', [condition, zero, dy]), 2) : undefined,
      ];
    },
  } satisfies Rule,
};
