import { type Dim, intAttribute } from '../../graph.js';
import type { ShapeContext, ShapeRule } from '../context.js';
import { numericDims } from '../fold.js';
import { countOf, type Element } from '../value.js';

const gather: ShapeRule = (context) => {
  const type = context.type(0);
  const data = context.ranked(0, 1);
  const indices = context.dims(1);
  if (data === undefined || indices === undefined) return [{ type, dims: undefined }];
  const axis = context.axisAttribute(data.length, 0);
  const dims = [...data.slice(0, axis), ...indices, ...data.slice(axis + 1)];
  return [{ type, dims, elements: gatherElementsOf(context, data, dims, axis) }];
};

/** The picked elements, where the data and the indices are known; throws for an index outside of the axis. */
function gatherElementsOf(
  context: ShapeContext,
  data: readonly Dim[],
  dims: readonly Dim[],
  axis: number,
): readonly Element[] | undefined {
  const size = data[axis]!;
  const elements = context.canFold(dims) ? context.elements(0) : undefined;
  const indices = elements && context.elements(1);
  const sizes = numericDims(data);
  if (elements === undefined || indices === undefined || sizes === undefined || typeof size !== 'number') {
    return undefined;
  }
  const outer = countOf(sizes.slice(0, axis)) ?? 0;
  const inner = countOf(sizes.slice(axis + 1)) ?? 0;
  const positions = indices.map((index) => {
    if (typeof index !== 'number') return undefined;
    const position = index < 0 ? index + size : index;
    if (position >= 0 && position < size) return position;
    throw context.bad(`index ${index} is outside of an axis of ${size}`);
  });
  const result: Element[] = [];
  for (let i = 0; i < outer; i++) {
    for (const position of positions) {
      for (let j = 0; j < inner; j++) {
        result.push(position === undefined ? undefined : elements[(i * size + position) * inner + j]);
      }
    }
  }
  return result;
}

/** One element of the data per index; no axis but the gathered one may be longer than the data's. */
const gatherElements: ShapeRule = (context) => {
  const type = context.type(0);
  const data = context.ranked(0, 1);
  const indices = context.ranked(1, 1);
  if (data !== undefined && indices !== undefined) {
    if (data.length !== indices.length) {
      throw context.bad(`data and indices need the same number of axes (inputs ${context.inputDims()})`);
    }
    context.axisAttribute(data.length, 0);
  }
  return [{ type, dims: indices }];
};

const gatherNd: ShapeRule = (context) => {
  const type = context.type(0);
  const data = context.ranked(0, 1);
  const indices = context.ranked(1, 1);
  const last = indices?.at(-1);
  if (data === undefined || indices === undefined || typeof last !== 'number')
    return [{ type, dims: undefined }];
  const batch = intAttribute(context.node, 'batch_dims', 0);
  if (batch < 0 || batch + last > data.length || batch >= indices.length) {
    throw context.bad(`indices of ${last} numbers do not fit the data (inputs ${context.inputDims()})`);
  }
  return [{ type, dims: [...indices.slice(0, -1), ...data.slice(batch + last)] }];
};

/** ScatterElements and ScatterND: the data with some elements replaced or added to. */
const scatter: ShapeRule = (context) => {
  const { type, dims } = context.input(0);
  return [{ type, dims }];
};

const scatterElements: ShapeRule = (context) => {
  const [data, indices, updates] = [context.ranked(0, 1), context.ranked(1, 1), context.ranked(2, 1)];
  if (indices !== undefined && updates !== undefined) {
    const equal =
      indices.length === updates.length &&
      indices.every(
        (dim, axis) =>
          dim === updates[axis] || typeof dim !== typeof updates[axis] || typeof dim === 'string',
      );
    if (!equal || (data !== undefined && data.length !== indices.length)) {
      throw context.bad(`data, indices and updates do not fit (inputs ${context.inputDims()})`);
    }
  }
  return scatter(context);
};

const oneHot: ShapeRule = (context) => {
  const type = context.type(2);
  const indices = context.dims(0);
  if (indices === undefined) return [{ type, dims: undefined }];
  const axis = context.axis(intAttribute(context.node, 'axis', -1), indices.length + 1);
  const element = context.elements(1)?.[0];
  const depth = typeof element === 'bigint' ? Number(element) : (element ?? context.fresh(axis));
  return [{ type, dims: [...indices.slice(0, axis), depth, ...indices.slice(axis)] }];
};

const nonZero: ShapeRule = (context) => {
  const dims = context.dims(0);
  return [{ type: 'int64', dims: [dims?.length ?? context.fresh(0), context.fresh(1)] }];
};

export const INDEXING_RULES: readonly (readonly [string, ShapeRule])[] = [
  ['Gather', gather],
  ['GatherElements', gatherElements],
  ['GatherND', gatherNd],
  ['ScatterElements', scatterElements],
  ['Scatter', scatterElements],
  ['ScatterND', scatter],
  ['OneHot', oneHot],
  ['NonZero', nonZero],
];
