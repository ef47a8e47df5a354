import { intAttribute } from '@unitscope/onnx';
import type { Rule } from '../rule.js';
import { isLeftOut } from './axes.js';
import { isFloat, pointwise } from './pointwise.js';

export const identity = { gradient: pointwise('Identity', ({ dy }) => dy) };

/** Dropout at inference: nothing is dropped. Throws `unsupported` in training mode. */
export const dropout = {
  gradient: {
    name: 'dropout.gradient',
    operator: 'Dropout',
    backward: (context) => {
      const training = 2;
      if (!isLeftOut(context.node, training)) {
        const { data } = context.requireConstant(training, 'training_mode');
        if (Number(data[0]) !== 0)
          throw context.unsupported('it is in training mode; export the network for inference');
      }
      return [context.needs(0) ? context.signal(0) : undefined];
    },
  } satisfies Rule,
};

/** ONNX's numbers of the element types that carry a signal. */
const FLOATS: Readonly<Record<string, number>> = { float32: 1, float16: 10, float64: 11, bfloat16: 16 };

/** A change of float type; from or to integers there is no derivative and no signal. */
export const cast = {
  gradient: pointwise('Cast', ({ context, x, dy }) => {
    const from = FLOATS[context.type(x)];
    if (from === undefined || !isFloat(context.type(context.node.outputs[0]!))) return undefined;
    return intAttribute(context.node, 'to') === from ? dy : context.emit('Cast', [dy], { to: from });
  }),
};
