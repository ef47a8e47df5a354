import { type Dim, intAttribute, intsAttribute } from '../../graph.js';
import type { ShapeContext, ShapeRule } from '../context.js';
import { numericDims } from '../fold.js';
import {
  convTransposeGeometry,
  extentOf,
  placeConv,
  placePool,
  readWindow,
  type Window,
} from '../geometry.js';

/** Output sizes of the axes of a window; a size known at run time only gives a symbol named after its formula. */
function slide(
  context: ShapeContext,
  window: Window,
  spatial: readonly Dim[],
  place: typeof placeConv,
): readonly Dim[] {
  return spatial.map((size, axis) =>
    typeof size === 'number'
      ? place(context.node, window, axis, size).output
      : slideSymbol(context, window, axis, size, place === placePool),
  );
}

function slideSymbol(
  { symbols }: ShapeContext,
  window: Window,
  axis: number,
  size: string,
  pooling: boolean,
): Dim {
  const stride = window.strides[axis]!;
  const extent = extentOf(window, axis);
  if (window.autoPad === 'SAME_UPPER' || window.autoPad === 'SAME_LOWER') {
    if (pooling && window.dilations[axis] !== 1) {
      return symbols.expression(`same(${size};${window.kernel[axis]},${stride},${extent})`, 'size');
    }
    return stride === 1 ? size : symbols.expression(`ceil(${size}/${stride})`, 'size');
  }
  const explicit = window.autoPad === 'NOTSET';
  const begin = explicit ? window.padsBegin[axis]! : 0;
  const end = explicit ? window.padsEnd[axis]! : 0;
  if (stride === 1) return symbols.sum([size, begin + end - extent + 1]);
  const ceilMode = pooling && window.ceilMode;
  const shown = `${ceilMode ? 'ceil' : 'floor'}((${symbols.sum([size, begin + end - extent])})/${stride})+1`;
  // Whether a last window is dropped depends on the padding in front.
  return symbols.expression(ceilMode ? `${shown} from ${begin}` : shown, 'size', shown);
}

/** The weight of Conv and ConvTranspose: X and W have one rank, at least 3. */
function weighted(context: ShapeContext): { x: readonly Dim[]; w: readonly Dim[] } | undefined {
  const x = context.ranked(0, 3);
  const w = context.ranked(1, 3);
  if (x === undefined || w === undefined) return undefined;
  if (x.length !== w.length) {
    throw context.bad(`X and W must have the same number of axes (inputs ${context.inputDims()})`);
  }
  return { x, w };
}

function groupsOf(context: ShapeContext): number {
  const groups = intAttribute(context.node, 'group', 1);
  if (groups < 1) throw context.bad(`group ${groups} must be at least 1`);
  return groups;
}

function checkBias(context: ShapeContext, channels: Dim): void {
  if (!context.has(2)) return;
  const bias = context.ranked(2, 1, 1);
  if (bias !== undefined) context.same(bias[0]!, channels, 'the bias needs one number per output channel');
}

/** Sizes of the kernel as numbers; a weight whose sizes are symbols needs them in the attribute. */
function kernelOf(context: ShapeContext, w: readonly Dim[]): readonly number[] | undefined {
  return numericDims(w.slice(2)) ?? intsAttribute(context.node, 'kernel_shape');
}

const conv: ShapeRule = (context) => {
  const type = context.type(0);
  const inputs = weighted(context);
  if (inputs === undefined) return [{ type, dims: undefined }];
  const { x, w } = inputs;
  const groups = groupsOf(context);
  const channels = context.symbols.product([w[1]!, groups]);
  context.same(x[1]!, channels, `X has ${x[1]} channels, W takes ${w[1]} in each of ${groups} groups`);
  if (typeof w[0] === 'number' && w[0] % groups !== 0) {
    throw context.bad(`${w[0]} output channels cannot be shared among ${groups} groups`);
  }
  checkBias(context, w[0]!);
  const kernel = kernelOf(context, w);
  const spatial = x.slice(2);
  const sizes =
    kernel === undefined
      ? spatial.map((_, axis) => context.fresh(axis + 2))
      : slide(context, readWindow(context.node, spatial.length, kernel), spatial, placeConv);
  return [{ type, dims: [x[0]!, w[0]!, ...sizes] }];
};

const convTranspose: ShapeRule = (context) => {
  const type = context.type(0);
  const inputs = weighted(context);
  if (inputs === undefined) return [{ type, dims: undefined }];
  const { x, w } = inputs;
  context.same(x[1]!, w[0]!, 'X and W must have the same number of channels');
  const groups = groupsOf(context);
  if (typeof w[0] === 'number' && w[0] % groups !== 0) {
    throw context.bad(`${w[0]} input channels cannot be shared among ${groups} groups`);
  }
  const channels = context.symbols.product([w[1]!, groups]);
  checkBias(context, channels);
  const kernel = kernelOf(context, w);
  const spatial = x.slice(2);
  const known = numericDims(spatial);
  if (kernel !== undefined && known !== undefined) {
    const { output } = convTransposeGeometry(context.node, known, kernel);
    return [{ type, dims: [x[0]!, channels, ...output] }];
  }
  return [{ type, dims: [x[0]!, channels, ...spatial.map((_, axis) => context.fresh(axis + 2))] }];
};

const pool: ShapeRule = (context) => {
  const type = context.type(0);
  const x = context.ranked(0, 3);
  const indices = { type: 'int64', dims: undefined } as const;
  if (x === undefined) return [{ type, dims: undefined }, indices];
  const spatial = x.slice(2);
  const window = readWindow(context.node, spatial.length);
  const dims = [x[0]!, x[1]!, ...slide(context, window, spatial, placePool)];
  return [
    { type, dims },
    { ...indices, dims },
  ];
};

const globalPool: ShapeRule = (context) => {
  const x = context.ranked(0, 3);
  return [{ type: context.type(0), dims: x?.map((dim, axis) => (axis < 2 ? dim : 1)) }];
};

export const WINDOW_RULES: readonly (readonly [string, ShapeRule])[] = [
  ['Conv', conv],
  ['ConvTranspose', convTranspose],
  ['MaxPool', pool],
  ['AveragePool', pool],
  ['LpPool', pool],
  ['GlobalAveragePool', globalPool],
  ['GlobalMaxPool', globalPool],
  ['GlobalLpPool', globalPool],
];
