import type { RuleContext } from '../rule.js';
import { integersOf, isLeftOut, resolveAxis, sizeAlong, sourcesOf, sumSources } from './axes.js';
import { pointwise } from './pointwise.js';

/** y = the entries start, start + step, ... of x along each axis given: dx = dy back at those places, else 0. */
export const slice = {
  gradient: pointwise('Slice', ({ context, x, dy }) => {
    const dims = context.dims(x);
    const starts = integersOf(context.requireConstant(1, 'starts'));
    const ends = integersOf(context.requireConstant(2, 'ends'));
    const axes = optional(context, 3, 'axes') ?? starts.map((_, axis) => axis);
    const steps = optional(context, 4, 'steps') ?? starts.map(() => 1);
    return axes.reduce((signal, given, i) => {
      const axis = resolveAxis(context, given, dims.length);
      const [start, end, step] = [starts[i]!, ends[i]!, steps[i]!];
      // Everything along an axis whose size is not known, such as the batch.
      if (start === 0 && step === 1 && end >= 2 ** 31 - 1) return signal;
      const size = sizeAlong(context, x, axis);
      const picks = pickedBy(start, end, step, size);
      return sumSources(context, signal, axis, picks.length, sourcesOf(picks, size));
    }, dy);
  }),
};

function optional(context: RuleContext, input: number, what: string): number[] | undefined {
  return isLeftOut(context.node, input) ? undefined : integersOf(context.requireConstant(input, what));
}

/** The entries a slice takes, in order, with ONNX's clamping of its bounds. */
function pickedBy(start: number, end: number, step: number, size: number): number[] {
  const clamp = (bound: number, low: number, high: number) =>
    Math.min(Math.max(bound < 0 ? bound + size : bound, low), high);
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const first = clamp(start, 0, high);
  const stop = clamp(end, low, high);
  const picks: number[] = [];
  for (let at = first; step > 0 ? at < stop : at > stop; at += step) picks.push(at);
  return picks;
}
