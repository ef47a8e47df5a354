import type { Rule } from '../rule.js';
import { axisAttribute, integersOf, reshapeTo, sizeAlong, sourcesOf, sumSources } from './axes.js';

/** y = the entries `indices` (constant) of x along `axis`: dx = sums of dy over the places where each was picked. */
export const gather = {
  gradient: {
    name: 'gather.gradient',
    operator: 'Gather',
    backward: (context) => {
      const x = context.node.inputs[0]!;
      const dims = context.dims(x);
      const axis = axisAttribute(context, 0, dims.length);
      const indices = context.requireConstant(1, 'indices');
      const size = sizeAlong(context, x, axis);
      const picks = integersOf(indices).map((index) => (index < 0 ? index + size : index));
      const dy = context.signal(0)!;
      const listed =
        indices.dims.length === 1
          ? dy
          : reshapeTo(context, dy, [...dims.slice(0, axis), picks.length, ...dims.slice(axis + 1)]);
      return [sumSources(context, listed, axis, picks.length, sourcesOf(picks, size)), undefined];
    },
  } satisfies Rule,
};
