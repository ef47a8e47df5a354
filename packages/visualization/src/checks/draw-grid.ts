import {
  blankPicture,
  type Color,
  INK,
  type Picture,
  paste,
  scalePicture,
  toRgb,
  WHITE,
} from '../picture.js';
import { CELL_HEIGHT, drawText, fitText, textWidth, wrapText } from '../text.js';

export interface GridRow {
  /** Drawn at the left. */
  readonly label: string;
  /** One for each column; undefined leaves a gap. */
  readonly cells: readonly (GridCell | undefined)[];
}

export interface GridCell {
  readonly picture: Picture;
  /** Drawn below. */
  readonly caption?: string;
}

export interface Grid {
  /** Drawn above, line breaks are kept. */
  readonly title: string;
  /** Drawn in the corner above the labels of the rows. */
  readonly corner?: Picture;
  readonly columns: readonly string[];
  readonly rows: readonly GridRow[];
  /** The side in pixels of the square each picture is fitted into; 112 by default. */
  readonly tileSize?: number;
}

const FAINT: Color = [110, 110, 110];
const GAP = 6;
/** Below this width in pixels the title is written small. */
const WIDE = 800;
const TITLE_LINES = 4;
const HEADER_LINES = 5;
const LABEL_LINES = 6;

/** Pictures in rows and columns that have names: a method in each row, a network in each column. */
export function drawGrid({ title, corner, columns, rows, tileSize = 112 }: Grid): Picture {
  const width = GAP + (columns.length + 1) * (tileSize + GAP);
  const scale = width < WIDE ? 1 : 2;
  const titleLines = title.split('\n').flatMap((line) => wrapText(line, width - 2 * GAP, scale, TITLE_LINES));
  const titleHeight = titleLines.length * CELL_HEIGHT * scale + 2 * GAP;
  const headers = columns.map((column) => fitText(column, tileSize, 1, HEADER_LINES).lines);
  const headerHeight = Math.max(
    corner === undefined ? 0 : tileSize,
    CELL_HEIGHT * Math.max(0, ...headers.map((lines) => lines.length)),
  );
  const captioned = rows.some(({ cells }) => cells.some((cell) => cell?.caption !== undefined));
  const rowHeight = tileSize + (captioned ? CELL_HEIGHT + 2 : 0) + GAP;
  const canvas = blankPicture(width, titleHeight + headerHeight + GAP + rows.length * rowHeight, WHITE);
  const columnLeft = (column: number) => GAP + (column + 1) * (tileSize + GAP);
  const centred = (text: string, left: number) => left + Math.floor((tileSize - textWidth(text, 1)) / 2);

  for (const [i, line] of titleLines.entries()) {
    drawText(canvas, line, GAP, GAP + i * CELL_HEIGHT * scale, { scale, color: INK });
  }
  if (corner !== undefined) place(canvas, corner, GAP, titleHeight, tileSize);
  for (const [column, lines] of headers.entries()) {
    const left = columnLeft(column);
    const top = titleHeight + headerHeight - lines.length * CELL_HEIGHT;
    for (const [i, line] of lines.entries()) {
      drawText(canvas, line, centred(line, left), top + i * CELL_HEIGHT, { scale: 1, color: INK });
    }
  }
  for (const [row, { label, cells }] of rows.entries()) {
    const top = titleHeight + headerHeight + GAP + row * rowHeight;
    const { lines } = fitText(label, tileSize, 1, LABEL_LINES);
    const labelTop = top + Math.floor((tileSize - lines.length * CELL_HEIGHT) / 2);
    for (const [i, line] of lines.entries()) {
      const right = GAP + tileSize - textWidth(line, 1);
      drawText(canvas, line, right, labelTop + i * CELL_HEIGHT, { scale: 1, color: INK });
    }
    for (const [column, cell] of cells.entries()) {
      if (cell === undefined) continue;
      const left = columnLeft(column);
      place(canvas, cell.picture, left, top, tileSize);
      const { caption = '' } = cell;
      drawText(canvas, caption, centred(caption, left), top + tileSize + 2, { scale: 1, color: FAINT });
    }
  }
  return canvas;
}

function place(canvas: Picture, picture: Picture, left: number, top: number, tileSize: number): void {
  const fitted = fitTile(picture, tileSize);
  const inset = (side: number) => Math.floor((tileSize - side) / 2);
  paste(canvas, toRgb(fitted, WHITE), left + inset(fitted.width), top + inset(fitted.height));
}

/** The picture at the size it is drawn at: enlarged by a whole factor as blocks, else scaled smoothly. */
export function fitTile(picture: Picture, tileSize: number): Picture {
  const factor = Math.min(tileSize / picture.width, tileSize / picture.height);
  if (factor === 1) return picture;
  const side = (length: number) =>
    Math.max(1, Math.round(length * (factor >= 2 ? Math.floor(factor) : factor)));
  const size = { width: side(picture.width), height: side(picture.height) };
  return scalePicture(picture, size, factor >= 2 ? 'nearest' : 'bilinear');
}
