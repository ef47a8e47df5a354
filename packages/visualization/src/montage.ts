import { UnitscopeError } from '@unitscope/tensor';
import { blankPicture, type Color, INK, type Picture, paste, scalePicture, toRgb, WHITE } from './picture.js';
import { CELL_HEIGHT, drawText, fitText, textWidth, wrapText } from './text.js';

export interface Tile {
  readonly picture: Picture;
  /** Drawn below, centred, on at most three lines, or six small ones. Line breaks are kept. May be empty. */
  readonly label: string;
}

export interface MontageOptions {
  /** Default: all tiles in one row up to five, else the most even rows of at most five. */
  readonly columns?: number;
  /** The side in pixels of the square that each picture is fitted into. Default 224. */
  readonly tileSize?: number;
  /** Default white. */
  readonly background?: Color;
  /** Drawn above, on as many lines as it needs. Line breaks are kept. */
  readonly title?: string;
}

const INK_ON_DARK: Color = [240, 240, 240];
const LABEL_LINES = 3;
const TITLE_LINES = 6;

/**
 * Pictures side by side with their labels, keeping each one's shape. A picture that fits twice or more into its tile is
 * enlarged by a whole factor with its pixels as blocks (32x32 becomes 224x224), any other is scaled smoothly.
 *
 * Throws `wrong-use` for no tiles or impossible options, `bad-input` for a malformed picture.
 */
export function montage(tiles: readonly Tile[], options: MontageOptions = {}): Picture {
  const { tileSize = 224, background = WHITE, title = '' } = options;
  const columns = options.columns ?? evenColumns(tiles.length);
  if (tiles.length === 0) throw new UnitscopeError('wrong-use', 'a montage needs at least one picture');
  for (const [name, value] of Object.entries({ columns, tileSize })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new UnitscopeError('wrong-use', `${name} ${value} must be a positive integer`);
    }
  }
  const shown = Math.min(columns, tiles.length);
  const scale = tileSize >= 160 ? 2 : 1;
  const lineHeight = CELL_HEIGHT * scale;
  const gap = 6 * scale;
  const width = shown * tileSize + (shown + 1) * gap;

  const titleLines = title.split('\n').flatMap((line) => wrapText(line, width - 2 * gap, scale, TITLE_LINES));
  const rows = Array.from({ length: Math.ceil(tiles.length / shown) }, (_, row) =>
    tiles.slice(row * shown, (row + 1) * shown).map(({ picture, label }) => ({
      picture: fit(toRgb(picture, background), tileSize),
      text: fitText(label, tileSize, scale, LABEL_LINES),
    })),
  );
  const layout = rows.map((row) => ({
    // A row is as high as its highest picture: wide photos leave no empty band.
    pictureHeight: Math.max(...row.map(({ picture }) => picture.height)),
    labelHeight: Math.max(...row.map(({ text }) => text.lines.length * text.scale)) * CELL_HEIGHT,
    row,
  }));
  const titleHeight = titleLines.length === 0 ? 0 : titleLines.length * lineHeight + gap;
  const rowsHeight = layout.reduce(
    (sum, { pictureHeight, labelHeight }) =>
      sum + pictureHeight + labelHeight + (labelHeight > 0 ? gap : 0) + gap,
    gap,
  );

  const canvas = blankPicture(width, titleHeight + rowsHeight, background);
  const [red, green, blue] = background;
  const color = 0.299 * red + 0.587 * green + 0.114 * blue > 128 ? INK : INK_ON_DARK;
  for (const [i, line] of titleLines.entries()) {
    drawText(canvas, line, gap, gap + i * lineHeight, { scale, color });
  }
  let top = titleHeight + gap;
  for (const { pictureHeight, labelHeight, row } of layout) {
    for (const [column, { picture, text }] of row.entries()) {
      const left = gap + column * (tileSize + gap);
      const centred = (inside: number) => left + Math.floor((tileSize - inside) / 2);
      paste(canvas, picture, centred(picture.width), top + Math.floor((pictureHeight - picture.height) / 2));
      for (const [i, line] of text.lines.entries()) {
        const y = top + pictureHeight + gap + i * CELL_HEIGHT * text.scale;
        drawText(canvas, line, centred(textWidth(line, text.scale)), y, { scale: text.scale, color });
      }
    }
    top += pictureHeight + labelHeight + (labelHeight > 0 ? gap : 0) + gap;
  }
  return canvas;
}

const MOST_COLUMNS = 5;

function evenColumns(count: number): number {
  return Math.max(1, Math.ceil(count / Math.ceil(count / MOST_COLUMNS)));
}

function fit(picture: Picture, tileSize: number): Picture {
  const factor = Math.min(tileSize / picture.width, tileSize / picture.height);
  const whole = Math.floor(factor);
  if (whole >= 2) {
    return scalePicture(picture, { width: picture.width * whole, height: picture.height * whole }, 'nearest');
  }
  const side = (length: number) => Math.max(1, Math.round(length * factor));
  return scalePicture(picture, { width: side(picture.width), height: side(picture.height) }, 'bilinear');
}
