import type { Rule } from '../rule.js';
import { axisAttribute, sizeAlong } from './axes.js';

/** y = the inputs one after the other along `axis`: each gets its part of the signal. */
export const concat = {
  gradient: {
    name: 'concat.gradient',
    operator: 'Concat',
    backward: (context) => {
      const { builder, emit, node } = context;
      const dy = context.signal(0)!;
      const axis = axisAttribute(context, 0, context.dims(node.outputs[0]!).length);
      const sizes = node.inputs.map((value) => sizeAlong(context, value, axis));
      const needed = node.inputs.flatMap((_, input) => (context.needs(input) ? [input] : []));
      if (sizes.length === 1) return [dy];
      const [only] = needed;
      if (only !== undefined && needed.length === 1) {
        const start = sizes.slice(0, only).reduce((total, size) => total + size, 0);
        const bounds = [start, start + sizes[only]!].map((bound) => builder.ints([bound]));
        const part = emit('Slice', [dy, ...bounds, builder.ints([axis])]);
        return node.inputs.map((_, input) => (input === only ? part : undefined));
      }
      const parts = context.emitMany('Split', [dy, builder.ints(sizes)], sizes.length, { axis });
      return parts.map((part, input) => (context.needs(input) ? part : undefined));
    },
  } satisfies Rule,
};
