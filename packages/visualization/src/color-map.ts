import { unknownName } from '@unitscope/tensor';
import { rgb } from 'd3-color';
import {
  interpolateInferno,
  interpolateMagma,
  interpolateRdBu,
  interpolateTurbo,
  interpolateViridis,
} from 'd3-scale-chromatic';

/** Sequential maps go from low to high; `blue-white-red` is diverging: negative, zero, positive. */
export type ColorMapName = 'viridis' | 'magma' | 'inferno' | 'turbo' | 'greys' | 'blue-white-red';

const INTERPOLATORS: Record<ColorMapName, (t: number) => string> = {
  viridis: interpolateViridis,
  magma: interpolateMagma,
  inferno: interpolateInferno,
  turbo: interpolateTurbo,
  greys: (t) => `rgb(${255 * t}, ${255 * t}, ${255 * t})`,
  'blue-white-red': (t) => interpolateRdBu(1 - t),
};

export const COLOR_MAP_NAMES: readonly ColorMapName[] = [
  'viridis',
  'magma',
  'inferno',
  'turbo',
  'greys',
  'blue-white-red',
];

const tables = new Map<ColorMapName, Uint8Array>();

/** The 256 colours of a map, low to high, as 768 bytes of RGB. Throws `wrong-use` with the names there are. */
export function colorMap(name: string): Uint8Array {
  const known = COLOR_MAP_NAMES.find((candidate) => candidate === name);
  if (known === undefined) throw unknownName('colour map', name, COLOR_MAP_NAMES, 'wrong-use');
  const table = tables.get(known) ?? tabulate(INTERPOLATORS[known]);
  tables.set(known, table);
  // A copy, so that nobody can repaint the map of everybody else.
  return Uint8Array.from(table);
}

function tabulate(interpolate: (t: number) => string): Uint8Array {
  const table = new Uint8Array(768);
  for (let i = 0; i < 256; i++) {
    const { r, g, b } = rgb(interpolate(i / 255));
    table.set([Math.round(r), Math.round(g), Math.round(b)], i * 3);
  }
  return table;
}
