import { encodeRuns, formatRuns, type Span } from '../fill-region.js';
import type { Region } from './draw-scene.js';
import { CATEGORIES } from './recipes.js';
import { COLORS, PARTS, type Part, type Scene, TEXTURES, THING_KINDS } from './scene.js';
import { PART_LABELS, partLabel } from './shapes.js';
import { landmarksOf, type PartLandmark, visibleRegions } from './truth.js';

const VISIBLE_TEXTURES = TEXTURES.filter((texture) => texture !== 'plain');
const SCENERY = ['sky', 'wall', 'ground', ...THING_KINDS];

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
    ['texture', VISIBLE_TEXTURES],
    ['scenery', SCENERY],
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
): Promise<{ readonly annotations: readonly CocoAnnotation[]; readonly visibleParts: readonly Part[] }> {
  const visible = await visibleRegions(scene, size);
  const spans = spansOf(visible.owners, size);
  const annotations: CocoAnnotation[] = [];
  const add = (
    [supercategory, name]: readonly [string, string],
    belongs: (region: Region) => boolean,
    more: CocoAnnotation = {},
  ) => {
    const chosen = [false, ...visible.regions.map(belongs)];
    const own = spans.filter(({ owner }) => chosen[owner]);
    if (own.length > 0)
      annotations.push({ category_id: idOf(supercategory, name), ...describeSpans(own, size), ...more });
  };

  const { name } = CATEGORIES[scene.category]!;
  add(
    ['object', name],
    ({ part }) => part !== undefined,
    keypointsOf(landmarksOf(scene, size, visible), size),
  );
  for (const part of PARTS) {
    const style = scene.parts[part];
    if (style === undefined) continue;
    const { shape, color, texture } = style;
    const attributes = { shape, color, texture };
    add(['part', partLabel(part, shape)], (region) => region.part === part, { attributes });
  }
  for (const color of COLORS) add(['color', color], (region) => region.color === color);
  for (const texture of VISIBLE_TEXTURES) add(['texture', texture], (region) => region.texture === texture);
  for (const label of SCENERY)
    add(['scenery', label], (region) => region.part === undefined && region.label === label);
  const seen = new Set(visible.owners);
  const visibleParts = PARTS.filter((part) =>
    visible.regions.some((region, i) => region.part === part && seen.has(i + 1)),
  );
  return { annotations, visibleParts };
}

interface OwnedSpan extends Span {
  readonly owner: number;
}

/** A picture as spans of one owner each, column after column. One walk serves all regions. */
function spansOf(owners: Uint8Array, size: number): OwnedSpan[] {
  const spans: OwnedSpan[] = [];
  for (let x = 0; x < size; x++) {
    let top = 0;
    for (let y = 1; y <= size; y++) {
      const owner = owners[top * size + x]!;
      if (y < size && owners[y * size + x] === owner) continue;
      spans.push({ owner, start: x * size + top, length: y - top });
      top = y;
    }
  }
  return spans;
}

/** Segmentation, area and box of a region of at least one span. */
function describeSpans(spans: readonly OwnedSpan[], size: number): CocoAnnotation {
  const columnOf = ({ start }: OwnedSpan) => Math.floor(start / size);
  const left = columnOf(spans[0]!);
  const right = columnOf(spans.at(-1)!);
  let [top, bottom, area] = [size, 0, 0];
  for (const { start, length } of spans) {
    top = Math.min(top, start % size);
    bottom = Math.max(bottom, (start % size) + length);
    area += length;
  }
  const counts = formatRuns(encodeRuns(spans, { height: size, width: size }));
  return {
    segmentation: { size: [size, size], counts },
    area,
    bbox: [left, top, right - left + 1, bottom - top],
    iscrowd: 0,
  };
}

/** x, y and visibility of every part's landmark: 2 seen, 1 hidden, 0 (with 0, 0) outside the picture or without part. */
function keypointsOf(landmarks: ReadonlyMap<Part, PartLandmark>, size: number): CocoAnnotation {
  const outside = (place: number) => place < -0.5 || place >= size - 0.5;
  const keypoints = PARTS.map((part: Part) => {
    const landmark = landmarks.get(part);
    if (landmark === undefined || outside(landmark.x) || outside(landmark.y)) return [0, 0, 0];
    return [landmark.x, landmark.y, landmark.visible ? 2 : 1];
  });
  return { keypoints: keypoints.flat(), num_keypoints: keypoints.filter(([, , seen]) => seen !== 0).length };
}
