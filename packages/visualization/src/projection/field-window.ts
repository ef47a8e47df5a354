import type { ReceptiveField } from '@unitscope/model';

/** A rectangle of a picture, in pixels from its top left one. */
export interface Window {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** What one unit of a map sees of a picture. */
export interface FieldWindow {
  /** The receptive field as it is, which may reach beyond the borders; along a side longer than the picture, the picture. */
  readonly frame: Window;
  /** The part of the frame that lies in the picture; empty for a unit that sees padding only. */
  readonly inside: Window;
}

/**
 * The receptive field of the unit at a position (row and column, 0-based) of a layer's map: the rows from `offset + row
 * stride` on, `size` of them, and the columns likewise. Fields that begin within a pixel are widened to whole ones, all
 * fields of a layer to the same size.
 *
 * @param picture height and width of the network's input
 */
export function fieldWindow(
  { size, stride, offset }: ReceptiveField,
  position: readonly [number, number],
  picture: readonly [number, number],
): FieldWindow {
  const sides = ([0, 1] as const).map((axis) => {
    const length = picture[axis];
    const start = offset[axis] + position[axis] * stride[axis];
    const begins = Math.floor(start);
    const isWhole = [size, stride, offset].every((pair) => Number.isInteger(pair[axis]));
    const extent = isWhole ? size[axis] : Math.ceil(size[axis]) + 1;
    const first = Math.min(length, Math.max(0, begins));
    const end = Math.max(first, Math.min(length, begins + extent));
    const frame = extent > length ? { start: 0, length } : { start: begins, length: extent };
    return { frame, inside: { start: first, length: end - first } };
  });
  const [vertical, horizontal] = sides as [(typeof sides)[number], (typeof sides)[number]];
  const windowOf = (of: 'frame' | 'inside'): Window => ({
    top: vertical[of].start,
    left: horizontal[of].start,
    height: vertical[of].length,
    width: horizontal[of].length,
  });
  return { frame: windowOf('frame'), inside: windowOf('inside') };
}
