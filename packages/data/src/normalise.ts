import { sizeOf, type Tensor, UnitscopeError } from '@unitscope/tensor';
import { type Box, cropPicture, type RgbPicture, type Size } from './picture.js';
import type { Preprocessing } from './preprocessing.js';
import { resizePicture } from './resize.js';

/**
 * The picture at the network's size, as `preprocessing` resizes and crops it, still in grey levels. Throws `aborted`.
 */
export async function fitPicture(
  picture: RgbPicture,
  preprocessing: Preprocessing,
  size: Size,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<RgbPicture> {
  const { crop, filter } = preprocessing;
  if (preprocessing.resize === 'stretch') {
    const middle = crop === 1 ? picture : cropPicture(picture, centralBox(picture, crop));
    return resizePicture(middle, size, filter, options);
  }
  const full = coveringSize(picture, size, crop);
  const top = roundHalfToEven((full.height - size.height) / 2);
  const left = roundHalfToEven((full.width - size.width) / 2);
  return resizePicture(picture, full, filter, { ...options, window: { top, left, ...size } });
}

function centralBox(picture: Size, crop: number): Box {
  const height = Math.max(1, Math.round(picture.height * crop));
  const width = Math.max(1, Math.round(picture.width * crop));
  return {
    top: Math.floor((picture.height - height) / 2),
    left: Math.floor((picture.width - width) / 2),
    height,
    width,
  };
}

/** The picture's shape at the smallest scale that covers size / crop; the side that is not fixed rounds down. */
function coveringSize(picture: Size, size: Size, crop: number): Size {
  const height = Math.max(size.height, Math.round(size.height / crop));
  const width = Math.max(size.width, Math.round(size.width / crop));
  if (height * picture.width >= width * picture.height) {
    return { height, width: Math.floor((height * picture.width) / picture.height) };
  }
  return { height: Math.floor((width * picture.height) / picture.width), width };
}

// The offset of a crop by an odd difference, as Python's round() gives it to the pipelines that trained the networks.
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}

/** The float32 tensor [1, 3, height, width]: per channel `(v / scale - mean) / std`, in float64 before rounding. */
export function normalisePicture(picture: RgbPicture, preprocessing: Preprocessing): Tensor {
  const { width, height, data } = picture;
  const plane = width * height;
  const values = new Float32Array(3 * plane);
  for (let channel = 0; channel < 3; channel++) {
    const levels = levelsOf(preprocessing, channel);
    const from = preprocessing.channelOrder === 'rgb' ? channel : 2 - channel;
    for (let i = 0; i < plane; i++) values[channel * plane + i] = levels[data[i * 3 + from]!]!;
  }
  return { dims: [1, 3, height, width], data: values };
}

function levelsOf({ scale, mean, std }: Preprocessing, channel: number): Float32Array {
  return Float32Array.from({ length: 256 }, (_, level) => (level / scale - mean[channel]!) / std[channel]!);
}

/**
 * The picture a network's input shows: the inverse of `normalisePicture`, rounded and clipped to 0..255.
 *
 * @param input [1, 3, height, width] or [3, height, width]
 */
export function restorePicture(input: Tensor, preprocessing: Preprocessing): RgbPicture {
  const [channels = 0, height = 0, width = 0] = input.dims.slice(-3);
  if (channels !== 3 || sizeOf(input.dims) !== 3 * height * width) {
    throw new UnitscopeError(
      'bad-input',
      `a picture is made from dims [1, 3, height, width], not from [${input.dims.join(', ')}]`,
    );
  }
  const { scale, mean, std, channelOrder } = preprocessing;
  const plane = width * height;
  const data = new Uint8Array(3 * plane);
  for (let channel = 0; channel < 3; channel++) {
    const to = channelOrder === 'rgb' ? channel : 2 - channel;
    for (let i = 0; i < plane; i++) {
      const level = (input.data[channel * plane + i]! * std[channel]! + mean[channel]!) * scale;
      data[i * 3 + to] = Math.min(255, Math.max(0, Math.round(level)));
    }
  }
  return { width, height, channels: 3, data };
}
