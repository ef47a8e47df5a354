import { type Tensor, UnitscopeError } from '@unitscope/tensor';
import { signedPicture } from '../map-picture.js';
import { blankPicture, type Color, INK, type Picture, paste, scalePicture, WHITE } from '../picture.js';
import { CELL_HEIGHT, drawText, wrapText } from '../text.js';
import type { FieldWindow } from './field-window.js';

/** One projection beside what its unit saw. */
export interface ProjectedPicture {
  /** [C, height, width] of the field's frame, C being 1 or 3: a `Projection` has it. */
  readonly patch: Tensor;
  readonly field: FieldWindow;
  /** The whole picture, as the network saw it. */
  readonly picture: Picture;
}

/** A unit of a figure. */
export interface ProjectedUnit {
  /** Drawn above, on at most two lines. */
  readonly label: string;
  /** From the strongest down. */
  readonly pictures: readonly ProjectedPicture[];
}

export interface ProjectionFigureOptions {
  /** Places for pictures of each unit, those without a picture drawn as outlines. Default: as many as the unit with most has. */
  readonly top?: number;
  /** The order of the channels of the network's input. Default `rgb`. */
  readonly channelOrder?: 'rgb' | 'bgr';
  /** Units in a row. By default as many as make the figure nearest to a square, of 2400 pixels in width at most. */
  readonly columns?: number;
  readonly title?: string;
}

// Of what is beyond the picture: neither the grey of zero nor the white of the page.
const BEYOND: Color = [226, 226, 230];
const ENLARGED = 96;
const LARGEST = 160;
const GAP = 2;
const MARGIN = 14;
const TEXT_SCALE = 2;
const LINE = CELL_HEIGHT * TEXT_SCALE;
const LABEL_LINES = 2;
const WIDEST = 2400;
// A late layer's signal has a few pixels many times as strong as the rest, which would leave the rest grey.
const PERCENTILE = 99.5;

/**
 * The figure of Zeiler and Fergus 2014: for every unit a square of its projections beside a square of the parts of the
 * pictures they were made from, the strongest at the top left.
 *
 * Every projection has a scale of its own, symmetric around zero: zero is mid-grey, the 99.5th percentile of |value| in the
 * patch is a full colour and what is beyond it is clipped; one of zeros is flat grey. What a receptive field sees beyond the border of the picture is light grey. Small
 * fields are enlarged by a whole factor with their pixels as blocks, fields of more than 160 pixels made smaller.
 *
 * Throws `wrong-use` without a picture, `bad-input` for a patch of other channels, or with NaN.
 */
