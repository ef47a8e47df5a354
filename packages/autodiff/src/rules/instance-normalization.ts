import { floatAttribute } from '@unitscope/onnx';
import type { Rule } from '../rule.js';
import { emitStandardizationGradient, emitStandardized } from './standardization.js';
import { emitChannelSums } from './weight-gradient.js';

/**
 * InstanceNormalization: Y = scale * Z + bias per channel, Z standardized over the positions of each map. dscale and
 * dbias are the sums of R * Z and R over samples and positions.
 */
export const instanceNormalization = {
  gradient: {
    name: 'instance-normalization.gradient',
    operator: 'InstanceNormalization',
    backward: (context) => {
      const { node, builder } = context;
      const signal = context.signal(0);
      if (signal === undefined) return [];
      const [x, scale] = [node.inputs[0]!, node.inputs[1]!];
      const rank = context.dims(x).length;
      const axes = Array.from({ length: rank - 2 }, (_, axis) => axis + 2);
      const signals: (string | undefined)[] = [undefined, undefined, undefined];
      if (context.needs(0) || context.needs(1)) {
        const epsilon = floatAttribute(node, 'epsilon', 1e-5);
        const standardized = emitStandardized(context, x, axes, epsilon);
        if (context.needs(0)) {
          const perChannel = context.emit('Reshape', [scale, builder.ints([-1, ...axes.map(() => 1)])]);
          const scaled = context.emit('Mul', [signal, perChannel]);
          signals[0] = emitStandardizationGradient(context, standardized, scaled, axes);
        }
        if (context.needs(1)) {
          const product = context.emit('Mul', [signal, standardized.value]);
          signals[1] = emitChannelSums(context, product, rank);
        }
      }
      if (context.needs(2)) signals[2] = emitChannelSums(context, signal, rank);
      return signals;
    },
  },
} satisfies Record<string, Rule>;
