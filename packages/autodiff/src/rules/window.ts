import { intsAttribute, type Node, stringAttribute } from '@unitscope/onnx';

/** Where the windows of a convolution or pooling lie, one entry per spatial axis. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padsBegin: readonly number[];
  readonly padsEnd: readonly number[];
}

/** Cells from the first to the last that a kernel touches along one axis: dilation * (kernel - 1) + 1. */
export function extentOf(window: Window, axis: number): number {
  return window.dilations[axis]! * (window.kernel[axis]! - 1) + 1;
}

/** The attribute `pads` of ONNX: all beginnings, then all ends. */
export function padsOf(window: Window): number[] {
  return [...window.padsBegin, ...window.padsEnd];
}

/** Strides and dilations of a node, ones where the attribute is left out. */
export function stepsOf(node: Node, rank: number): Pick<Window, 'strides' | 'dilations'> {
  const ones = Array.from({ length: rank }, () => 1);
  return {
    strides: intsAttribute(node, 'strides', ones),
    dilations: intsAttribute(node, 'dilations', ones),
  };
}

/**
 * The window of a Conv, MaxPool or AveragePool node, with `auto_pad` turned into pads. `sizes` are the input's spatial
 * sizes. The pads that SAME adds are those of ONNX: the output has ceil(size / stride) cells, an odd cell of padding
 * goes to the end for SAME_UPPER and to the beginning for SAME_LOWER.
 */
export function windowOf(node: Node, kernel: readonly number[], sizes: readonly number[]): Window {
  const rank = kernel.length;
  const { strides, dilations } = stepsOf(node, rank);
  const autoPad = stringAttribute(node, 'auto_pad', 'NOTSET');
  if (autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER') {
    const totals = sizes.map((size, axis) => {
      const stride = strides[axis]!;
      const extent = dilations[axis]! * (kernel[axis]! - 1) + 1;
      return Math.max(0, (Math.ceil(size / stride) - 1) * stride + extent - size);
    });
    const smaller = totals.map((total) => Math.floor(total / 2));
    const larger = totals.map((total) => Math.ceil(total / 2));
    return autoPad === 'SAME_UPPER'
      ? { kernel, strides, dilations, padsBegin: smaller, padsEnd: larger }
      : { kernel, strides, dilations, padsBegin: larger, padsEnd: smaller };
  }
  const none = Array.from({ length: 2 * rank }, () => 0);
  const pads = autoPad === 'VALID' ? none : intsAttribute(node, 'pads', none);
  return { kernel, strides, dilations, padsBegin: pads.slice(0, rank), padsEnd: pads.slice(rank) };
}
