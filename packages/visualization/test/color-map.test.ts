import { describe, expect, it } from 'vitest';
import { COLOR_MAP_NAMES, type ColorMapName, colorMap } from '../src/index.js';

const entry = (name: ColorMapName, index: number): number[] => [
  ...colorMap(name).subarray(index * 3, index * 3 + 3),
];

describe('colorMap', () => {
  it.each(COLOR_MAP_NAMES)('%s has 256 colours and no jumps', (name) => {
    const table = colorMap(name);
    expect(table).toHaveLength(768);
    for (let i = 3; i < table.length; i++)
      expect(Math.abs(table[i]! - table[i - 3]!)).toBeLessThanOrEqual(16);
  });

  it('has the ends and the middle its maps are known by', () => {
    expect(entry('viridis', 0)).toEqual([0x44, 0x01, 0x54]);
    expect(entry('viridis', 255)).toEqual([0xfd, 0xe7, 0x25]);
    expect(entry('magma', 255)).toEqual([0xfc, 0xfd, 0xbf]);
    expect(entry('inferno', 0)).toEqual([0x00, 0x00, 0x04]);
    for (const index of [0, 77, 255]) expect(entry('greys', index)).toEqual([index, index, index]);
  });

  it('shows negative as blue, zero as near white, positive as red', () => {
    const [negativeRed, , negativeBlue] = entry('blue-white-red', 20);
    const [positiveRed, , positiveBlue] = entry('blue-white-red', 235);
    expect(negativeBlue! - negativeRed!).toBeGreaterThan(80);
    expect(positiveRed! - positiveBlue!).toBeGreaterThan(80);
    for (const level of [...entry('blue-white-red', 127), ...entry('blue-white-red', 128)]) {
      expect(level).toBeGreaterThan(235);
    }
  });

  it.each(['viridis', 'magma', 'inferno'] as const)('%s grows brighter from low to high', (name) => {
    const table = colorMap(name);
    const brightness = (i: number) =>
      0.299 * table[i * 3]! + 0.587 * table[i * 3 + 1]! + 0.114 * table[i * 3 + 2]!;
    for (let i = 8; i < 256; i += 8) expect(brightness(i)).toBeGreaterThan(brightness(i - 8));
  });

  it('cannot be repainted', () => {
    colorMap('turbo').fill(0);
    expect(colorMap('turbo').some((level) => level > 0)).toBe(true);
  });

  it('names the map that was meant', () => {
    expect(() => colorMap('virids')).toThrow('no colour map "virids"; did you mean "viridis"?');
    expect(() => colorMap('jet')).toThrow(expect.objectContaining({ code: 'wrong-use' }));
  });
});
