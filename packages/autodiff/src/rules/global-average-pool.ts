import { UNITSCOPE_DOMAIN } from '../native-operator.js';
import { globalAveragePoolGrad } from '../operators/global-average-pool-grad.js';
import type { Rule } from '../rule.js';

/** GlobalAveragePool: every position gets the signal divided by the number of positions. */
export const globalAveragePool = {
  gradient: {
    name: 'global-average-pool.gradient',
    operator: 'GlobalAveragePool',
    backward: (context) => {
      const signal = context.signal(0);
      if (signal === undefined || !context.needs(0)) return [];
      const x = context.node.inputs[0]!;
      // The forms in standard operators need every size.
      const sizes = context.sizes(x, 2);
      if (sizes.length === 2) {
        return [context.emit(globalAveragePoolGrad.operator, [signal, x], {}, { domain: UNITSCOPE_DOMAIN })];
      }
      const { builder } = context;
      const count = sizes.reduce((product, size) => product * size, 1);
      const share = context.emit('Mul', [signal, builder.floats(1 / count)]);
      return [context.emit('Expand', [share, builder.ints([1, 1, ...sizes])])];
    },
  },
} satisfies Record<string, Rule>;
