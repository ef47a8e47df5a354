import type { Texture } from './scene.js';
import type { Shape } from './shapes.js';
import { number } from './svg.js';

/**
 * The marks of a texture over a box, as the data of a path to be drawn with round ends: lines as lines, dots as lines of
 * no length.
 *
 * @param spacing from one mark to the next, in the units of the box
 */
export function texturePath(texture: Texture, extent: Shape['extent'], spacing: number): string {
  const [left, top, right, bottom] = extent;
  const marks: string[] = [];
  const rows = Math.ceil((bottom - top) / spacing);
  const columns = Math.ceil((right - left) / spacing);
  const across = (row: number) => top + (row + 0.5) * spacing;
  const along = (column: number) => left + (column + 0.5) * spacing;
  switch (texture) {
    case 'plain':
      break;
    case 'striped':
      for (let column = 0; column < columns; column++)
        marks.push(`M${number(along(column))} ${number(top)}V${number(bottom)}`);
      break;
    case 'dotted':
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++)
          marks.push(`M${number(along(column + (row % 2) / 2))} ${number(across(row))}h0`);
      break;
    case 'scaly':
      for (let row = 0; row < rows; row++) {
        const arcs = `a${number(spacing / 2)} ${number(spacing / 2)} 0 0 0 ${number(spacing)} 0`;
        marks.push(
          `M${number(left - ((row % 2) * spacing) / 2)} ${number(across(row))}${arcs.repeat(columns + 1)}`,
        );
      }
      break;
    case 'checked':
      for (let row = 0; row < rows; row++)
        for (let column = row % 2; column < columns; column += 2)
          marks.push(`M${number(left + column * spacing)} ${number(across(row))}h${number(spacing)}`);
      break;
    case 'zigzag':
      for (let row = 0; row < rows; row++) {
        const step = number(spacing / 2);
        marks.push(
          `M${number(left)} ${number(across(row))}${`l${step} ${step}l${step} -${step}`.repeat(columns)}`,
        );
      }
      break;
  }
  return marks.join('');
}

/** How thick the marks of a texture are drawn, as a share of their spacing, and how their lines end. */
export function textureStroke(texture: Texture): { readonly share: number; readonly cap: 'round' | 'butt' } {
  switch (texture) {
    case 'checked':
      return { share: 1, cap: 'butt' };
    case 'dotted':
      return { share: 0.52, cap: 'round' };
    case 'striped':
      return { share: 0.42, cap: 'butt' };
    default:
      return { share: 0.26, cap: 'butt' };
  }
}
