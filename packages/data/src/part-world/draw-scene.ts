import type { Affine } from './affine.js';
import { drawBackground } from './draw-background.js';
import { contrasting, lit, rgbOf, shade } from './palette.js';
import { framesOf } from './pose.js';
import { type Color, type Light, PARTS, type Part, type Scene, type Texture } from './scene.js';
import { partLabel, type Shape, shapeOf } from './shapes.js';
import { number } from './svg.js';
import { texturePath, textureStroke } from './textures.js';
import { outlineOf } from './things.js';

// From the back to the front.
const DRAWING_ORDER: readonly Part[] = ['tail', 'legs', 'body', 'wing', 'head', 'mouth', 'eyes'];

// In the units of a part's frame, or hundredths of the picture. The outline belongs to what it surrounds.
const OUTLINE = 0.9;

/** What one region of a picture shows. Regions do not overlap: a pixel belongs to what is in front. */
export interface Region {
  /** The part; undefined for what is no part. */
  readonly part?: Part;
  /** `sky`, `wall`, `ground`, the kind of a thing, or what the part is called. */
  readonly label: string;
  readonly color?: Color;
  readonly texture: Texture;
}

/** Something with an outline: a part, in as many copies as it has, or a thing. */
interface Item extends Pick<Shape, 'path' | 'extent'> {
  readonly region: Region & { readonly color: Color };
  readonly details: Shape['details'];
  readonly frames: readonly Affine[];
  /** From one mark of the texture to the next. */
  readonly spacing: number;
}

const IDENTITY: Affine = [1, 0, 0, 1, 0, 0];

/** A scene as an SVG document of `size` x `size` pixels. Throws `wrong-use` for a shape that does not exist. */
export function drawScene(scene: Scene, size: number): string {
  const shadow =
    `<ellipse cx="${number(scene.pose.x)}" cy="${number(scene.pose.y + 25 * scene.pose.scale)}"` +
    ` rx="${number(27 * scene.pose.scale)}" ry="${number(3.4 * scene.pose.scale)}" fill-opacity="0.28"/>`;
  const items = itemsOf(scene).map((item, i) => drawItem(item, `i${i}`, scene.light));
  return document(size, drawBackground(scene.background, scene.light) + shadow + items.join(''));
}

/**
 * The regions of a scene as an SVG document of `size` x `size` pixels: every pixel has the number of its region, from 1 in
 * the order of `regionsOf`, as its red, and belongs to one region wholly, the one at its middle.
 */
export function drawRegions(scene: Scene, size: number): string {
  const { horizon } = scene.background;
  const paint = (id: number) => `rgb(${id},0,0)`;
  const items = itemsOf(scene).map(({ path, frames }, i) => {
    const id = paint(i + 3);
    const copies = frames.map((frame) => `<path d="${path}"${transform(frame)}/>`).join('');
    return `<g fill="${id}" stroke="${id}">${copies}</g>`;
  });
  return document(
    size,
    `<g shape-rendering="crispEdges" stroke-width="${OUTLINE}" stroke-linejoin="round">` +
      `<rect width="100" height="100" fill="${paint(1)}"/>` +
      `<rect y="${number(horizon)}" width="100" height="${number(100 - horizon)}" fill="${paint(2)}"/>` +
      `${items.join('')}</g>`,
  );
}

/** What the regions of a scene show, in the order of their numbers in `drawRegions`. */
export function regionsOf(scene: Scene): Region[] {
  const { above, texture } = scene.background;
  return [
    { label: above, texture },
    { label: 'ground', texture: 'plain' },
    ...itemsOf(scene).map(({ region }) => region),
  ];
}

/** Everything with an outline, from the back to the front. */
function itemsOf({ parts, pose, distractors, occluders }: Scene): Item[] {
  const things = (list: Scene['distractors']) =>
    list.map((thing): Item => {
      const { kind: label, color, texture, size } = thing;
      const region = { label, color, texture };
      return { ...outlineOf(thing), region, details: [], frames: [IDENTITY], spacing: Math.max(4, size / 4) };
    });
  const creature = DRAWING_ORDER.flatMap((part): Item[] => {
    const style = parts[part];
    if (style === undefined) return [];
    const shape = shapeOf(part, style.shape);
    const { path, extent, details } = shape;
    const { color, texture } = style;
    const region = { part, label: partLabel(part, style.shape), color, texture };
    return [{ path, extent, details, region, frames: framesOf(part, shape, pose), spacing: 5 }];
  });
  return [...things(distractors), ...creature, ...things(occluders)];
}

function drawItem(item: Item, id: string, light: Light): string {
  const { path, extent, details, frames, spacing, region } = item;
  const base = rgbOf(region.color);
  const [mark, edge] = [lit(contrasting(base), light), lit(shade(base, -0.6), light)];
  const { share, cap } = textureStroke(region.texture);
  const marks =
    region.texture === 'plain'
      ? ''
      : `<g clip-path="url(#c${id})"><path d="${texturePath(region.texture, extent, spacing)}" fill="none"` +
        ` stroke="${mark}" stroke-width="${number(spacing * share)}" stroke-linecap="${cap}"/></g>`;
  const fills = { dark: lit([28, 26, 32], light), light: lit(shade(base, 0.55), light) };
  const inner = details
    .map(({ path: d, kind }) =>
      kind === 'line'
        ? `<path d="${d}" fill="none" stroke="${edge}" stroke-width="0.8" stroke-linecap="round" stroke-linejoin="round"/>`
        : `<path d="${d}" fill="${fills[kind]}"/>`,
    )
    .join('');
  const copy = (frame: Affine) =>
    `<g${transform(frame)}><path d="${path}" fill="url(#g${id})"/>${marks}${inner}` +
    `<path d="${path}" fill="none" stroke="${edge}" stroke-width="${OUTLINE}" stroke-linejoin="round"/></g>`;
  return (
    `<linearGradient id="g${id}" x2="0" y2="1"><stop stop-color="${lit(shade(base, 0.16), light)}"/>` +
    `<stop offset="1" stop-color="${lit(shade(base, -0.16), light)}"/></linearGradient>` +
    (marks === '' ? '' : `<clipPath id="c${id}"><path d="${path}"/></clipPath>`) +
    frames.map(copy).join('')
  );
}

function transform(frame: Affine): string {
  return frame === IDENTITY ? '' : ` transform="matrix(${frame.map(number6).join(' ')})"`;
}

// A thousandth in the linear part would move the far end of a long part by a twentieth of a pixel.
function number6(value: number): string {
  return String(Math.round(value * 1e6) / 1e6);
}

function document(size: number, content: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${size}" height="${size}" viewBox="0 0 100 100">${content}</svg>`;
}

/** A scene in which one part looks otherwise, or, without a style, is not there. All else stays as it is. */
export function changePart(scene: Scene, part: Part, style?: NonNullable<Scene['parts'][Part]>): Scene {
  const parts = Object.fromEntries(
    PARTS.flatMap((name) => {
      const own = name === part ? style : scene.parts[name];
      return own === undefined ? [] : [[name, own]];
    }),
  );
  return { ...scene, parts };
}
