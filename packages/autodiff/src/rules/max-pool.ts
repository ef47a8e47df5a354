import { intAttribute, intsAttribute } from '@unitscope/onnx';
import { UNITSCOPE_DOMAIN } from '../native-operator.js';
import type { Rule } from '../rule.js';
import { padsOf, windowOf } from './window.js';

/**
 * MaxPool: the signal of each window goes to its first maximum in row-major order; where windows overlap signals add.
 * Padding never wins. The forward pass is left alone: asking it for Indices costs two to four times its time.
 */
export const maxPool = {
  gradient: {
    name: 'max-pool.gradient',
    operator: 'MaxPool',
    backward: (context) => {
      const { node } = context;
      if (context.signal(1) !== undefined) throw context.unsupported('Indices pass no signal on');
      const signal = context.signal(0);
      if (signal === undefined || !context.needs(0)) return [];
      const [x, y] = [node.inputs[0]!, node.outputs[0]!];
      const kernel = intsAttribute(node, 'kernel_shape');
      if (kernel === undefined) throw context.unsupported('the attribute kernel_shape is missing');
      const window = windowOf(node, kernel, context.sizes(x, 2));
      const gradient = context.emit(
        'MaxPoolGrad',
        [x, y, signal],
        {
          kernel_shape: window.kernel,
          strides: window.strides,
          dilations: window.dilations,
          pads: padsOf(window),
          ceil_mode: intAttribute(node, 'ceil_mode', 0),
        },
        { domain: UNITSCOPE_DOMAIN },
      );
      return [gradient];
    },
  },
} satisfies Record<string, Rule>;
