import type { Color, Picture } from './picture.js';

// A face of our own for ASCII 32 to 126: 5 columns in a cell of 6 by 10 pixels. A glyph is nine rows from the top,
// one base-32 digit a row, its highest bit the left column; capitals fill rows 0 to 6, descenders reach row 8.
const GLYPHS = [
  '000000000 444440400 aa0000000 aavavaa00 4fke5u400 pp248jj00 cik8lid00 440000000',
  '248884200 842224800 04lel4000 044v44000 000000448 000v00000 000000400 11248gg00',
  'ehjlphe00 4c4444e00 eh1248v00 v2421he00 26aiv2200 vgu11he00 68guhhe00 v12488800',
  'ehhehhe00 ehhf12c00 004000040 004000448 124842100 00v0v0000 g84248g00 eh1240400',
  'ehnlnge00 ehhvhhh00 uhhuhhu00 ehggghe00 uhhhhhu00 vgguggv00 vgguggg00 ehgnhhf00',
  'hhhvhhh00 e44444e00 72222ic00 hikokih00 ggggggv00 hrllhhh00 hppljjh00 ehhhhhe00',
  'uhhuggg00 ehhhlid00 uhhukih00 fgge11u00 v44444400 hhhhhhe00 hhhhha400 hhhllrh00',
  'hha4ahh00 hha444400 v1248gv00 e88888e00 gg8421100 e22222e00 4ah000000 00000000v',
  '840000000 00e1fhf00 gguhhhu00 00ehghe00 11fhhhf00 00ehvge00 698u88800 00fhhhf1e',
  'ggmphhh00 40c444e00 2062222ic ggikoki00 c44444e00 00qllll00 00mphhh00 00ehhhe00',
  '00uhhhugg 00fhhhf11 00mpggg00 00fge1u00 88u889600 00hhhjd00 00hhha400 00hhlla00',
  '00ha4ah00 00hhhhf1e 00v248v00 344844300 444444440 o44244o00 0009li000',
]
  .join(' ')
  .split(' ')
  .map((rows) => [...rows].map((row) => Number.parseInt(row, 32)));

export const CELL_WIDTH = 6;
export const CELL_HEIGHT = 10;
const COLUMNS = 5;
const FIRST = 32;
const UNKNOWN = '?'.charCodeAt(0) - FIRST;

/** The text in what the face can draw: accents are dropped, anything else outside ASCII becomes `?`. */
export function toDrawable(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/\s/g, ' ')
    .replace(/[^\x20-\x7e]/gu, '?');
}

/** The width in pixels of a line; the height is `CELL_HEIGHT * scale`. */
export function textWidth(text: string, scale: number): number {
  const { length } = toDrawable(text);
  return length === 0 ? 0 : (length * CELL_WIDTH - 1) * scale;
}

/** Draws one line into an RGB picture, its top left corner at (left, top); what lies outside is cut off. */
export function drawText(
  canvas: Picture,
  text: string,
  left: number,
  top: number,
  options: { readonly scale: number; readonly color: Color },
): void {
  const { scale, color } = options;
  for (const [position, character] of [...toDrawable(text)].entries()) {
    const rows = GLYPHS[character.charCodeAt(0) - FIRST] ?? GLYPHS[UNKNOWN]!;
    for (const [y, row] of rows.entries()) {
      for (let x = 0; x < COLUMNS; x++) {
        if ((row & (16 >> x)) === 0) continue;
        fillSquare(canvas, left + (position * CELL_WIDTH + x) * scale, top + y * scale, scale, color);
      }
    }
  }
}

function fillSquare(canvas: Picture, left: number, top: number, side: number, color: Color): void {
  for (let y = Math.max(0, top); y < Math.min(canvas.height, top + side); y++) {
    for (let x = Math.max(0, left); x < Math.min(canvas.width, left + side); x++) {
      canvas.data.set(color, (y * canvas.width + x) * 3);
    }
  }
}

/** How many characters a line of that many pixels holds, at least one. */
function charactersIn(width: number, scale: number): number {
  return Math.max(1, Math.floor((width / scale + 1) / CELL_WIDTH));
}

/**
 * Breaks a text at spaces, and after hyphens and underscores, into lines of at most `width` pixels, `most` lines at
 * most; a word that is longer than a line breaks anywhere, and what does not fit ends in `...`.
 */
export function wrapText(text: string, width: number, scale: number, most: number): string[] {
  const fits = charactersIn(width, scale);
  const lines: string[] = [];
  let rest = toDrawable(text).trim();
  while (rest !== '') {
    if (rest.length <= fits) {
      lines.push(rest);
      break;
    }
    if (lines.length === most - 1) {
      lines.push(fits > 3 ? `${rest.slice(0, fits - 3).trimEnd()}...` : rest.slice(0, fits));
      break;
    }
    const end = breakBefore(rest, fits) ?? fits;
    lines.push(rest.slice(0, end).trimEnd());
    rest = rest.slice(end).trimStart();
  }
  return lines;
}

/** Where a line of at most `fits` characters can end without breaking a word: at a space, or after `-` or `_`. */
function breakBefore(text: string, fits: number): number | undefined {
  for (let end = fits; end > 0; end--) {
    if (text[end] === ' ' || text[end - 1] === '-' || text[end - 1] === '_') return end;
  }
  return undefined;
}

/** Lines of text, and the scale they are to be drawn at. */
export interface FittedText {
  readonly lines: readonly string[];
  readonly scale: number;
}

/**
 * A text, whose line breaks are kept, on at most `most` lines of the given scale; at a smaller scale, and then on as
 * many lines as go into the same height, where that spares breaking a word or cutting the text off.
 */
export function fitText(text: string, width: number, scale: number, most: number): FittedText {
  const given = text.split('\n').filter((line) => line.trim() !== '');
  const words = given.flatMap((line) => toDrawable(line).match(/[^ _-]*[_-]?/g) ?? []);
  const longestWord = Math.max(0, ...words.map((word) => word.length));
  for (let smaller = scale; smaller >= 1; smaller--) {
    const lines = given.flatMap((line) => wrapText(line, width, smaller, Number.POSITIVE_INFINITY));
    const room = Math.floor((most * scale) / smaller);
    if (lines.length <= room && longestWord <= charactersIn(width, smaller)) return { lines, scale: smaller };
  }
  // Nothing spares it: every given line gets its share of the room, the last one what is over.
  let room = most * scale;
  const lines = given.slice(0, room).flatMap((line, i, shown) => {
    const wrapped = wrapText(line, width, 1, Math.max(1, Math.floor(room / (shown.length - i))));
    room -= wrapped.length;
    return wrapped;
  });
  return { lines, scale: 1 };
}
