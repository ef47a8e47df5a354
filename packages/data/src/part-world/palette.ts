import type { Color, Light, Rgb } from './scene.js';

const PALETTE: { readonly [C in Color]: Rgb } = {
  red: [208, 58, 48],
  orange: [238, 138, 44],
  yellow: [242, 203, 62],
  green: [82, 158, 74],
  blue: [64, 116, 200],
  purple: [134, 84, 176],
  pink: [236, 136, 176],
  brown: [140, 92, 60],
  white: [240, 238, 230],
  grey: [142, 148, 156],
  black: [52, 52, 60],
};

export function rgbOf(color: Color): Rgb {
  return PALETTE[color];
}

/** Towards white for a positive `amount`, towards black for a negative one; 1 and -1 reach them. */
export function shade([red, green, blue]: Rgb, amount: number): Rgb {
  const goal = amount > 0 ? 255 : 0;
  const mix = (level: number) => level + Math.abs(amount) * (goal - level);
  return [mix(red), mix(green), mix(blue)];
}

/** A colour that stands out from `rgb` and is still a shade of it: what textures are drawn in. */
export function contrasting(rgb: Rgb): Rgb {
  const [red, green, blue] = rgb;
  // Luma by the weights of ITU-R BT.601: dark colours get lighter marks, light ones darker.
  const luma = 0.299 * red + 0.587 * green + 0.114 * blue;
  return shade(rgb, luma < 90 ? 0.4 : -0.38);
}

/** Hue in turns, saturation and lightness from 0 to 1. */
export function hsl(hue: number, saturation: number, lightness: number): Rgb {
  const reach = saturation * Math.min(lightness, 1 - lightness);
  const level = (offset: number) => {
    const place = (offset + 12 * hue) % 12;
    return 255 * (lightness - reach * Math.max(-1, Math.min(place - 3, 9 - place, 1)));
  };
  return [level(0), level(8), level(4)];
}

/** A colour under a light, as SVG writes it. */
export function lit([red, green, blue]: Rgb, light: Light): string {
  const level = (value: number, factor: number) => Math.min(255, Math.max(0, Math.round(value * factor)));
  return `rgb(${level(red, light[0])},${level(green, light[1])},${level(blue, light[2])})`;
}
