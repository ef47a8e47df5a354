import { UnitscopeError } from '@unitscope/tensor';
import { intAttribute, intsAttribute, type Node, nodeLabel, stringAttribute } from '../graph.js';

/** A window that slides over spatial axes, with `auto_pad` resolved; one number per spatial axis everywhere. */
export interface WindowGeometry {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padsBegin: readonly number[];
  readonly padsEnd: readonly number[];
  /** Spatial sizes of the output. */
  readonly output: readonly number[];
}

export interface TransposedGeometry extends WindowGeometry {
  readonly outputPadding: readonly number[];
}

export type AutoPad = 'NOTSET' | 'VALID' | 'SAME_UPPER' | 'SAME_LOWER';

/** The window as the node's attributes state it, before the input's size is known. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padsBegin: readonly number[];
  readonly padsEnd: readonly number[];
  readonly autoPad: AutoPad;
  readonly ceilMode: boolean;
}

/** One axis of a window over one axis of an input. */
interface Placed {
  readonly begin: number;
  readonly end: number;
  readonly output: number;
}

/**
 * The geometry of MaxPool, AveragePool or LpPool over an input of these spatial sizes. With `ceil_mode`, a last window
 * that would start in the padding behind the input does not exist, as in ONNX Runtime and PyTorch.
 *
 * Throws `bad-file` for attributes no window can have.
 */
export function poolGeometry(node: Node, inputSpatial: readonly number[]): WindowGeometry {
  return placeAll(readWindow(node, inputSpatial.length), inputSpatial, (window, axis, size) =>
    placePool(node, window, axis, size),
  );
}

/** The geometry of a Conv with a kernel of these spatial sizes. Throws `bad-file` as `poolGeometry`. */
export function convGeometry(
  node: Node,
  inputSpatial: readonly number[],
  kernel: readonly number[],
): WindowGeometry {
  return placeAll(readWindow(node, inputSpatial.length, kernel), inputSpatial, (window, axis, size) =>
    placeConv(node, window, axis, size),
  );
}

/**
 * The geometry of a ConvTranspose: `strides`, `dilations` and pads are those of the convolution it transposes, so
 * output = stride (input - 1) + outputPadding + dilation (kernel - 1) + 1 - padsBegin - padsEnd.
 */
export function convTransposeGeometry(
  node: Node,
  inputSpatial: readonly number[],
  kernel: readonly number[],
): TransposedGeometry {
  const rank = inputSpatial.length;
  const window = readWindow(node, rank, kernel);
  const outputPadding = intsAttribute(node, 'output_padding') ?? new Array<number>(rank).fill(0);
  const shape = intsAttribute(node, 'output_shape');
  check(node, 'output_padding', outputPadding, rank, 0);
  // Some exporters write the whole shape instead of the spatial sizes.
  const wanted = shape !== undefined && shape.length === rank + 2 ? shape.slice(2) : shape;
  if (wanted !== undefined) check(node, 'output_shape', wanted, rank, 1);
  const geometry = placeAll(window, inputSpatial, (_, axis, size) =>
    placeTransposed(node, window, axis, size, outputPadding[axis]!, wanted?.[axis]),
  );
  return { ...geometry, outputPadding };
}

/** Reads a window's attributes; `kernel` is the weight's, where there is a weight. */
export function readWindow(node: Node, rank: number, kernel?: readonly number[]): Window {
  const ones = new Array<number>(rank).fill(1);
  const sizes = intsAttribute(node, 'kernel_shape') ?? kernel;
  if (sizes === undefined) throw bad(node, 'kernel_shape is missing');
  if (kernel?.some((size, axis) => size !== sizes[axis])) {
    throw bad(node, `kernel_shape [${sizes.join(', ')}] and the weight's [${kernel.join(', ')}] disagree`);
  }
  const strides = intsAttribute(node, 'strides') ?? ones;
  const dilations = intsAttribute(node, 'dilations') ?? ones;
  const pads = intsAttribute(node, 'pads') ?? new Array<number>(2 * rank).fill(0);
  check(node, 'kernel_shape', sizes, rank, 1);
  check(node, 'strides', strides, rank, 1);
  check(node, 'dilations', dilations, rank, 1);
  check(node, 'pads', pads, 2 * rank, 0);
  const autoPad = stringAttribute(node, 'auto_pad', 'NOTSET');
  if (autoPad !== 'NOTSET' && autoPad !== 'VALID' && autoPad !== 'SAME_UPPER' && autoPad !== 'SAME_LOWER') {
    throw bad(node, `auto_pad "${autoPad}" is none of NOTSET, VALID, SAME_UPPER, SAME_LOWER`);
  }
  return {
    kernel: sizes,
    strides,
    dilations,
    padsBegin: pads.slice(0, rank),
    padsEnd: pads.slice(rank),
    autoPad,
    ceilMode: intAttribute(node, 'ceil_mode', 0) !== 0,
  };
}

