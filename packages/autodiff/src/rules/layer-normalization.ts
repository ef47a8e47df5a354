import { floatAttribute, intAttribute } from '@unitscope/onnx';
import type { Rule } from '../rule.js';
import { emitStandardizationGradient, emitStandardized } from './standardization.js';

/**
 * LayerNormalization: Y = scale * Z + bias, Z standardized over the axes from `axis` on. dscale and dbias are the sums of
 * R * Z and R over the other axes.
 */
export const layerNormalization = {
  gradient: {
    name: 'layer-normalization.gradient',
    operator: 'LayerNormalization',
    backward: (context) => {
      const { node } = context;
      if (context.signal(1) !== undefined || context.signal(2) !== undefined) {
        throw context.unsupported('Mean and InvStdDev pass no signal on');
      }
      const signal = context.signal(0);
      if (signal === undefined) return [];
      const [x, scale, bias = ''] = node.inputs as [string, string, string?];
      const dims = context.dims(x);
      const rank = dims.length;
      const axis = intAttribute(node, 'axis', -1);
      const first = axis < 0 ? axis + rank : axis;
      const axes = Array.from({ length: rank - first }, (_, offset) => first + offset);
      const signals: (string | undefined)[] = [undefined, undefined, undefined];
      if (context.needs(0) || context.needs(1)) {
        const standardized = emitStandardized(context, x, axes, floatAttribute(node, 'epsilon', 1e-5));
        if (context.needs(0)) {
          const scaled = context.emit('Mul', [signal, scale]);
          signals[0] = emitStandardizationGradient(context, standardized, scaled, axes);
        }
        if (context.needs(1)) {
          const product = context.emit('Mul', [signal, standardized.value]);
          signals[1] = context.reduceTo(product, dims, scale);
        }
      }
      if (context.needs(2)) signals[2] = context.reduceTo(signal, dims, bias);
      return signals;
    },
  },
} satisfies Record<string, Rule>;
