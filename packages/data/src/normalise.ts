import { sizeOf, type Tensor, UnitscopeError } from '@unitscope/tensor';
import type { RgbPicture, Size } from './picture.js';
import type { Preprocessing } from './preprocessing.js';
import type { RowTaker } from './resize.js';

/** The float32 tensor [1, 3, height, width]: per channel `(v / scale - mean) / std`, in float64 before rounding. */
export function normalisePicture(picture: RgbPicture, preprocessing: Preprocessing): Tensor {
  const { width, height } = picture;
  const data = new Float32Array(3 * width * height);
  normaliseInto(picture, preprocessing, data);
  return { dims: [1, 3, height, width], data };
}

/** As `normalisePicture`, written to `into`, 3 x height x width values. */
export function normaliseInto(
  { width, height, data }: RgbPicture,
  preprocessing: Preprocessing,
  into: Float32Array,
): void {
  const take = rowNormaliser(preprocessing, { width, height }, into);
  for (let row = 0; row < height; row++) take(row, data.subarray(row * width * 3, (row + 1) * width * 3));
}

/** Normalises a picture of this size row by row, into 3 x height x width values. */
export function rowNormaliser(
  preprocessing: Preprocessing,
  { width, height }: Size,
  into: Float32Array,
): RowTaker {
  const plane = width * height;
  const [first, second, third] = levelsOf(preprocessing);
  const [firstFrom, thirdFrom] = preprocessing.channelOrder === 'rgb' ? [0, 2] : [2, 0];
  return (row, levels) => {
    const start = row * width;
    for (let i = start, at = 0; i < start + width; i++, at += 3) {
      into[i] = first[levels[at + firstFrom]!]!;
      into[plane + i] = second[levels[at + 1]!]!;
      into[2 * plane + i] = third[levels[at + thirdFrom]!]!;
    }
  };
}

/** What black becomes, a value for each channel in the network's order. */
export function black({ mean, std }: Preprocessing): readonly [number, number, number] {
  return [-mean[0] / std[0], -mean[1] / std[1], -mean[2] / std[2]];
}

type Levels = readonly [Float32Array, Float32Array, Float32Array];

/** What the 256 grey levels become; a preprocessing serves many pictures. */
const knownLevels = new WeakMap<Preprocessing, Levels>();

function levelsOf(preprocessing: Preprocessing): Levels {
  const known = knownLevels.get(preprocessing);
  if (known !== undefined) return known;
  const { scale, mean, std } = preprocessing;
  const of = (channel: 0 | 1 | 2) =>
    Float32Array.from({ length: 256 }, (_, level) => (level / scale - mean[channel]) / std[channel]);
  const made: Levels = [of(0), of(1), of(2)];
  knownLevels.set(preprocessing, made);
  return made;
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
