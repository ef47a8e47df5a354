import { floatAttribute, intAttribute } from '@unitscope/onnx';
import type { Rule } from '../rule.js';

/** Gemm, Y = alpha A' B' + beta C, where A' is A or its transpose: dA' = alpha R B'^T, dB' = alpha A'^T R, dC = beta R. */
export const gemm = {
  gradient: {
    name: 'gemm.gradient',
    operator: 'Gemm',
    backward: (context) => {
      const { node } = context;
      const signal = context.signal(0);
      if (signal === undefined) return [];
      const [a, b, c] = [node.inputs[0]!, node.inputs[1]!, node.inputs[2] ?? ''];
      const transA = intAttribute(node, 'transA', 0);
      const transB = intAttribute(node, 'transB', 0);
      const alpha = { float: floatAttribute(node, 'alpha', 1) };
      const beta = floatAttribute(node, 'beta', 1);
      const gradients: (string | undefined)[] = [undefined, undefined, undefined];
      if (context.needs(0)) {
        gradients[0] =
          transA === 0
            ? context.emit('Gemm', [signal, b], { alpha, transB: 1 - transB })
            : context.emit('Gemm', [b, signal], { alpha, transA: transB, transB: 1 });
      }
      if (context.needs(1)) {
        gradients[1] =
          transB === 0
            ? context.emit('Gemm', [a, signal], { alpha, transA: 1 - transA })
            : context.emit('Gemm', [signal, a], { alpha, transA: 1, transB: transA });
      }
      if (c !== '' && context.needs(2)) {
        const summed = context.reduceTo(signal, context.dims(node.outputs[0]!), c);
        gradients[2] = beta === 1 ? summed : context.emit('Mul', [summed, context.builder.floats(beta)]);
      }
      return gradients;
    },
  },
} satisfies Record<string, Rule>;
