import { floatAttribute, intAttribute, type Node } from '../graph.js';
import { broadcastData, broadcastDims, broadcastOffsets, product } from './indexing.js';
import { nodeError, type Operator, required } from './operator.js';
import type { Value } from './value.js';

function mismatch(node: Node, a: Value, b: Value): Error {
  return nodeError(
    'bad-input',
    node,
    `matrices of dims [${a.dims.join(', ')}] and [${b.dims.join(', ')}] cannot be multiplied`,
  );
}

/** y = alpha A' B' + beta C, where ' is an optional transposition and C broadcasts to y. */
export const gemm: Operator = (node, inputs) => {
  const a = required(node, inputs, 0);
  const b = required(node, inputs, 1);
  const c = inputs[2];
  const alpha = floatAttribute(node, 'alpha', 1);
  const beta = floatAttribute(node, 'beta', 1);
  const transA = intAttribute(node, 'transA', 0) !== 0;
  const transB = intAttribute(node, 'transB', 0) !== 0;
  if (a.dims.length !== 2 || b.dims.length !== 2) throw mismatch(node, a, b);
  const [rows, depth] = transA ? [a.dims[1]!, a.dims[0]!] : [a.dims[0]!, a.dims[1]!];
  const [depthB, columns] = transB ? [b.dims[1]!, b.dims[0]!] : [b.dims[0]!, b.dims[1]!];
  if (depth !== depthB) throw mismatch(node, a, b);
  const [rowA, stepA] = transA ? [1, rows] : [depth, 1];
  const [columnB, stepB] = transB ? [depth, 1] : [1, columns];
  const dims = [rows, columns];
  if (c !== undefined && broadcastDims(node, c.dims, dims).join() !== dims.join()) {
    throw nodeError('bad-input', node, `C [${c.dims.join(', ')}] does not broadcast to [${dims.join(', ')}]`);
  }
  const added = c === undefined ? undefined : broadcastData(c, dims);
  const y = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let k = 0; k < depth; k++) {
        sum += a.data[i * rowA + k * stepA]! * b.data[j * columnB + k * stepB]!;
      }
      const at = i * columns + j;
      y[at] = alpha * sum + (added === undefined ? 0 : beta * added[at]!);
    }
  }
  return [{ dims, data: y, kind: a.kind }];
};

/** The matrix product of the last two axes, the others broadcast; a vector is a row on the left, a column on the right. */
export const matMul: Operator = (node, inputs) => {
  const a = required(node, inputs, 0);
  const b = required(node, inputs, 1);
  if (a.dims.length === 0 || b.dims.length === 0) throw mismatch(node, a, b);
  const aDims = a.dims.length === 1 ? [1, ...a.dims] : a.dims;
  const bDims = b.dims.length === 1 ? [...b.dims, 1] : b.dims;
  const [rows, depth] = [aDims.at(-2)!, aDims.at(-1)!];
  const [depthB, columns] = [bDims.at(-2)!, bDims.at(-1)!];
  if (depth !== depthB) throw mismatch(node, a, b);
  const batch = broadcastDims(node, aDims.slice(0, -2), bDims.slice(0, -2));
  const aStarts = broadcastOffsets(aDims.slice(0, -2), batch);
  const bStarts = broadcastOffsets(bDims.slice(0, -2), batch);
  const y = new Float64Array(product(batch) * rows * columns);
  for (let n = 0; n < aStarts.length; n++) {
    const fromA = aStarts[n]! * rows * depth;
    const fromB = bStarts[n]! * depth * columns;
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let k = 0; k < depth; k++) {
          sum += a.data[fromA + i * depth + k]! * b.data[fromB + k * columns + j]!;
        }
        y[(n * rows + i) * columns + j] = sum;
      }
    }
  }
  const dims = [...batch];
  if (a.dims.length > 1) dims.push(rows);
  if (b.dims.length > 1) dims.push(columns);
  return [{ dims, data: y, kind: a.kind }];
};
