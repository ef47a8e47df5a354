import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blankPicture, drawText, type Picture, textWidth } from '../src/index.js';
import { CELL_HEIGHT, CELL_WIDTH, fitText, toDrawable, wrapText } from '../src/text.js';

const ascii = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));

/** The drawing as lines of `#` and `.`. */
function drawn(
  text: string,
  scale = 1,
  left = 0,
  top = 0,
  width = text.length * CELL_WIDTH * scale,
): string[] {
  const canvas = blankPicture(width, CELL_HEIGHT * scale, [255, 255, 255]);
  drawText(canvas, text, left, top, { scale, color: [0, 0, 0] });
  return linesOf(canvas);
}

function linesOf({ width, height, data }: Picture): string[] {
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => (data[(y * width + x) * 3] === 0 ? '#' : '.')).join(''),
  );
}

describe('drawText', () => {
  it('draws letters one can read', () => {
    expect(drawn('Rg7')).toEqual([
      '####........#####.',
      '#...#...........#.',
      '#...#..####....#..',
      '####..#...#...#...',
      '#.#...#...#..#....',
      '#..#..#...#..#....',
      '#...#..####..#....',
      '..........#.......',
      '.......###........',
      '..................',
    ]);
  });

  it('gives every character a drawing of its own, inside its cell', () => {
    const drawings = new Set(ascii.map((character) => drawn(character).join('\n')));
    expect(drawings.size).toBe(95);
    for (const character of ascii) {
      const lines = drawn(character);
      // The last column and row keep neighbours apart.
      expect(lines.every((line) => line.endsWith('.'))).toBe(true);
      expect(lines.at(-1)).toBe('......');
      expect(lines.join('').includes('#')).toBe(character !== ' ');
    }
  });

  it('doubles every pixel at scale 2', () => {
    const expected = drawn('a%').flatMap((line) => {
      const wide = line.replace(/./g, '$&$&');
      return [wide, wide];
    });
    expect(drawn('a%', 2)).toEqual(expected);
  });

  it('cuts off what lies outside the picture', () => {
    const whole = drawn('WWW');
    expect(drawn('WWW', 1, -3, 0, 9)).toEqual(whole.map((line) => line.slice(3, 12)));
    expect(drawn('WWW', 1, 0, -4, 18)).toEqual([...whole.slice(4), ...new Array(4).fill('.'.repeat(18))]);
    expect(drawn('W', 1, 500, 500).join('')).not.toContain('#');
  });

  it('measures what it draws', () => {
    expect(textWidth('', 2)).toBe(0);
    expect(textWidth('ab', 1)).toBe(11);
    expect(textWidth('ab', 2)).toBe(22);
  });

  it('drops accents and marks what it cannot draw', () => {
    expect(toDrawable('Édouard naïve\tβ 😀')).toBe('Edouard naive ? ?');
  });
});

describe('wrapText', () => {
  it('breaks at spaces, and long words anywhere', () => {
    expect(wrapText('guided over the photo', 12 * CELL_WIDTH, 1, 4)).toEqual(['guided over', 'the photo']);
    expect(wrapText('abcdefgh', 5 * CELL_WIDTH, 1, 4)).toEqual(['abcde', 'fgh']);
    expect(wrapText('', 50, 1, 2)).toEqual([]);
    expect(wrapText('  ', 50, 1, 2)).toEqual([]);
  });

  it('ends in dots where the lines run out', () => {
    expect(wrapText('guided over the photo', 8 * CELL_WIDTH, 1, 2)).toEqual(['guided', 'over...']);
    expect(wrapText('guided over', 2 * CELL_WIDTH, 1, 1)).toEqual(['gu']);
  });

  it('never exceeds the width or the lines, and loses nothing when there is room', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 60 }),
        fc.integer({ min: 6, max: 200 }),
        fc.constantFrom(1, 2),
        fc.integer({ min: 1, max: 5 }),
        (text, width, scale, most) => {
          const lines = wrapText(text, width, scale, most);
          expect(lines.length).toBeLessThanOrEqual(most);
          const oneCharacter = textWidth('x', scale);
          for (const line of lines)
            expect(textWidth(line, scale)).toBeLessThanOrEqual(Math.max(width, oneCharacter));
          const all = wrapText(text, width, scale, 1000).join('').replaceAll(' ', '');
          expect(all).toBe(toDrawable(text).replaceAll(' ', ''));
        },
      ),
    );
  });
});

describe('fitText', () => {
  const width = 12 * CELL_WIDTH * 2;

  it('keeps the scale where words fit, breaking at hyphens and underscores', () => {
    expect(fitText('gradient', width, 2, 2)).toEqual({ lines: ['gradient'], scale: 2 });
    expect(fitText('input-times-gradient', width, 2, 2)).toEqual({
      lines: ['input-times-', 'gradient'],
      scale: 2,
    });
    expect(fitText('cat_on_the_wall.jpg', width, 2, 2)).toEqual({
      lines: ['cat_on_the_', 'wall.jpg'],
      scale: 2,
    });
  });

  it('keeps line breaks', () => {
    expect(fitText('cat.jpg\nlynx 95 %', width, 2, 2)).toEqual({ lines: ['cat.jpg', 'lynx 95 %'], scale: 2 });
  });

  it('takes the smaller scale before it breaks a word or cuts off', () => {
    expect(fitText('deconvolutional', width, 2, 2)).toEqual({ lines: ['deconvolutional'], scale: 1 });
    expect(fitText('bird.jpg\nblack-capped chickadee 88 %', width, 2, 2)).toEqual({
      lines: ['bird.jpg', 'black-capped chickadee', '88 %'],
      scale: 1,
    });
  });

  it('cuts off at the smallest scale, leaving something of every line', () => {
    const name = 'a'.repeat(80);
    const { lines, scale } = fitText(`${name}\n${name}`, width, 2, 2);
    expect(scale).toBe(1);
    expect(lines).toEqual(['a'.repeat(24), `${'a'.repeat(21)}...`, 'a'.repeat(24), `${'a'.repeat(21)}...`]);
  });

  it('never needs more height or width than it is given', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 80 }).map((text) => text.replaceAll('|', '\n')),
        fc.integer({ min: 12, max: 200 }),
        fc.constantFrom(1, 2, 3),
        fc.integer({ min: 1, max: 3 }),
        (text, width, scale, most) => {
          const fitted = fitText(text, width, scale, most);
          expect(fitted.lines.length * fitted.scale).toBeLessThanOrEqual(most * scale);
          for (const line of fitted.lines) {
            expect(textWidth(line, fitted.scale)).toBeLessThanOrEqual(Math.max(width, 5 * fitted.scale));
          }
        },
      ),
    );
  });
});
