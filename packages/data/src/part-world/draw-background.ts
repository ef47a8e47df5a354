import { contrasting, lit, shade } from './palette.js';
import type { Background, Light, Mark, Rgb } from './scene.js';
import { number } from './svg.js';
import { texturePath, textureStroke } from './textures.js';

const WALL_SPACING = 9;

/** Sky or wall, ground, and what is on them. Covers the whole picture. */
export function drawBackground(background: Background, light: Light): string {
  const { above, horizon, upper, lower, texture, clouds, groundMarks, marks } = background;
  const color = (rgb: Rgb) => lit(rgb, light);
  const gradient = (id: string, [from, to]: readonly [Rgb, Rgb]) =>
    `<linearGradient id="${id}" x2="0" y2="1"><stop stop-color="${color(from)}"/>` +
    `<stop offset="1" stop-color="${color(to)}"/></linearGradient>`;
  const wall =
    texture === 'plain'
      ? ''
      : `<path d="${texturePath(texture, [0, 0, 100, horizon], WALL_SPACING)}" fill="none"` +
        ` stroke="${color(shade(contrasting(upper[0]), 0.35))}"` +
        ` stroke-width="${number(WALL_SPACING * textureStroke(texture).share)}"` +
        ` stroke-linecap="${textureStroke(texture).cap}"/>`;
  return (
    gradient('upper', upper) +
    gradient('lower', lower) +
    `<rect width="100" height="100" fill="url(#upper)"/>` +
    (above === 'wall'
      ? wall
      : `<path d="${clouds.map(cloud).join('')}" fill="${color(shade(upper[1], 0.6))}"/>`) +
    `<rect y="${number(horizon)}" width="100" height="${number(100 - horizon)}" fill="url(#lower)"/>` +
    drawMarks(groundMarks, marks, color(contrasting(lower[0])))
  );
}

function drawMarks(kind: Background['groundMarks'], marks: readonly Mark[], color: string): string {
  const pebble = ({ x, y }: Mark) => `M${number(x)} ${number(y)}h0.6`;
  const { draw, width } = {
    grass: { draw: grass, width: 0.7 },
    ripples: { draw: ripple, width: 0.8 },
    pebbles: { draw: pebble, width: 1.6 },
  }[kind];
  const path = marks.map(draw).join('');
  return `<path d="${path}" fill="none" stroke="${color}" stroke-width="${width}" stroke-linecap="round" stroke-opacity="0.7"/>`;
}

function cloud({ x, y, size }: Mark): string {
  const puff = (dx: number, dy: number, r: number) => {
    const radius = number(r * size);
    const arc = `a${radius} ${radius} 0 1 0`;
    return `M${number(x + (dx - r) * size)} ${number(y + dy * size)}${arc} ${number(2 * r * size)} 0${arc} ${number(-2 * r * size)} 0Z`;
  };
  return puff(-0.55, 0.1, 0.3) + puff(0, 0, 0.45) + puff(0.55, 0.08, 0.34);
}

function grass({ x, y, size }: Mark): string {
  const blade = (dx: number, height: number) =>
    `M${number(x)} ${number(y)}l${number(dx * size)} ${number(-height * size)}`;
  return blade(-0.5, 0.8) + blade(0, 1.1) + blade(0.5, 0.8);
}

function ripple({ x, y, size }: Mark): string {
  const step = number(size / 2);
  return `M${number(x - size)} ${number(y)}q${step} -${step} ${number(size)} 0t${number(size)} 0`;
}
