import { floatAttribute, intAttribute } from '@unitscope/onnx';
import type { Rule } from '../rule.js';
import { emitStandardizationGradient } from './standardization.js';

/** LayerNormalization: Y = scale * Z + bias, Z standardized over the axes from `axis` on. */
export const layerNormalization = {
  gradient: {
    name: 'layer-normalization.gradient',
    operator: 'LayerNormalization',
    backward: (context) => {
      const { node } = context;
      if (context.needs(1) || context.needs(2)) {
        throw context.unsupported('parameter gradients of a layer normalization are not covered');
      }
      if (context.signal(1) !== undefined || context.signal(2) !== undefined) {
        throw context.unsupported('Mean and InvStdDev pass no signal on');
      }
      const signal = context.signal(0);
      if (signal === undefined || !context.needs(0)) return [];
      const [x, scale] = [node.inputs[0]!, node.inputs[1]!];
      const rank = context.dims(x).length;
      const axis = intAttribute(node, 'axis', -1);
      const first = axis < 0 ? axis + rank : axis;
      const axes = Array.from({ length: rank - first }, (_, offset) => first + offset);
      const scaled = context.emit('Mul', [signal, scale]);
      const epsilon = floatAttribute(node, 'epsilon', 1e-5);
      return [emitStandardizationGradient(context, x, scaled, axes, epsilon)];
    },
  },
} satisfies Record<string, Rule>;
