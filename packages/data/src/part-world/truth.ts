import type { Box, Size } from '../picture.js';
import { rasterisePixels } from '../rasterise.js';
import { apply } from './affine.js';
import { drawRegions, type Region, regionsOf } from './draw-scene.js';
import { framesOf } from './pose.js';
import { requireSide } from './render.js';
import { PARTS, type Part, type Scene } from './scene.js';
import { shapeOf } from './shapes.js';

/** The landmark of a part, in pixels; the middle of the top left pixel is 0, 0. */
export interface PartLandmark {
  readonly x: number;
  readonly y: number;
  /** The pixel it lies in belongs to its part. */
  readonly visible: boolean;
}

/** What is true of the picture of a scene. All of what can be seen: what is hidden belongs to what hides it. */
export interface SceneTruth {
  /** An index into `CATEGORIES`. */
  readonly category: number;
  /** `size * size` each, row by row: 1 where a pixel's middle shows the part. Of the parts that the scene has. */
  readonly masks: ReadonlyMap<Part, Uint8Array>;
  /** Of the same parts. */
  readonly landmarks: ReadonlyMap<Part, PartLandmark>;
  /** Of the parts that can be seen. */
  readonly boxes: ReadonlyMap<Part, Box>;
}

/**
 * What is true of the picture that `renderScene` makes of a scene. Masks are disjoint; where the outline of a part crosses
 * a pixel, the pixel is that of what lies at its middle. Throws `wrong-use` as `renderScene`.
 */
export async function truthOf(scene: Scene, size: number): Promise<SceneTruth> {
  const visible = await visibleRegions(scene, size);
  const masks = new Map<Part, Uint8Array>();
  const boxes = new Map<Part, Box>();
  for (const part of PARTS) {
    const id = numberOf(part, visible);
    if (id === 0) continue;
    const mask = maskOf(visible.owners, id);
    masks.set(part, mask);
    const box = boxOf(mask, { height: size, width: size });
    if (box !== undefined) boxes.set(part, box);
  }
  return { category: scene.category, masks, landmarks: landmarksOf(scene, size, visible), boxes };
}

/** Which region every pixel of a picture belongs to. */
export interface VisibleRegions {
  readonly regions: readonly Region[];
  /** For every pixel the number of its region, from 1. */
  readonly owners: Uint8Array;
}

/** The landmarks of the parts that a scene has. */
export function landmarksOf(scene: Scene, size: number, visible: VisibleRegions): Map<Part, PartLandmark> {
  const landmarks = new Map<Part, PartLandmark>();
  for (const part of PARTS) {
    const id = numberOf(part, visible);
    if (id !== 0) landmarks.set(part, landmarkOf(scene, part, { ...visible, id, size }));
  }
  return landmarks;
}

/** The number of a part's region, 0 where the scene has no such part. */
function numberOf(part: Part, { regions }: VisibleRegions): number {
  return 1 + regions.findIndex((region) => region.part === part);
}

/** The regions of a scene, by one rasterisation. */
export async function visibleRegions(scene: Scene, size: number): Promise<VisibleRegions> {
  requireSide(size);
  const { data } = await rasterisePixels(drawRegions(scene, size));
  const owners = new Uint8Array(size * size);
  for (let i = 0; i < owners.length; i++) owners[i] = data[3 * i]!;
  return { regions: regionsOf(scene), owners };
}

function maskOf(owners: Uint8Array, id: number): Uint8Array {
  const mask = new Uint8Array(owners.length);
  for (let i = 0; i < mask.length; i++) mask[i] = owners[i] === id ? 1 : 0;
  return mask;
}

/** The smallest box around the pixels of a mask, undefined where it has none. */
function boxOf(mask: Uint8Array, { height, width }: Size): Box | undefined {
  let [top, left, bottom, right] = [height, width, -1, -1];
  for (let y = 0, place = 0; y < height; y++) {
    for (let x = 0; x < width; x++, place++) {
      if (mask[place] === 0) continue;
      if (y < top) top = y;
      if (y > bottom) bottom = y;
      if (x < left) left = x;
      if (x > right) right = x;
    }
  }
  return bottom === -1 ? undefined : { top, left, height: bottom - top + 1, width: right - left + 1 };
}

/** Of a part in several copies the landmark of the last, which is the one in front. */
function landmarkOf(
  scene: Scene,
  part: Part,
  { owners, id, size }: { readonly owners: Uint8Array; readonly id: number; readonly size: number },
): PartLandmark {
  const shape = shapeOf(part, scene.parts[part]!.shape);
  const place = apply(framesOf(part, shape, scene.pose).at(-1)!, shape.landmark);
  // In hundredths of a pixel, which is what files keep.
  const [x, y] = [Math.round(place[0] * size - 50) / 100, Math.round(place[1] * size - 50) / 100];
  const [column, row] = [Math.round(x), Math.round(y)];
  const inside = column >= 0 && row >= 0 && column < size && row < size;
  return { x, y, visible: inside && owners[row * size + column] === id };
}
