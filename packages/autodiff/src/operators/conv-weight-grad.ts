import { intsAttribute, type Node } from '@unitscope/onnx';
import { UnitscopeError } from '@unitscope/tensor';
import type { NativeOperator } from '../native-operator.js';
import { emitTapWeightGradient, type TapWindows } from '../rules/tap-weight-gradient.js';

/**
 * `ConvWeightGrad(slid, fixed) -> dW`: the gradient of a convolution's weights, dims [F, S / groups, kh, kw], from the map
 * its windows slide over, [N, S, H, W], and the map with one cell for each window, [N, F, h, w]:
 * dW[f, s, k] = sum over n, o of fixed[n, f, o] slid[n, s, o * stride + k * dilation - pad], nothing where that lies
 * outside. Of a Conv, slid is its input and fixed the signal at its output; of a ConvTranspose, the other way round.
 *
 * - ints attribute `shape`: of dW, [F, S / groups, kh, kw]
 * - ints attributes `strides`, `dilations`, and `pads`, those at the beginning only: [top, left]
 */
export const convWeightGrad = {
  operator: 'ConvWeightGrad',
  shape: (context) => [{ type: context.type(0), dims: intsAttribute(context.node, 'shape', []) }],
  lower: (context) => {
    const { node } = context;
    const [slid, fixed] = node.inputs as [string, string];
    const sizes = sizesOf(node, context.dims(slid));
    const cells = sizesOf(node, context.dims(fixed));
    return [
      emitTapWeightGradient(context, {
        ...windowsOf(node, sizes[0]!),
        ...{ slid, fixed, sizes: sizes.slice(1), cells: cells.slice(1) },
        slidChannels: sizes[0]!,
        fixedChannels: cells[0]!,
      }),
    ];
  },
} satisfies NativeOperator;

export function convWeightGradAttributes(windows: TapWindows) {
  const { kernel, strides, dilations, padsBegin, groups, slidChannels, fixedChannels } = windows;
  return { shape: [fixedChannels, slidChannels / groups, ...kernel], strides, dilations, pads: padsBegin };
}

function windowsOf(node: Node, slidChannels: number) {
  const ints = (name: string) => intsAttribute(node, name, []);
  const [, perGroup = 1, ...kernel] = ints('shape');
  return {
    kernel,
    strides: ints('strides'),
    dilations: ints('dilations'),
    padsBegin: ints('pads'),
    groups: slidChannels / perGroup,
  };
}

/** Channels, height and width. */
function sizesOf(node: Node, dims: readonly (number | string)[]): number[] {
  return dims.slice(1).map((size) => {
    if (typeof size === 'number') return size;
    throw new UnitscopeError(
      'unsupported',
      `${node.name}: dims [${dims.join(', ')}] are known at run time only`,
    );
  });
}
