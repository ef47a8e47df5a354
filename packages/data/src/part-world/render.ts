import { UnitscopeError } from '@unitscope/tensor';
import type { RgbPicture } from '../picture.js';
import { rasterisePixels } from '../rasterise.js';
import { changePart, drawScene } from './draw-scene.js';
import type { Part, PartStyle, Scene } from './scene.js';

/** The sides that pictures of the part world can have, in pixels. */
export const SIDES = { least: 64, most: 1024 };

export interface RenderOptions {
  /** Height and width in pixels, from 64 to 1024. */
  readonly size: number;
  /** A part that is left out. */
  readonly without?: Part;
  /** A part that gets another look, such as that of another category: `CATEGORIES[i].parts[part]`. */
  readonly exchange?: { readonly part: Part; readonly style: PartStyle };
}

/**
 * The picture of a scene. A part that is left out or exchanged changes no pixel that neither it nor its replacement
 * reaches; where something hides it, only pixels along the edges of that may change, by what shines through. The same
 * sharp gives the same bytes.
 *
 * Throws `wrong-use` for a size out of range and a shape that does not exist.
 */
export async function renderScene(scene: Scene, options: RenderOptions): Promise<RgbPicture> {
  const { size, without, exchange } = options;
  requireSide(size);
  let shown = scene;
  if (exchange !== undefined) shown = changePart(shown, exchange.part, exchange.style);
  if (without !== undefined) shown = changePart(shown, without);
  return rasterisePixels(drawScene(shown, size));
}

export function requireSide(size: number): void {
  if (Number.isInteger(size) && size >= SIDES.least && size <= SIDES.most) return;
  throw new UnitscopeError(
    'wrong-use',
    `pictures of the part world are from ${SIDES.least} to ${SIDES.most} pixels wide, not ${size}`,
  );
}
