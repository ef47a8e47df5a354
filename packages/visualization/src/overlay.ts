import { type Tensor, UnitscopeError } from '@unitscope/tensor';
import { type ColorMapName, colorMap } from './color-map.js';
import { flattenChannels, normaliseMap, type PercentileOptions } from './map-picture.js';
import { type Picture, toRgb } from './picture.js';
import { resample } from './resample.js';

export interface OverlayOptions extends PercentileOptions {
  /** Default `turbo`. */
  readonly colorMap?: ColorMapName;
  /** How much of the photo the heat covers, 0 to 1. Default 0.6. */
  readonly opacity?: number;
  /**
   * - `by-value` (default): the opacity falls with the heat, so the photo stays clear where the map is low
   * - `even`: the same opacity everywhere
   */
  readonly blend?: 'by-value' | 'even';
}

/**
 * A heat map over a photo. The map is resized to the photo bilinearly, then scaled to 0..1 as `normaliseMap` does.
 *
 * @param map [H, W], [C, H, W] or [1, C, H, W] of any size; of several channels the largest |value| counts
 */
export function overlayMap(picture: Picture, map: Tensor, options: OverlayOptions = {}): Picture {
  const { opacity = 0.6, blend = 'by-value' } = options;
  if (!(opacity >= 0 && opacity <= 1)) {
    throw new UnitscopeError('wrong-use', `opacity ${opacity} must be from 0 to 1`);
  }
  const photo = toRgb(picture);
  const { width, height } = photo;
  const table = colorMap(options.colorMap ?? 'turbo');
  const flat = flattenChannels(map);
  const sized = Float32Array.from(resample(flat.data, flat, { width, height }));
  const { values } = normaliseMap({ dims: [height, width], data: sized }, options);
  const data = new Uint8Array(photo.data.length);
  for (const [pixel, value] of values.entries()) {
    const cover = blend === 'even' ? opacity : opacity * value;
    const entry = Math.round(value * 255) * 3;
    for (let channel = 0; channel < 3; channel++) {
      const level = photo.data[pixel * 3 + channel]!;
      data[pixel * 3 + channel] = Math.round(level + cover * (table[entry + channel]! - level));
    }
  }
  return { width, height, channels: 3, data };
}
