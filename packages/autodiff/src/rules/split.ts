import type { Rule, RuleContext } from '../rule.js';
import { axisAttribute, padAxis, sizeAlong } from './axes.js';
import { floatConstant } from './pointwise.js';

/** The outputs are consecutive parts of x along `axis`: dx = their signals one after the other, 0 where none flows. */
export const split = {
  gradient: {
    name: 'split.gradient',
    operator: 'Split',
    backward: (context) => {
      const { node } = context;
      const axis = axisAttribute(context, 0, context.dims(node.inputs[0]!).length);
      const signals = node.outputs.map((_, output) => context.signal(output));
      const flowing = signals.flatMap((signal, output) => (signal === undefined ? [] : [output]));
      const [only] = flowing;
      if (only !== undefined && flowing.length === 1) {
        const sizes = node.outputs.map((value) => sizeAlong(context, value, axis));
        const total = (list: readonly number[]) => list.reduce((count, size) => count + size, 0);
        return [
          padAxis(context, signals[only]!, axis, total(sizes.slice(0, only)), total(sizes.slice(only + 1))),
        ];
      }
      const parts = signals.map((signal, output) => signal ?? zerosLike(context, node.outputs[output]!));
      return [context.emit('Concat', parts, { axis })];
    },
  } satisfies Rule,
};

function zerosLike(context: RuleContext, value: string): string {
  const zero = floatConstant(context, context.type(value), [0], [1]);
  return context.emit('ConstantOfShape', [context.emit('Shape', [value])], { value: zero });
}