export function drawProjections(
  units: readonly ProjectedUnit[],
  { channelOrder = 'rgb', title = '', ...options }: ProjectionFigureOptions = {},
): Picture {
  const most = Math.max(0, ...units.map(({ pictures }) => pictures.length));
  const top = options.top ?? most;
  if (most === 0) throw new UnitscopeError('wrong-use', 'a figure of projections needs at least one picture');
  if (!Number.isInteger(top) || top < most) {
    throw new UnitscopeError('wrong-use', `top ${top} is no room for the ${most} pictures of a unit`);
  }
  const frames = units.flatMap(({ pictures }) => pictures.map(({ field }) => field.frame));
  const cell = cellSize(Math.max(...frames.flatMap(({ height, width }) => [height, width])));
  const side = Math.ceil(Math.sqrt(top));
  const rows = Math.ceil(top / side);
  const square = { width: side * (cell + GAP) - GAP, height: rows * (cell + GAP) - GAP };
  const blockWidth = 2 * square.width + 3 * GAP;
  const labels = units.map(({ label }) =>
    label.split('\n').flatMap((line) => wrapText(line, blockWidth, TEXT_SCALE, LABEL_LINES)),
  );
  const labelHeight = Math.max(...labels.map(({ length }) => length)) * LINE;
  const block = { width: blockWidth, height: labelHeight + square.height };
  const columns = Math.min(units.length, options.columns ?? columnsFor(units.length, block));
  if (!Number.isInteger(columns) || columns < 1) {
    throw new UnitscopeError('wrong-use', `columns ${columns} must be a positive integer`);
  }
  const width = MARGIN + columns * (block.width + MARGIN);
  const titleLines = title.split('\n').flatMap((line) => wrapText(line, width - 2 * MARGIN, TEXT_SCALE, 4));
  const start = MARGIN + (titleLines.length === 0 ? 0 : titleLines.length * LINE + MARGIN);
  const height = start + Math.ceil(units.length / columns) * (block.height + MARGIN);
  const canvas = blankPicture(width, height, WHITE);
  for (const [i, line] of titleLines.entries()) write(canvas, line, MARGIN, MARGIN + i * LINE);
  for (const [i, { pictures }] of units.entries()) {
    const left = MARGIN + (i % columns) * (block.width + MARGIN);
    const upper = start + Math.floor(i / columns) * (block.height + MARGIN);
    // Text stands on its pictures: what is free lies above it.
    const lines = labels[i]!;
    const firstLine = upper + labelHeight - lines.length * LINE;
    for (const [n, line] of lines.entries()) write(canvas, line, left, firstLine + n * LINE);
    for (let place = 0; place < rows * side && place < top; place++) {
      const x = left + (place % side) * (cell + GAP);
      const y = upper + labelHeight + Math.floor(place / side) * (cell + GAP);
      const beside = x + square.width + 3 * GAP;
      const shown = pictures[place];
      if (shown === undefined) {
        for (const edge of [x, beside]) outlineCell(canvas, edge, y, cell);
        continue;
      }
      const projected = signedPicture(shown.patch, { channelOrder, percentile: PERCENTILE });
      pasteInto(canvas, framed(projected, shown.field, 'frame'), x, y, cell);
      pasteInto(canvas, framed(shown.picture, shown.field, 'picture'), beside, y, cell);
    }
  }
  return canvas;
}

/** The side of the square a field is drawn in. */
function cellSize(longest: number): number {
  return longest > LARGEST ? LARGEST : longest * Math.max(1, Math.floor(ENLARGED / longest));
}

/** Of the numbers of columns that are not too wide, the one that is nearest to a square. */
function columnsFor(count: number, block: { readonly width: number; readonly height: number }): number {
  const elongation = (columns: number) =>
    Math.abs(Math.log((columns * block.width) / (Math.ceil(count / columns) * block.height)));
  let best = 1;
  for (let columns = 2; columns <= count && columns * (block.width + MARGIN) + MARGIN <= WIDEST; columns++) {
    if (elongation(columns) < elongation(best)) best = columns;
  }
  return best;
}

/** The frame of a field with what lies inside the picture, given as the frame or as the whole picture. */
function framed(source: Picture, { frame, inside }: FieldWindow, given: 'frame' | 'picture'): Picture {
  const origin = given === 'frame' ? frame : { top: 0, left: 0 };
  const part = blankPicture(Math.max(1, inside.width), Math.max(1, inside.height), WHITE);
  if (inside.width > 0 && inside.height > 0)
    paste(part, source, origin.left - inside.left, origin.top - inside.top);
  const whole = blankPicture(frame.width, frame.height, BEYOND);
  paste(whole, part, inside.left - frame.left, inside.top - frame.top);
  return whole;
}

function pasteInto(canvas: Picture, picture: Picture, left: number, top: number, cell: number): void {
  const longest = Math.max(picture.width, picture.height);
  const factor = cell / longest;
  const sized =
    factor >= 1
      ? scalePicture(
          picture,
          { width: picture.width * Math.floor(factor), height: picture.height * Math.floor(factor) },
          'nearest',
        )
      : scalePicture(
          picture,
          {
            width: Math.max(1, Math.round(picture.width * factor)),
            height: Math.max(1, Math.round(picture.height * factor)),
          },
          'bilinear',
        );
  const centred = (length: number) => Math.floor((cell - length) / 2);
  paste(canvas, sized, left + centred(sized.width), top + centred(sized.height));
}

function outlineCell(canvas: Picture, left: number, top: number, cell: number): void {
  paste(canvas, blankPicture(cell, cell, BEYOND), left, top);
  paste(canvas, blankPicture(cell - 2, cell - 2, WHITE), left + 1, top + 1);
}

function write(canvas: Picture, text: string, left: number, top: number): void {
  drawText(canvas, text, left, top, { scale: TEXT_SCALE, color: INK });
}
