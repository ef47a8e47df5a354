import type { Rule } from '../rule.js';
import { toInput } from './arithmetic.js';
import { scalarLike } from './pointwise.js';

/** The signal goes to the first input that equals the output; each input leaves the rest to those behind it. */
function firstExtremum(operator: 'Max' | 'Min'): Rule {
  return {
    name: `${operator.toLowerCase()}.gradient`,
    operator,
    backward: (context) => {
      const { emit, node } = context;
      const y = node.outputs[0]!;
      const zero = scalarLike(context, y, 0);
      const last = node.inputs.length - 1;
      const lastNeeded = node.inputs.findLastIndex((_, input) => context.needs(input));
      let rest = context.signal(0)!;
      return node.inputs.map((value, input) => {
        if (input > lastNeeded) return undefined;
        if (input === last) return toInput(context, rest, input);
        const chosen = emit('Equal', [value, y]);
        const taken = context.needs(input) ? emit('Where', [chosen, rest, zero]) : undefined;
        if (input < lastNeeded) rest = emit('Where', [chosen, zero, rest]);
        return taken === undefined ? undefined : toInput(context, taken, input);
      });
    },
  };
}

/** y = the largest of the inputs; on a tie the first of them takes the signal. */
export const max = { gradient: firstExtremum('Max') };

/** y = the smallest of the inputs; on a tie the first of them takes the signal. */
export const min = { gradient: firstExtremum('Min') };
