import type { Dim } from '@unitscope/onnx';
import type { Rule, RuleContext } from '../rule.js';

/**
 * MatMul, numpy's: dA = R B^T and dB = A^T R on the last two axes, summed over the batch axes that were broadcast. A
 * vector on the left counts as a row, on the right as a column.
 */
export const matMul = {
  gradient: {
    name: 'mat-mul.gradient',
    operator: 'MatMul',
    backward: (context) => {
      const { node, builder } = context;
      const signal = context.signal(0);
      if (signal === undefined) return [];
      const [a, b] = [node.inputs[0]!, node.inputs[1]!];
      const [aDims, bDims] = [context.dims(a), context.dims(b)];
      const batch = context
        .dims(node.outputs[0]!)
        .slice(0, Math.max(0, Math.max(aDims.length, bDims.length) - 2));
      const [aIsRow, bIsColumn] = [aDims.length === 1, bDims.length === 1];
      let matrix = signal;
      if (aIsRow) matrix = context.emit('Unsqueeze', [matrix, builder.ints([batch.length])]);
      if (bIsColumn) matrix = context.emit('Unsqueeze', [matrix, builder.ints([batch.length + 1])]);
      const inner = aDims[aDims.length - 1]!;
      const gradients: (string | undefined)[] = [undefined, undefined];
      if (context.needs(0)) {
        const rows: Dim = aIsRow ? 1 : aDims[aDims.length - 2]!;
        const transposed = bIsColumn
          ? context.emit('Unsqueeze', [b, builder.ints([0])])
          : transposeMatrix(context, b, bDims.length);
        const product = context.emit('MatMul', [matrix, transposed]);
        gradients[0] = context.reduceTo(product, [...batch, rows, inner], a);
      }
      if (context.needs(1)) {
        const transposed = aIsRow
          ? context.emit('Unsqueeze', [a, builder.ints([1])])
          : transposeMatrix(context, a, aDims.length);
        const product = context.emit('MatMul', [transposed, matrix]);
        gradients[1] = bIsColumn
          ? context.reduceTo(
              context.emit('Squeeze', [product, builder.ints([batch.length + 1])]),
              [...batch, inner],
              b,
            )
          : context.reduceTo(product, [...batch, inner, bDims[bDims.length - 1]!], b);
      }
      return gradients;
    },
  },
} satisfies Record<string, Rule>;

function transposeMatrix(context: RuleContext, value: string, rank: number): string {
  const perm = Array.from({ length: rank }, (_, axis) => axis);
  perm.splice(rank - 2, 2, rank - 1, rank - 2);
  return context.emit('Transpose', [value], { perm });
}
