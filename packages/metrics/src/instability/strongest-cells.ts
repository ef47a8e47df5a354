import { argmaxMaps } from '@unitscope/kernels';
import { type Tensor, UnitscopeError } from '@unitscope/tensor';

/**
 * Of every map `[..., height, width]` the largest activation and its cell, row * width + column: the first in row-major
 * order. Throws `bad-input` where that is NaN or infinite.
 */
export async function strongestCells(maps: Tensor): Promise<{ values: Float32Array; places: Int32Array }> {
  const { index, value } = await argmaxMaps(maps);
  const unsound = value.data.findIndex((each) => !Number.isFinite(each));
  if (unsound !== -1) {
    throw new UnitscopeError(
      'bad-input',
      `the largest activation of map ${unsound} is ${value.data[unsound]}, not a finite number`,
    );
  }
  return { values: value.data, places: index.data };
}
