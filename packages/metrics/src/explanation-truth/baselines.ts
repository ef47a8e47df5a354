import { type Tensor, UnitscopeError } from '@unitscope/tensor';
import { smoothPlane } from '../gaussian.js';

/** What pixels are replaced by: each channel's mean over the picture. @param picture `[C, H, W]` */
export function meanPicture(picture: Tensor): Tensor {
  const pixels = pixelsOf(picture);
  const data = new Float32Array(picture.data.length);
  for (let start = 0; start < data.length; start += pixels) {
    let sum = 0;
    for (let i = start; i < start + pixels; i++) sum += picture.data[i]!;
    data.fill(sum / pixels, start, start + pixels);
  }
  return { dims: picture.dims, data };
}

/**
 * What pixels are replaced by: the picture blurred by a Gaussian of 11 x 11 taps and sigma 5, as RISE starts insertion
 * from. At the borders only what lies inside is averaged, where a convolution with zeros would draw a dark frame.
 *
 * @param picture `[C, H, W]`
 */
export function blurredPicture(picture: Tensor): Tensor {
  const pixels = pixelsOf(picture);
  const [, height = 0, width = 0] = picture.dims;
  const data = new Float32Array(picture.data.length);
  for (let start = 0; start < data.length; start += pixels) {
    const plane = picture.data.subarray(start, start + pixels);
    data.set(smoothPlane(plane, [height, width], { radius: 5, sigma: 5, edge: 'renormalised' }), start);
  }
  return { dims: picture.dims, data };
}

function pixelsOf({ dims, data }: Tensor): number {
  const [channels = 0, height = 0, width = 0] = dims;
  if (dims.length === 3 && data.length > 0 && data.length === channels * height * width)
    return height * width;
  throw new UnitscopeError('bad-input', `a picture is [channels, height, width], not [${dims.join(', ')}]`);
}
