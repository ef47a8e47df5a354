import { type Constant, intAttribute, type Node } from '@unitscope/onnx';
import type { Rule } from '../rule.js';
import { isLeftOut } from './axes.js';
import { isFloat, pointwise } from './pointwise.js';

export const identity = { gradient: pointwise('Identity', ({ dy }) => dy) };

/**
 * Whether a Dropout drops nothing: at inference, or with a ratio of 0, as exporters write a dropout that is switched off.
 * Undefined where that is decided at run time.
 */
export function dropsNothing(
  node: Node,
  constant: (value: string) => Constant | undefined,
): boolean | undefined {
  const scalar = (input: number): number | undefined => {
    const known = constant(node.inputs[input]!);
    return known === undefined ? undefined : Number(known.data[0]);
  };
  const [ratio, training] = [isLeftOut(node, 1) ? 0.5 : scalar(1), isLeftOut(node, 2) ? 0 : scalar(2)];
  if (training === 0 || ratio === 0) return true;
  return training === undefined ? undefined : false;
}

/** Dropout at inference: nothing is dropped. Throws `unsupported` in training mode. */
export const dropout = {
  gradient: {
    name: 'dropout.gradient',
    operator: 'Dropout',
    backward: (context) => {
      if (dropsNothing(context.node, context.constant) !== true) {
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