/** The size of the kernel with its holes. */
export function extentOf(window: Window, axis: number): number {
  return window.dilations[axis]! * (window.kernel[axis]! - 1) + 1;
}

export function placeConv(node: Node, window: Window, axis: number, size: number): Placed {
  const { begin, end } = padsOf(window, axis, size, extentOf(window, axis));
  return place(node, window, axis, size, begin, end, false);
}

export function placePool(node: Node, window: Window, axis: number, size: number): Placed {
  // ONNX Runtime resolves auto_pad of a pool as if it had no dilations, and what it runs is what is explained.
  const { begin, end } = padsOf(window, axis, size, window.kernel[axis]!);
  return place(node, window, axis, size, begin, end, window.ceilMode);
}

export function placeTransposed(
  node: Node,
  window: Window,
  axis: number,
  size: number,
  outputPadding: number,
  wanted: number | undefined,
): Placed {
  const stride = window.strides[axis]!;
  const same = window.autoPad === 'SAME_UPPER' || window.autoPad === 'SAME_LOWER';
  const full = stride * (size - 1) + outputPadding + extentOf(window, axis);
  let begin = window.autoPad === 'NOTSET' ? window.padsBegin[axis]! : 0;
  let end = window.autoPad === 'NOTSET' ? window.padsEnd[axis]! : 0;
  if (wanted !== undefined || same) {
    const total = Math.max(0, full - (wanted ?? size * stride));
    const half = Math.floor(total / 2);
    begin = window.autoPad === 'SAME_UPPER' ? half : total - half;
    end = total - begin;
  }
  const output = wanted ?? full - begin - end;
  if (output < 0) throw tooSmall(node, size);
  return { begin, end, output };
}

/** Dumoulin and Visin, A guide to convolution arithmetic, relation 15; ONNX's auto_pad keeps ceil(size / stride). */
function padsOf(window: Window, axis: number, size: number, extent: number): { begin: number; end: number } {
  switch (window.autoPad) {
    case 'NOTSET':
      return { begin: window.padsBegin[axis]!, end: window.padsEnd[axis]! };
    case 'VALID':
      return { begin: 0, end: 0 };
    default: {
      const stride = window.strides[axis]!;
      const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + extent - size);
      const half = Math.floor(total / 2);
      const begin = window.autoPad === 'SAME_UPPER' ? half : total - half;
      return { begin, end: total - begin };
    }
  }
}

function place(
  node: Node,
  window: Window,
  axis: number,
  size: number,
  begin: number,
  end: number,
  ceilMode: boolean,
): Placed {
  const stride = window.strides[axis]!;
  const room = size + begin + end - extentOf(window, axis);
  if (room < 0) throw tooSmall(node, size);
  let output = (ceilMode ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
  if (ceilMode && (output - 1) * stride >= size + begin) output--;
  return { begin, end, output };
}

function placeAll(
  window: Window,
  inputSpatial: readonly number[],
  placeAxis: (window: Window, axis: number, size: number) => Placed,
): WindowGeometry {
  const placed = inputSpatial.map((size, axis) => placeAxis(window, axis, size));
  return {
    kernel: window.kernel,
    strides: window.strides,
    dilations: window.dilations,
    padsBegin: placed.map(({ begin }) => begin),
    padsEnd: placed.map(({ end }) => end),
    output: placed.map(({ output }) => output),
  };
}

function check(node: Node, name: string, numbers: readonly number[], count: number, least: number): void {
  if (numbers.length !== count) {
    throw bad(node, `${name} has ${numbers.length} numbers, ${count} are needed`);
  }
  if (numbers.some((number) => !Number.isSafeInteger(number) || number < least || number > 2 ** 31)) {
    throw bad(node, `${name} [${numbers.join(', ')}] must be integers from ${least} to 2^31`);
  }
}

function tooSmall(node: Node, size: number): UnitscopeError {
  return bad(node, `an input of size ${size} is smaller than the window`);
}

function bad(node: Node, why: string): UnitscopeError {
  return new UnitscopeError('bad-file', `${nodeLabel(node)}: ${why}`, { subject: node.name });
}
