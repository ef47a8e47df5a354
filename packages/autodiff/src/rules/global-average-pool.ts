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
      // Its form in standard operators needs every size: better said here, where the network's node is named.
      context.sizes(x, 2);
      return [context.emit(globalAveragePoolGrad.operator, [signal, x], {}, { domain: UNITSCOPE_DOMAIN })];
    },
  },
} satisfies Record<string, Rule>;
