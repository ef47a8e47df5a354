import { type Dim, intAttribute } from '@unitscope/onnx';
import type { RuleContext } from '../rule.js';
import { axesInput, reshapeTo, sizeAlong } from './axes.js';
import { type Pointwise, pointwise } from './pointwise.js';

interface Reduction {
  readonly dims: readonly Dim[];
  /** The axes that are reduced, ascending; undefined where the operator does nothing. */
  readonly axes: readonly number[] | undefined;
}

function reductionOf(context: RuleContext): Reduction {
  const { node } = context;
  const dims = context.dims(node.inputs[0]!);
  const axes = axesInput(context, 1, dims.length);
  if (axes !== undefined && axes.length > 0) return { dims, axes };
  const none = intAttribute(node, 'noop_with_empty_axes', 0) !== 0;
  return { dims, axes: none ? undefined : dims.map((_, axis) => axis) };
}

/** The signal with the reduced axes there, of size 1. */
function withReducedAxes(context: RuleContext, signal: string, axes: readonly number[]): string {
  if (intAttribute(context.node, 'keepdims', 1) !== 0) return signal;
  return context.emit('Unsqueeze', [signal, context.builder.ints(axes)]);
}

/** Repeats a signal along the axes that were reduced. */
function repeatToInput({ context, x }: Pointwise, signal: string, { dims, axes = [] }: Reduction): string {
  const isKnown = axes.every((axis) => typeof dims[axis] === 'number');
  // Size 1 leaves an axis as it is, whatever its size.
  const shape = isKnown
    ? context.builder.ints(dims.map((size, axis) => (axes.includes(axis) ? Number(size) : 1)))
    : context.emit('Shape', [x]);
  return context.emit('Expand', [signal, shape]);
}

/** y = the sum over axes. */
export const reduceSum = {
  gradient: pointwise('ReduceSum', (at) => {
    const reduction = reductionOf(at.context);
    if (reduction.axes === undefined) return at.dy;
    return repeatToInput(at, withReducedAxes(at.context, at.dy, reduction.axes), reduction);
  }),
};

/** y = the mean over axes. */
export const reduceMean = {
  gradient: pointwise('ReduceMean', (at) => {
    const { context, dy, emit, scalar, x } = at;
    const reduction = reductionOf(context);
    if (reduction.axes === undefined) return dy;
    const count = reduction.axes.reduce((product, axis) => product * sizeAlong(context, x, axis), 1);
    const shared = emit('Mul', [dy, scalar(1 / count)]);
    return repeatToInput(at, withReducedAxes(context, shared, reduction.axes), reduction);
  }),
};

/** The extremum over axes: the first element that has it, in row-major order of the reduced axes, takes the signal. */
function firstExtremum(at: Pointwise, search: 'ArgMax' | 'ArgMin'): string {
  const { context, dy, emit, x } = at;
  const { dims, axes } = reductionOf(context);
  if (axes === undefined) return dy;
  const count = axes.reduce((product, axis) => product * sizeAlong(context, x, axis), 1);
  const kept = dims.flatMap((_, axis) => (axes.includes(axis) ? [] : [axis]));
  // One axis is searched at a time: the reduced axes are brought together, in the place of the first of them.
  const place = axes[0]!;
  const order = [...kept.filter((axis) => axis < place), ...axes, ...kept.filter((axis) => axis > place)];
  const isInOrder = order.every((axis, i) => axis === i);
  const ordered = isInOrder ? x : emit('Transpose', [x], { perm: order });
  const orderedDims = order.map((axis) => dims[axis]!);
  const joinedDims = [...orderedDims.slice(0, place), count, ...orderedDims.slice(place + axes.length)];
  const joined = axes.length === 1 ? ordered : reshapeTo(context, ordered, joinedDims);
  const signal = reshapedSignal(context, dy, axes, place, joinedDims);

  const first = emit(search, [joined], { axis: place, keepdims: 1, select_last_index: 0 });
  const places = new Array<number>(joinedDims.length).fill(1);
  places[place] = count;
  const positions = context.builder.ints(
    Array.from({ length: count }, (_, i) => i),
    places,
  );
  const routed = emit('Where', [emit('Equal', [first, positions]), signal, at.scalar(0)]);
  const spread = axes.length === 1 ? routed : reshapeTo(context, routed, orderedDims);
  return isInOrder
    ? spread
    : emit('Transpose', [spread], { perm: order.map((_, axis) => order.indexOf(axis)) });
}

/** The signal with one axis of size 1 where the reduced axes were joined. */
function reshapedSignal(
  context: RuleContext,
  dy: string,
  axes: readonly number[],
  place: number,
  joinedDims: readonly Dim[],
): string {
  if (axes.length === 1 || intAttribute(context.node, 'keepdims', 1) === 0) {
    return axes.length === 1
      ? withReducedAxes(context, dy, axes)
      : context.emit('Unsqueeze', [dy, context.builder.ints([place])]);
  }
  return reshapeTo(
    context,
    dy,
    joinedDims.map((size, axis) => (axis === place ? 1 : size)),
  );
}

/** y = the largest over axes. */
export const reduceMax = { gradient: pointwise('ReduceMax', (at) => firstExtremum(at, 'ArgMax')) };

/** y = the smallest over axes. */
export const reduceMin = { gradient: pointwise('ReduceMin', (at) => firstExtremum(at, 'ArgMin')) };
