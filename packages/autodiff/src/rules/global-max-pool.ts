import type { Rule } from '../rule.js';

/** GlobalMaxPool: the signal goes to the first maximum of each channel in row-major order. */
export const globalMaxPool = {
  gradient: {
    name: 'global-max-pool.gradient',
    operator: 'GlobalMaxPool',
    backward: (context) => {
      const signal = context.signal(0);
      if (signal === undefined || !context.needs(0)) return [];
      const { builder } = context;
      const x = context.node.inputs[0]!;
      const sizes = context.sizes(x, 2);
      const count = sizes.reduce((product, size) => product * size, 1);
      // In Reshape a 0 keeps the size of the input: batch and channels stay as they are.
      const rows = builder.ints([0, 0, -1]);
      const first = context.emit('ArgMax', [context.emit('Reshape', [x, rows])], { axis: 2, keepdims: 1 });
      const positions = builder.ints(
        Array.from({ length: count }, (_, position) => position),
        [1, 1, count],
      );
      const wins = context.emit('Equal', [positions, first]);
      const routed = context.emit('Where', [
        wins,
        context.emit('Reshape', [signal, rows]),
        builder.floats(0),
      ]);
      return [context.emit('Reshape', [routed, builder.ints([0, 0, ...sizes])])];
    },
  },
} satisfies Record<string, Rule>;
