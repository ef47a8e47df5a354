import { type Emitter, padAxis } from './axes.js';

/**
 * A convolution seen from its weights: the map that windows slide over, the map with one cell for each window, and how
 * the windows lie. Both maps are values [N, channels, sizes...]; `sizes` are the spatial sizes of the slid map, `cells`
 * those of the other.
 */
export interface TapWindows {
  readonly slid: string;
  readonly sizes: readonly number[];
  readonly fixed: string;
  readonly cells: readonly number[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padsBegin: readonly number[];
  readonly groups: number;
  /** Channels of the slid and of the fixed map, all groups together. */
  readonly slidChannels: number;
  readonly fixedChannels: number;
}

/** Below so many channels of the slid map, matrix products would be too thin, and one convolution is faster. */
const FEW_CHANNELS = 8;

/**
 * The gradient of the weights of a convolution in standard operators; see `emitWeightGradient`. Each tap k is one matrix product over samples and cells at once; with few slid channels the whole is a convolution in
 * which samples and channels have changed places.
 */
export function emitTapWeightGradient(context: Emitter, windows: TapWindows): string {
  if (isPointwise(windows) && windows.groups === 1 && isBroad(windows))
    return emitBatchedProduct(context, windows);
  const isThin = windows.groups === 1 && windows.slidChannels < FEW_CHANNELS;
  // A convolution cannot read a map of which no window sees anything.
  const isSeen = windows.sizes.every((size, axis) => size + reachPast(windows, axis) > 0);
  return isThin && isSeen ? emitSwappedConv(context, windows) : emitTapProducts(context, windows);
}

/** Whether every window is one cell, and every cell a window. */
export function isPointwise({ kernel, strides, sizes, cells, padsBegin }: TapWindows): boolean {
  return sizes.every(
    (size, axis) =>
      kernel[axis] === 1 && strides[axis] === 1 && size === cells[axis] && padsBegin[axis] === 0,
  );
}

/** Whether a map has so many cells that a product for each sample is smaller than the maps. */
function isBroad({ cells, fixedChannels, slidChannels }: TapWindows): boolean {
  const positions = cells.reduce((product, size) => product * size, 1);
  return fixedChannels * slidChannels <= positions * (fixedChannels + slidChannels);
}

/** The product of each sample, and their sum: no map changes its layout. */
function emitBatchedProduct(context: Emitter, windows: TapWindows): string {
  const { slid, fixed, sizes, slidChannels, fixedChannels } = windows;
  const { builder, emit } = context;
  const matrix = (value: string, channels: number) =>
    emit('Reshape', [value, builder.ints([0, channels, sizes.reduce((product, size) => product * size, 1)])]);
  const columns = emit('Transpose', [matrix(slid, slidChannels)], { perm: [0, 2, 1] });
  const products = emit('MatMul', [matrix(fixed, fixedChannels), columns]);
  const summed = emit('ReduceSum', [products, builder.ints([0])], { keepdims: 0 });
  return emit('Reshape', [summed, builder.ints([fixedChannels, slidChannels, ...sizes.map(() => 1)])]);
}

/** Samples and channels exchanged: [N, C, ...] to [C, N, ...]. */
function swapped(context: Emitter, value: string, rank: number): string {
  return context.emit('Transpose', [value], {
    perm: [1, 0, ...Array.from({ length: rank }, (_, axis) => axis + 2)],
  });
}

/** Past the slid map's end, how many cells the last window reaches along an axis; negative where it stops short. */
function reachPast(
  { sizes, cells, kernel, strides, dilations, padsBegin }: TapWindows,
  axis: number,
): number {
  const last = (cells[axis]! - 1) * strides[axis]! + (kernel[axis]! - 1) * dilations[axis]!;
  return last + 1 - padsBegin[axis]! - sizes[axis]!;
}

function emitSwappedConv(context: Emitter, windows: TapWindows): string {
  const { slid, fixed, sizes, cells, strides, dilations, padsBegin } = windows;
  const rank = sizes.length;
  const past = sizes.map((_, axis) => reachPast(windows, axis));
  let inside = swapped(context, slid, rank);
  if (past.some((reach) => reach < 0)) {
    const { builder } = context;
    const ends = sizes.map((size, axis) => size + Math.min(0, past[axis]!));
    const axes = sizes.map((_, axis) => axis + 2);
    const starts = sizes.map(() => 0);
    inside = context.emit('Slice', [inside, builder.ints(starts), builder.ints(ends), builder.ints(axes)]);
  }
  const product = context.emit('Conv', [inside, swapped(context, fixed, rank)], {
    kernel_shape: cells,
    // A step between windows is a step between taps of the other map, and the other way round.
    strides: dilations,
    dilations: strides,
    pads: [...padsBegin, ...past.map((reach) => Math.max(0, reach))],
  });
  return swapped(context, product, rank);
}

function emitTapProducts(context: Emitter, windows: TapWindows): string {
  const { slid, fixed, sizes, cells, kernel, strides, dilations, padsBegin, groups } = windows;
  const { slidChannels, fixedChannels } = windows;
  const { builder, emit } = context;
  const rank = sizes.length;
  const perGroup = slidChannels / groups;
  let padded = slid;
  for (let axis = 0; axis < rank; axis++) {
    const past = Math.max(0, reachPast(windows, axis));
    padded = padAxis(context, padded, axis + 2, padsBegin[axis]!, past);
  }
  padded = swapped(context, padded, rank);
  const matrixDims = (channels: number) => (groups === 1 ? [channels, -1] : [groups, channels / groups, -1]);
  const rows = emit('Reshape', [swapped(context, fixed, rank), builder.ints(matrixDims(fixedChannels))]);
  const axes = builder.ints(sizes.map((_, axis) => axis + 2));
  const steps = builder.ints(strides);
  const columnDims = builder.ints(matrixDims(slidChannels));
  const isWhole = isPointwise(windows);
  const products = tapsOf(kernel).map((tap) => {
    const starts = tap.map((index, axis) => index * dilations[axis]!);
    const ends = starts.map((start, axis) => start + (cells[axis]! - 1) * strides[axis]! + 1);
    const seen = isWhole
      ? padded
      : emit('Slice', [padded, builder.ints(starts), builder.ints(ends), axes, steps]);
    const columns = emit('Reshape', [seen, columnDims]);
    if (groups === 1) return emit('Gemm', [rows, columns], { transB: 1 });
    const product = emit('MatMul', [rows, emit('Transpose', [columns], { perm: [0, 2, 1] })]);
    return emit('Reshape', [product, builder.ints([fixedChannels, perGroup])]);
  });
  const dims = builder.ints([fixedChannels, perGroup, ...kernel]);
  if (products.length === 1) return emit('Reshape', [products[0]!, dims]);
  const stacked = emit('Reshape', [
    emit('Concat', products, { axis: 0 }),
    builder.ints([products.length, fixedChannels * perGroup]),
  ]);
  return emit('Reshape', [emit('Transpose', [stacked], { perm: [1, 0] }), dims]);
}

/** The indices of all taps of a kernel, in the order of its memory. */
function tapsOf(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (taps, size) => taps.flatMap((tap) => Array.from({ length: size }, (_, index) => [...tap, index])),
    [[]],
  );
}
