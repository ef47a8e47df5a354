import { sizeOf, UnitscopeError } from '@unitscope/tensor';
import type { AnyTensor } from './device-buffer.js';
import type { MapsParams } from './kernel-arguments.js';
import { requireDims } from './pooling.js';

/** Cells are counted with int32. */
const MAX_CELLS = 2 ** 31 - 1;

/** The maps of a tensor `[..., height, width]`. Throws `bad-input` for maps without cells or with more than 2^31 - 1. */
export function resolveMapsOf(x: AnyTensor): { readonly params: MapsParams; readonly outer: number[] } {
  const [height = 0, width = 0] = x.dims.slice(-2);
  const cells = height * width;
  if (x.dims.length < 2 || !(cells >= 1 && cells <= MAX_CELLS)) {
    throw new UnitscopeError(
      'bad-input',
      `x must be maps [..., height, width] of 1 to ${MAX_CELLS} cells, it has dims [${x.dims.join(', ')}]`,
      { subject: 'x' },
    );
  }
  requireDims('x', x, x.dims);
  const outer = x.dims.slice(0, -2);
  return { params: { maps: sizeOf(outer), height, width }, outer };
}
