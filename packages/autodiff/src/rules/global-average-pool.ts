import type { Rule } from '../rule.js';

/** GlobalAveragePool: every position gets the signal divided by the number of positions. */
export const globalAveragePool = {
  gradient: {
    name: 'global-average-pool.gradient',
    operator: 'GlobalAveragePool',
    backward: (context) => {
      const signal = context.signal(0);
      if (signal === undefined || !context.needs(0)) return [];
      const { builder } = context;
      const sizes = context.sizes(context.node.inputs[0]!, 2);
      const count = sizes.reduce((product, size) => product * size, 1);
      // Divided while it is small; Expand keeps batch and channels as they are.
      const share = context.emit('Mul', [signal, builder.floats(1 / count)]);
      return [context.emit('Expand', [share, builder.ints([1, 1, ...sizes])])];
    },
  },
} satisfies Record<string, Rule>;
