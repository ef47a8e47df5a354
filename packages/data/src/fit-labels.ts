import type { LabelLayer, Landmark } from './data-set.js';
import type { Box, Size } from './picture.js';

/** Whether a label map has the picture's size, or that divided by a whole number and rounded down or up. */
export function isReduced(map: Size, picture: Size): boolean {
  if (map.height < 1 || map.width < 1) return false;
  // n pixels over a factor f round to m cells, down or up, when n / (m + 1) < f < n / (m - 1).
  const above = Math.max(picture.height / (map.height + 1), picture.width / (map.width + 1));
  const below = Math.min(picture.height / (map.height - 1), picture.width / (map.width - 1));
  return Math.floor(above) + 1 < below;
}

/**
 * The labels of a layer over the part of a picture that a network's input shows: each result pixel takes the label under
 * its middle, because labels cannot be averaged.
 *
 * @param layer of the picture's size, or smaller by a whole factor (see `isReduced`)
 * @param region of the picture, in its pixels (see `shownRegion`)
 * @param into `size.height` x `size.width` labels
 */
export function fitLabels(layer: LabelLayer, picture: Size, region: Box, size: Size, into: Int32Array): void {
  const { height, width } = layer;
  const rows = placesOf(region.top, region.height, size.height, height / picture.height, height);
  const columns = placesOf(region.left, region.width, size.width, width / picture.width, width);
  layer.draw({ rows, columns }, into);
}

/** Of every result pixel along one axis the map's cell under its middle. */
function placesOf(start: number, length: number, count: number, scale: number, cells: number): Int32Array {
  const places = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const place = Math.floor((start + ((i + 0.5) * length) / count) * scale);
    places[i] = Math.min(Math.max(place, 0), cells - 1);
  }
  return places;
}

/**
 * Where a landmark of a picture lies on a network's input, in its pixels; undefined where the input does not show it.
 */
export function fitLandmark(landmark: Landmark, region: Box, size: Size): Landmark | undefined {
  const y = ((landmark.y + 0.5 - region.top) * size.height) / region.height - 0.5;
  const x = ((landmark.x + 0.5 - region.left) * size.width) / region.width - 0.5;
  const shown = y >= -0.5 && x >= -0.5 && y <= size.height - 0.5 && x <= size.width - 0.5;
  return shown ? { name: landmark.name, y, x } : undefined;
}
