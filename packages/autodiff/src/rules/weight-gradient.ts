import type { RuleContext } from '../rule.js';
import { padAxis } from './axes.js';

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
 * The gradient of the weights of a convolution, dims [F, S / groups, kernel...] for F channels of the fixed and S of the
 * slid map: dW[f, s, k] = sum over samples n and cells o of fixed[n, f, o] slid[n, s, o * stride + k * dilation - pad].
 *
 * Each tap k is one matrix product over samples and cells at once; with few slid channels the whole is a convolution in
 * which samples and channels have changed places.
 */
export function emitWeightGradient(context: RuleContext, windows: TapWindows): string {
  return windows.groups === 1 && windows.slidChannels < FEW_CHANNELS
    ? emitSwappedConv(context, windows)
    : emitTapProducts(context, windows);
}

/** Samples and channels exchanged: [N, C, ...] to [C, N, ...]. */
function swapped(context: RuleContext, value: string, rank: number): string {
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

function emitSwappedConv(context: RuleContext, windows: TapWindows): string {
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

function emitTapProducts(context: RuleContext, windows: TapWindows): string {
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
  const isWhole = sizes.every(
    (size, axis) =>
      kernel[axis] === 1 && strides[axis] === 1 && size === cells[axis] && padsBegin[axis] === 0,
  );
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

/** The sum of a signal [N, C, ...] over samples and positions, [C]: the gradient of a bias per channel. */
export function emitChannelSums(context: RuleContext, signal: string, rank: number): string {
  const axes = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => axis !== 1);
  return context.emit('ReduceSum', [signal, context.builder.ints(axes)], { keepdims: 0 });
}
