import { indexOfNonFinite, sizeOf, type Tensor, UnitscopeError } from '@unitscope/tensor';
import { type ColorMapName, colorMap } from './color-map.js';
import type { Picture } from './picture.js';

/** A map of one sample, split into planes. */
export interface MapPlanes {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly data: Float32Array;
}

/** One value a pixel. */
export interface NormalisedMap {
  readonly height: number;
  readonly width: number;
  readonly values: Float32Array;
  /** The values of the map that became the two ends. */
  readonly low: number;
  readonly high: number;
}

export interface PercentileOptions {
  /**
   * In percent, above 0, at most 100; values beyond are clipped, so that a few bright pixels do not darken the rest.
   * Default 99.5.
   */
  readonly percentile?: number;
}

const DEFAULT_PERCENTILE = 99.5;

/**
 * The planes of a map [H, W], [C, H, W] or [1, C, H, W]. Throws `bad-input` for other dims, an empty map, NaN or
 * infinity.
 */
export function planesOf(map: Tensor): MapPlanes {
  const { dims, data } = map;
  const [height = 0, width = 0] = dims.slice(-2);
  const channels = dims.length > 2 ? dims.at(-3)! : 1;
  const size = sizeOf(dims);
  if (dims.length < 2 || dims.length > 4 || size !== channels * height * width || size !== data.length) {
    throw new UnitscopeError(
      'bad-input',
      `a picture is made of one map [channels, height, width], not of [${dims.join(', ')}] with ${data.length} values`,
    );
  }
  if (size === 0) throw new UnitscopeError('bad-input', `a map of dims [${dims.join(', ')}] has no pixels`);
  const broken = indexOfNonFinite(data);
  if (broken !== -1) {
    throw new UnitscopeError(
      'bad-input',
      `the map has ${data[broken]} at element ${broken}; it must be finite`,
    );
  }
  return { channels, height, width, data };
}

/** One plane: the map itself if it has one channel, else the largest |value| over the channels at each pixel. */
export function flattenChannels(map: Tensor): MapPlanes {
  const { channels, height, width, data } = planesOf(map);
  if (channels === 1) return { channels, height, width, data };
  const plane = height * width;
  const flat = new Float32Array(plane);
  for (let i = 0; i < data.length; i++) {
    const pixel = i % plane;
    flat[pixel] = Math.max(flat[pixel]!, Math.abs(data[i]!));
  }
  return { channels: 1, height, width, data: flat };
}

/**
 * A map scaled to 0..1 (`flattenChannels` first). 1 is the percentile of the values; 0 is the opposite percentile (the
 * 0.5th for 99.5) where that is negative, else value 0. If the two ends coincide the extremes are taken, so a sparse
 * map still shows; a constant map is 1 everywhere if positive and 0 everywhere if not.
 */
export function normaliseMap(map: Tensor, options: PercentileOptions = {}): NormalisedMap {
  const percentile = checkedPercentile(options);
  const { height, width, data } = flattenChannels(map);
  const sorted = Float32Array.from(data).sort();
  const smallest = Math.min(0, sorted[0]!);
  let low = Math.min(0, percentileOf(sorted, 100 - percentile));
  let high = percentileOf(sorted, percentile);
  if (high <= low) {
    low = smallest;
    high = sorted.at(-1)!;
  }
  const values = new Float32Array(data.length);
  if (high > low) {
    for (let i = 0; i < data.length; i++) values[i] = clamp((data[i]! - low) / (high - low), 0, 1);
  }
  return { height, width, values, low, high };
}

/**
 * A heat map as an RGB picture: `normaliseMap`, then the colour map.
 *
 * @param map [H, W], [C, H, W] or [1, C, H, W]; of several channels the largest |value| counts
 */
export function heatPicture(
  map: Tensor,
  options: PercentileOptions & { readonly colorMap?: ColorMapName } = {},
): Picture {
  const { width, height, values } = normaliseMap(map, options);
  return paint(values, width, height, colorMap(options.colorMap ?? 'inferno'));
}

/**
 * A signed map as an RGB picture, on a scale symmetric around zero: the percentile of |value| over all channels is the
 * end of the scale (the largest |value| if that is 0). Three channels become colours around mid-grey, as
 * backpropagation maps are shown; one channel goes through `blue-white-red`. A map of zeros is flat.
 *
 * @param map [H, W], or [C, H, W] or [1, C, H, W] with 1 or 3 channels
 */
export function signedPicture(
  map: Tensor,
  options: PercentileOptions & {
    /** The order of the channels of the map, which is that of the network's input. Default `rgb`. */
    readonly channelOrder?: 'rgb' | 'bgr';
    /** For one channel. Default `blue-white-red`. */
    readonly colorMap?: ColorMapName;
  } = {},
): Picture {
  const percentile = checkedPercentile(options);
  const { channels, height, width, data } = planesOf(map);
  if (channels !== 1 && channels !== 3) {
    throw new UnitscopeError(
      'bad-input',
      `a signed picture has 1 or 3 channels, the map has ${channels}; show it as a heat map`,
    );
  }
  const magnitudes = data.map(Math.abs).sort();
  const scale = percentileOf(magnitudes, percentile) || magnitudes.at(-1)!;
  const signed = (value: number): number => (scale > 0 ? clamp(value / scale, -1, 1) : 0);
  if (channels === 1) {
    const values = Float32Array.from(data, (value) => 0.5 + signed(value) / 2);
    return paint(values, width, height, colorMap(options.colorMap ?? 'blue-white-red'));
  }
  const plane = width * height;
  const pixels = new Uint8Array(3 * plane);
  for (let channel = 0; channel < 3; channel++) {
    const to = options.channelOrder === 'bgr' ? 2 - channel : channel;
    for (let i = 0; i < plane; i++) {
      pixels[i * 3 + to] = Math.round(127.5 + 127.5 * signed(data[channel * plane + i]!));
    }
  }
  return { width, height, channels: 3, data: pixels };
}

function paint(values: Float32Array, width: number, height: number, table: Uint8Array): Picture {
  const data = new Uint8Array(values.length * 3);
  for (const [i, value] of values.entries()) {
    const entry = Math.round(value * 255) * 3;
    data.set(table.subarray(entry, entry + 3), i * 3);
  }
  return { width, height, channels: 3, data };
}

function checkedPercentile({ percentile = DEFAULT_PERCENTILE }: PercentileOptions): number {
  if (!(percentile > 0 && percentile <= 100)) {
    throw new UnitscopeError('wrong-use', `percentile ${percentile} must be above 0 and at most 100`);
  }
  return percentile;
}

/** Linear between the two nearest ranks. */
function percentileOf(sorted: Float32Array, percentile: number): number {
  const rank = (percentile / 100) * (sorted.length - 1);
  const below = Math.floor(rank);
  const above = Math.min(sorted.length - 1, below + 1);
  return sorted[below]! + (sorted[above]! - sorted[below]!) * (rank - below);
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
