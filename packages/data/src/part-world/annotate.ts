import { encodeRuns, formatRuns } from '../fill-region.js';
import { CATEGORIES } from './recipes.js';
import { COLORS, PARTS, type Part, type Scene, TEXTURES, THING_KINDS } from './scene.js';
import { PART_LABELS, partLabel } from './shapes.js';
import { boxOf, maskOf, type SceneTruth, truthFrom, visibleRegions } from './truth.js';

/** A category of a COCO file. */
interface CocoCategory {
  readonly id: number;
  readonly name: string;
  readonly supercategory: string;
  readonly keypoints?: readonly string[];
}

/** An annotation of a COCO file but for its own number and its picture's. */
export type CocoAnnotation = Readonly<Record<string, unknown>>;

/**
 * The categories of a part world as COCO lists them, one supercategory for each layer of labels: `object` (the creatures,
 * with the landmarks of their parts as keypoints), `part`, `color`, `texture` and `scenery`. Ids count from 1.
 */
export function cocoCategories(categories: number): CocoCategory[] {
  const layers: readonly (readonly [string, readonly string[]])[] = [
    ['object', CATEGORIES.slice(0, categories).map(({ name }) => name)],
    ['part', PART_LABELS],
    ['color', COLORS],
    ['texture', TEXTURES.filter((texture) => texture !== 'plain')],
    ['scenery', ['sky', 'wall', 'ground', ...THING_KINDS]],
  ];
  return layers
    .flatMap(([supercategory, names]) => names.map((name) => ({ name, supercategory })))
    .map((category, i) => ({
      id: i + 1,
      ...category,
      ...(category.supercategory === 'object' ? { keypoints: PARTS } : {}),
    }));
}

/**
 * What COCO says about the picture of a scene: the creature with its keypoints and box, its parts with their `attributes`
 * (shape, colour and texture), and what can be seen of every colour, texture and kind of scenery. Colours are those of
 * parts and things; sky, wall and ground have none, since theirs have no name. Regions are what can be seen, as compressed
 * runs. Errors as `truthOf`.
 *
 * @param idOf the id of a category by its supercategory and name
 */
export async function annotateScene(
  scene: Scene,
  size: number,
  idOf: (supercategory: string, name: string) => number,
): Promise<{ readonly truth: SceneTruth; readonly annotations: readonly CocoAnnotation[] }> {
  const visible = await visibleRegions(scene, size);
  const truth = truthFrom(scene, size, visible);
  const annotations: CocoAnnotation[] = [];
  const add = (supercategory: string, name: string, mask: Uint8Array, more: CocoAnnotation = {}) => {
    const region = regionOf(mask, size);
    if (region === undefined) return;
    annotations.push({ category_id: idOf(supercategory, name), ...region, ...more });
  };
  const numbered = visible.regions.map((region, i) => ({ ...region, id: i + 1 }));
  const shown = (chosen: (region: (typeof numbered)[number]) => boolean) =>
    maskOf(
      visible.owners,
      numbered.filter(chosen).map(({ id }) => id),
    );

  const creature = shown(({ part }) => part !== undefined);
  add('object', CATEGORIES[scene.category]!.name, creature, keypointsOf(truth, size));
  for (const [part, mask] of truth.masks) {
    const { shape, color, texture } = scene.parts[part]!;
    add('part', partLabel(part, shape), mask, { attributes: { shape, color, texture } });
  }
  for (const color of COLORS)
    add(
      'color',
      color,
      shown((region) => region.color === color),
    );
  for (const texture of TEXTURES)
    if (texture !== 'plain')
      add(
        'texture',
        texture,
        shown((region) => region.texture === texture),
      );
  for (const label of ['sky', 'wall', 'ground', ...THING_KINDS])
    add(
      'scenery',
      label,
      shown((region) => region.part === undefined && region.label === label),
    );
  return { truth, annotations };
}

/** Segmentation, box and area of a mask, undefined for an empty one. */
function regionOf(mask: Uint8Array, size: number): CocoAnnotation | undefined {
  const square = { height: size, width: size };
  const box = boxOf(mask, square);
  if (box === undefined) return undefined;
  const runs = encodeRuns(mask, square);
  return {
    segmentation: { size: [size, size], counts: formatRuns(runs) },
    area: runs.reduce((sum, run, i) => sum + (i % 2) * run, 0),
    bbox: [box.left, box.top, box.width, box.height],
    iscrowd: 0,
  };
}

/** x, y and visibility of every part's landmark: 2 seen, 1 hidden, 0 (with 0, 0) outside the picture or without part. */
function keypointsOf({ landmarks }: SceneTruth, size: number): CocoAnnotation {
  const outside = (place: number) => place < -0.5 || place >= size - 0.5;
  const keypoints = PARTS.map((part: Part) => {
    const landmark = landmarks.get(part);
    if (landmark === undefined || outside(landmark.x) || outside(landmark.y)) return [0, 0, 0];
    return [landmark.x, landmark.y, landmark.visible ? 2 : 1];
  });
  return { keypoints: keypoints.flat(), num_keypoints: keypoints.filter(([, , seen]) => seen !== 0).length };
}
