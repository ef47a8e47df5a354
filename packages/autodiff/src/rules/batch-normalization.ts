import { floatAttribute, intAttribute } from '@unitscope/onnx';
import type { Rule } from '../rule.js';

/** BatchNormalization as used for inference: dX = R * scale / sqrt(variance + epsilon), per channel. */
export const batchNormalization = {
  gradient: {
    name: 'batch-normalization.gradient',
    operator: 'BatchNormalization',
    backward: (context) => {
      const { node, builder } = context;
      if (intAttribute(node, 'training_mode', 0) !== 0) {
        throw context.unsupported('training_mode = 1 is not covered; export the network for inference');
      }
      if ([1, 2, 3, 4].some((input) => context.needs(input))) {
        throw context.unsupported('parameter gradients of a batch normalization are not covered');
      }
      const signal = context.signal(0);
      if (signal === undefined || !context.needs(0)) return [];
      const [x, scale, variance] = [node.inputs[0]!, node.inputs[1]!, node.inputs[4]!];
      const epsilon = floatAttribute(node, 'epsilon', 1e-5);
      const trailing = context.dims(x).slice(2);
      const [scales, variances] = [context.constant(scale), context.constant(variance)];
      if (scales !== undefined && variances !== undefined) {
        const factors = Array.from(
          { length: scales.data.length },
          (_, channel) => Number(scales.data[channel]) / Math.sqrt(Number(variances.data[channel]) + epsilon),
        );
        return [
          context.emit('Mul', [signal, builder.floats(factors, [factors.length, ...trailing.map(() => 1)])]),
        ];
      }
      const deviation = context.emit('Sqrt', [context.emit('Add', [variance, builder.floats(epsilon)])]);
      const factor = context.emit('Div', [scale, deviation]);
      const perChannel = context.emit('Reshape', [factor, builder.ints([-1, ...trailing.map(() => 1)])]);
      return [context.emit('Mul', [signal, perChannel])];
    },
  },
} satisfies Record<string, Rule>;
