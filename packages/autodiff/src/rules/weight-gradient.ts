import { UNITSCOPE_DOMAIN } from '../native-operator.js';
import { convWeightGradAttributes } from '../operators/conv-weight-grad.js';
import type { RuleContext } from '../rule.js';
import { emitTapWeightGradient, isPointwise, type TapWindows } from './tap-weight-gradient.js';

/**
 * The gradient of the weights of a convolution, dims [F, S / groups, kernel...] for F channels of the fixed and S of the
 * slid map: dW[f, s, k] = sum over samples n and cells o of fixed[n, f, o] slid[n, s, o * stride + k * dilation - pad].
 *
 * Two spatial axes are an operator of ours. What is pointwise is matrix products already, and better left to them.
 */
export function emitWeightGradient(context: RuleContext, windows: TapWindows): string {
  if (windows.kernel.length !== 2 || isPointwise(windows)) return emitTapWeightGradient(context, windows);
  const { slid, fixed } = windows;
  return context.emit('ConvWeightGrad', [slid, fixed], convWeightGradAttributes(windows), {
    domain: UNITSCOPE_DOMAIN,
  });
}

/** The sum of a signal [N, C, ...] over samples and positions, [C]: the gradient of a bias per channel. */
export function emitChannelSums(context: RuleContext, signal: string, rank: number): string {
  const axes = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => axis !== 1);
  return context.emit('ReduceSum', [signal, context.builder.ints(axes)], { keepdims: 0 });
}
