import { type Dim, intAttribute } from '../../graph.js';
import type { ShapeRule } from '../context.js';

const gemm: ShapeRule = (context) => {
  const type = context.type(0);
  const a = context.ranked(0, 2, 2);
  const b = context.ranked(1, 2, 2);
  if (a === undefined || b === undefined) return [{ type, dims: undefined }];
  const [rows, inner] = intAttribute(context.node, 'transA', 0) ? [a[1]!, a[0]!] : [a[0]!, a[1]!];
  const [innerB, columns] = intAttribute(context.node, 'transB', 0) ? [b[1]!, b[0]!] : [b[0]!, b[1]!];
  context.same(inner, innerB, 'the inner sizes of A and B');
  const dims = [rows, columns];
  if (context.has(2)) {
    const c = context.ranked(2, 0, 2) ?? [];
    c.forEach((dim, axis) => {
      if (dim !== 1) context.same(dims[axis + 2 - c.length]!, dim, 'C must broadcast to A B');
    });
  }
  return [{ type, dims }];
};

/** As numpy's matmul: a vector is a row on the left, a column on the right; axes before the last two are broadcast. */
const matMul: ShapeRule = (context) => {
  const type = context.type(0);
  const a = context.ranked(0, 1);
  const b = context.ranked(1, 1);
  if (a === undefined || b === undefined) return [{ type, dims: undefined }];
  const left: readonly Dim[] = a.length === 1 ? [1, ...a] : a;
  const right: readonly Dim[] = b.length === 1 ? [...b, 1] : b;
  context.same(left.at(-1)!, right.at(-2)!, 'the inner sizes of A and B');
  const dims = [...context.broadcast(left.slice(0, -2), right.slice(0, -2))];
  if (a.length > 1) dims.push(left.at(-2)!);
  if (b.length > 1) dims.push(right.at(-1)!);
  return [{ type, dims }];
};

export const LINEAR_RULES: readonly (readonly [string, ShapeRule])[] = [
  ['Gemm', gemm],
  ['MatMul', matMul],
];
