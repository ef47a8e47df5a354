import { stringAttribute } from '@unitscope/onnx';
import { integersOf, isLeftOut, resolveAxis, sizeAlong, sourcesOf, sumSources } from './axes.js';
import { pointwise } from './pointwise.js';

/**
 * Padding by a constant, by reflection, by the edge or around (`wrap`): dx = dy, where every padded entry gives its
 * signal to the entry it was copied from. Negative pads, which crop, get 0 back.
 */
export const pad = {
  gradient: pointwise('Pad', ({ context, x, dy }) => {
    const { builder, node } = context;
    const dims = context.dims(x);
    const mode = stringAttribute(node, 'mode', 'constant');
    const pads = integersOf(context.requireConstant(1, 'pads'));
    const axes = isLeftOut(node, 3)
      ? dims.map((_, axis) => axis)
      : integersOf(context.requireConstant(3, 'axes')).map((axis) => resolveAxis(context, axis, dims.length));
    if (mode === 'constant') {
      const cropped = builder.ints(pads.map((count) => (count === 0 ? 0 : -count)));
      return context.emit('Pad', [dy, cropped, '', builder.ints(axes)]);
    }
    return axes.reduce((signal, axis, i) => {
      const [before, after] = [pads[i]!, pads[i + axes.length]!];
      if (before === 0 && after === 0) return signal;
      const size = sizeAlong(context, x, axis);
      const length = before + size + after;
      const picks = Array.from({ length }, (_, at) => copiedFrom(mode, at - before, size));
      return sumSources(context, signal, axis, length, sourcesOf(picks, size));
    }, dy);
  }),
};

/** The entry of x that position `at` of the padded axis shows; position 0 is the first entry of x. */
function copiedFrom(mode: string, at: number, size: number): number {
  if (mode === 'edge') return Math.min(Math.max(at, 0), size - 1);
  if (mode === 'wrap') return ((at % size) + size) % size;
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const folded = ((at % period) + period) % period;
  return Math.min(folded, period - folded);
}
