import { sizeOf, UnitscopeError } from '@unitscope/tensor';
import type { TensorOver } from './device-buffer.js';
import type { Pool2dParams } from './kernel-arguments.js';

/** One number for both axes, or [vertical, horizontal]. */
export type Pair = number | readonly [number, number];

/** The geometry of pooling over the last two axes, with ONNX's words and defaults. */
export interface PoolWindow {
  readonly kernel: Pair;
  /** Default 1. */
  readonly stride?: Pair;
  /** Default 0. Four numbers are ONNX's order: [top, left, bottom, right]. */
  readonly padding?: Pair | readonly [number, number, number, number];
  /** Default 1. */
  readonly dilation?: Pair;
  /**
   * Rounds the output size up instead of down; a last window that would start in the end padding is dropped. Default
   * false.
   */
  readonly ceilMode?: boolean;
}

/** A window has at most this many cells, because a switch is one byte. */
const MAX_WINDOW_CELLS = 255;
const MAX_SIZE = 2 ** 31 - 1;

function pairOf(name: string, value: Pair, least: number): readonly [number, number] {
  const [vertical, horizontal] = typeof value === 'number' ? [value, value] : value;
  for (const number of [vertical, horizontal]) checkNumber(name, number, least);
  return [vertical, horizontal];
}

function checkNumber(name: string, value: unknown, least: number): void {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > MAX_SIZE) {
    throw new UnitscopeError(
      'wrong-use',
      `${name} must be an integer of at least ${least}, it is ${String(value)}`,
      {
        subject: name,
      },
    );
  }
}

function paddingOf(padding: NonNullable<PoolWindow['padding']>): readonly (readonly [number, number])[] {
  if (typeof padding !== 'number' && padding.length === 4) {
    const [top, left, bottom, right] = padding;
    return [pairOf('padding', [top, left], 0), pairOf('padding', [bottom, right], 0)];
  }
  const both = pairOf('padding', padding, 0);
  return [both, both];
}

/**
 * The number of windows along one axis:
 * floor((size + padBegin + padEnd - dilation (kernel - 1) - 1) / stride) + 1, rounded up with `ceilMode` unless the last
 * window would start in the end padding. Less than 1 if no window fits.
 */
function windowCount(
  size: number,
  [kernel, stride, padBegin, padEnd, dilation]: readonly [number, number, number, number, number],
  ceilMode: boolean,
): number {
  const slack = size + padBegin + padEnd - dilation * (kernel - 1) - 1;
  if (!ceilMode || slack < 0) return Math.floor(slack / stride) + 1;
  const count = Math.ceil(slack / stride) + 1;
  return (count - 1) * stride - padBegin >= size ? count - 1 : count;
}

/**
 * The geometry of pooling tensors of `dims`, whose last two axes are the plane. Throws `bad-input` for dims that are no
 * planes and `wrong-use` for a window that does not fit.
 */
export function resolvePooling(dims: readonly number[], window: PoolWindow): Pool2dParams {
  if (dims.length < 2) {
    throw new UnitscopeError(
      'bad-input',
      `pooling needs tensors of at least 2 axes, not of dims [${dims.join(', ')}]`,
    );
  }
  const planes = sizeOf(dims.slice(0, -2));
  const [height = 0, width = 0] = dims.slice(-2);
  const kernel = pairOf('kernel', window.kernel, 1);
  const stride = pairOf('stride', window.stride ?? 1, 1);
  const dilation = pairOf('dilation', window.dilation ?? 1, 1);
  const [padBegin = [0, 0], padEnd = [0, 0]] = paddingOf(window.padding ?? 0);
  if (kernel[0] * kernel[1] > MAX_WINDOW_CELLS) {
    throw new UnitscopeError(
      'unsupported',
      `a window of ${kernel.join(' x ')} cells has no one-byte switches; at most ${MAX_WINDOW_CELLS} cells are possible`,
    );
  }
  const count = (axis: 0 | 1, size: number) =>
    windowCount(
      size,
      [kernel[axis], stride[axis], padBegin[axis], padEnd[axis], dilation[axis]],
      window.ceilMode ?? false,
    );
  const outHeight = count(0, height);
  const outWidth = count(1, width);
  if (outHeight < 1 || outWidth < 1 || height < 1 || width < 1) {
    throw new UnitscopeError(
      'wrong-use',
      `no ${kernel.join(' x ')} window with dilation ${dilation.join(' x ')} fits into planes of ${height} x ${width}`,
    );
  }
  return { planes, height, width, outHeight, outWidth, kernel, stride, padBegin, padEnd, dilation };
}

/** The dims of the pooled tensor. */
export function pooledDims(dims: readonly number[], params: Pool2dParams): number[] {
  return [...dims.slice(0, -2), params.outHeight, params.outWidth];
}

/** Throws `bad-input` unless the tensor has these dims and as much data. */
export function requireDims(
  name: string,
  value: TensorOver<{ readonly length: number }>,
  dims: readonly number[],
): void {
  const fits = value.dims.length === dims.length && value.dims.every((dim, axis) => dim === dims[axis]);
  if (!fits || value.data.length !== sizeOf(dims)) {
    throw new UnitscopeError(
      'bad-input',
      `${name} must have dims [${dims.join(', ')}], it has [${value.dims.join(', ')}] and ${value.data.length} elements`,
      { subject: name },
    );
  }
}
