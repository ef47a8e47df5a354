import { floatAttribute } from '@unitscope/onnx';
import type { Rule } from '../rule.js';
import { emitStandardizationGradient } from './standardization.js';

/** InstanceNormalization: Y = scale * Z + bias per channel, Z standardized over the positions of each map. */
export const instanceNormalization = {
  gradient: {
    name: 'instance-normalization.gradient',
    operator: 'InstanceNormalization',
    backward: (context) => {
      const { node, builder } = context;
      if (context.needs(1) || context.needs(2)) {
        throw context.unsupported('parameter gradients of an instance normalization are not covered');
      }
      const signal = context.signal(0);
      if (signal === undefined || !context.needs(0)) return [];
      const [x, scale] = [node.inputs[0]!, node.inputs[1]!];
      const spatial = context.dims(x).slice(2);
      const perChannel = context.emit('Reshape', [scale, builder.ints([-1, ...spatial.map(() => 1)])]);
      const scaled = context.emit('Mul', [signal, perChannel]);
      const axes = spatial.map((_, axis) => axis + 2);
      const epsilon = floatAttribute(node, 'epsilon', 1e-5);
      return [emitStandardizationGradient(context, x, scaled, axes, epsilon)];
    },
  },
} satisfies Record<string, Rule>;
