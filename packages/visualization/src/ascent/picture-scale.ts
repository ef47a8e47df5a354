import { type Tensor, UnitscopeError } from '@unitscope/tensor';

/** How a picture in 0..1, red first, becomes the network's input: per channel of the input, picture x gain + offset. */
export interface PictureScale {
  readonly channelOrder: 'rgb' | 'bgr';
  readonly gain: readonly number[];
  readonly offset: readonly number[];
}

/** Pictures as they are. */
export function identityScale(channels: number): PictureScale {
  const each = (value: number) => new Array<number>(channels).fill(value);
  return { channelOrder: 'rgb', gain: each(1), offset: each(0) };
}

/** Throws `wrong-use` for a scale of other channels than the network's, or one that cannot be undone. */
export function checkScale({ gain, offset }: PictureScale, channels: number): void {
  const sound = [...gain, ...offset].every(Number.isFinite) && gain.every((value) => value !== 0);
  if (sound && gain.length === channels && offset.length === channels) return;
  throw new UnitscopeError(
    'wrong-use',
    `the network takes ${channels} channels; give a gain other than 0 and an offset for each`,
  );
}

/** The input of pictures; `into` may be the same array only where the order is rgb. */
export function toInput(picture: Float32Array, into: Float32Array, scale: PictureScale, plane: number): void {
  forPlanes(picture.length, scale, plane, (from, to, gain, offset) => {
    for (let i = 0; i < plane; i++) into[to + i] = picture[from + i]! * gain + offset;
  });
}

/** The gradient by the picture from that by the input. */
export function pullBackInput(
  gradient: Float32Array,
  into: Float32Array,
  scale: PictureScale,
  plane: number,
): void {
  forPlanes(gradient.length, scale, plane, (from, to, gain) => {
    for (let i = 0; i < plane; i++) into[from + i] = gradient[to + i]! * gain;
  });
}

/** The pictures an input shows, cut off at 0 and 1. */
export function toPicture({ dims, data }: Tensor, scale: PictureScale): Tensor {
  const [, , height = 1, width = 1] = dims;
  const picture = new Float32Array(data.length);
  const plane = height * width;
  forPlanes(data.length, scale, plane, (from, to, gain, offset) => {
    for (let i = 0; i < plane; i++) {
      picture[from + i] = Math.min(1, Math.max(0, (data[to + i]! - offset) / gain));
    }
  });
  return { dims, data: picture };
}

function forPlanes(
  length: number,
  { channelOrder, gain, offset }: PictureScale,
  plane: number,
  work: (from: number, to: number, gain: number, offset: number) => void,
): void {
  const channels = gain.length;
  for (let start = 0; start < length; start += channels * plane) {
    for (let c = 0; c < channels; c++) {
      const from = channelOrder === 'rgb' ? c : channels - 1 - c;
      work(start + from * plane, start + c * plane, gain[c]!, offset[c]!);
    }
  }
}
