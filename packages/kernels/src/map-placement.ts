import { UnitscopeError } from '@unitscope/tensor';

/**
 * Where the cells of a map lie on the pixels of the labels, [vertical, horizontal]: cell i at pixel origin + i step.
 * Between cells the map is interpolated linearly; beyond the outermost it keeps their value (`clamp`) or fades to 0
 * within one step (`zero`).
 */
export interface MapPlacement {
  readonly origin: readonly [number, number];
  readonly step: readonly [number, number];
  readonly edge: 'clamp' | 'zero';
}

/** A layer's receptive fields, in pixels of the network's input, the same along both axes. */
export interface ReceptiveField {
  readonly size: number;
  /** From one unit to the next. */
  readonly stride: number;
  /** Where the first field begins: minus the accumulated padding. */
  readonly offset: number;
}

/**
 * Network Dissection's placement of 2017: unit i at (floor(size / 2) + offset) // reduction + i (stride // reduction),
 * rounded down, clamped beyond the outermost units.
 *
 * @param reduction input pixels per label pixel (2 for labels of 112 x 112 under inputs of 224 x 224)
 */
export function placeAtReceptiveFields(
  { size, stride, offset }: ReceptiveField,
  reduction: number,
): MapPlacement {
  const step = Math.floor(stride / reduction);
  if (!Number.isInteger(reduction) || reduction < 1 || step < 1) {
    throw new UnitscopeError(
      'wrong-use',
      `reduction must be an integer from 1 to the stride ${stride}, it is ${reduction}`,
    );
  }
  const origin = Math.floor((Math.floor(size / 2) + offset) / reduction);
  return { origin: [origin, origin], step: [step, step], edge: 'clamp' };
}

/** Half-pixel centres with clamped edges, as PIL and NetDissect-Lite enlarge: step = pixels / cells, origin = step / 2 - 1 / 2. */
export function placeHalfPixel(
  cells: readonly [number, number],
  pixels: readonly [number, number],
): MapPlacement {
  const step: [number, number] = [pixels[0] / cells[0], pixels[1] / cells[1]];
  return { origin: [step[0] / 2 - 0.5, step[1] / 2 - 0.5], step, edge: 'clamp' };
}

/** Half-pixel centres with zeros beyond the edges, as dissect of 2020 enlarges. */
export function placeZeroPadded(
  cells: readonly [number, number],
  pixels: readonly [number, number],
): MapPlacement {
  return { ...placeHalfPixel(cells, pixels), edge: 'zero' };
}
