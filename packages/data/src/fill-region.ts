import type { PixelGrid } from './data-set.js';
import type { Size } from './picture.js';

/** Pixels of a picture, in spans that are counted row by row or column by column. */
export interface Region extends Size {
  readonly counted: 'by-rows' | 'by-columns';
  /** In turn the first pixel of a span and the one behind its last, ascending; a span may reach into the next lines. */
  readonly spans: ArrayLike<number>;
  /** How many pixels it has. */
  readonly area: number;
}

/**
 * The union of polygons: the pixels whose middle lies inside, by the even-odd rule for each polygon. Corners are x, y in
 * pixels from the top left corner of the picture.
 */
export function polygonRegion(polygons: readonly (readonly number[])[], { width, height }: Size): Region {
  const found: { start: number; end: number }[] = [];
  for (const polygon of polygons) {
    const corners = Math.floor(polygon.length / 2);
    const crossings = new Map<number, number[]>();
    for (let i = 0; i < corners; i++) {
      const j = (i + 1) % corners;
      const [x0, y0, x1, y1] = [polygon[2 * i]!, polygon[2 * i + 1]!, polygon[2 * j]!, polygon[2 * j + 1]!];
      // Rows whose middle the edge crosses; its upper end counts, its lower does not, so corners count once.
      const first = Math.max(0, Math.ceil(Math.min(y0, y1) - 0.5));
      const end = Math.min(height, Math.ceil(Math.max(y0, y1) - 0.5));
      for (let row = first; row < end; row++) {
        const place = x0 + ((row + 0.5 - y0) * (x1 - x0)) / (y1 - y0);
        const known = crossings.get(row);
        if (known === undefined) crossings.set(row, [place]);
        else known.push(place);
      }
    }
    for (const [row, places] of crossings) {
      places.sort((a, b) => a - b);
      for (let i = 0; i + 1 < places.length; i += 2) {
        const start = Math.max(0, Math.ceil(places[i]! - 0.5));
        const stop = Math.min(width, Math.ceil(places[i + 1]! - 0.5));
        if (stop > start) found.push({ start: row * width + start, end: row * width + stop });
      }
    }
  }
  found.sort((a, b) => a.start - b.start);
  const spans: number[] = [];
  let area = 0;
  for (const { start, end } of found) {
    // Polygons may overlap.
    const before = spans.at(-1) ?? 0;
    area += Math.max(0, end - Math.max(start, before));
    if (spans.length === 0 || start > before) spans.push(start, end);
    else spans[spans.length - 1] = Math.max(before, end);
  }
  return { width, height, counted: 'by-rows', spans, area };
}

/**
 * The region of a run-length mask, whose runs outside and inside take turns column after column. Undefined where the runs
 * do not make up the picture.
 */
export function runRegion(runs: readonly number[], { width, height }: Size): Region | undefined {
  const spans: number[] = [];
  let end = 0;
  let area = 0;
  for (let i = 0; i < runs.length; i++) {
    const length = runs[i]!;
    if (length < 0 || end + length > width * height) return undefined;
    end += length;
    if (i % 2 === 0 || length === 0) continue;
    area += length;
    spans.push(end - length, end);
  }
  return end === width * height ? { width, height, counted: 'by-columns', spans, area } : undefined;
}

/** Writes `label` to the places in `into` of those pixels of a grid, row by row, that belong to the region. */
export type RegionPainter = (region: Region, label: number, into: Int32Array) => void;

/** Paints regions of pictures of one size on a grid. */
export function regionPainter({ rows, columns }: PixelGrid, { width, height }: Size): RegionPainter {
  const stride = columns.length;
  const firstRow = firstPlaces(rows, height);
  const firstColumn = firstPlaces(columns, width);
  return ({ counted, spans }, label, into) => {
    const isByRows = counted === 'by-rows';
    const length = isByRows ? width : height;
    const [firstLine, firstInLine] = isByRows ? [firstRow, firstColumn] : [firstColumn, firstRow];
    const [lineStep, step] = isByRows ? [stride, 1] : [1, stride];
    for (let i = 0; i < spans.length; i += 2) {
      const end = spans[i + 1]!;
      let start = spans[i]!;
      for (let line = Math.floor(start / length); start < end; line++) {
        const lineStart = line * length;
        const stop = Math.min(end, lineStart + length);
        const from = firstInLine[start - lineStart]!;
        const until = firstInLine[stop - lineStart]!;
        for (let at = firstLine[line]!; at < firstLine[line + 1]!; at++) {
          for (let place = from; place < until; place++) into[at * lineStep + place * step] = label;
        }
        start = stop;
      }
    }
  };
}

/** Of every cell, and of the one behind the last, how many of the ascending places lie before it. */
function firstPlaces(places: Int32Array, cells: number): Int32Array {
  const first = new Int32Array(cells + 1);
  let next = 0;
  for (let cell = 0; cell <= cells; cell++) {
    while (next < places.length && places[next]! < cell) next++;
    first[cell] = next;
  }
  return first;
}

/**
 * The runs in COCO's compressed text: numbers of five bits a character, the sixth says that more follow, in two's
 * complement; from the third on each is the difference to the one before the last. Undefined for a text that is none.
 */
export function parseRuns(text: string): number[] | undefined {
  const runs: number[] = [];
  let value = 0;
  let shift = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i) - 48;
    if (code < 0 || code > 63 || shift > 30) return undefined;
    value += (code & 31) * 2 ** shift;
    shift += 5;
    if ((code & 32) !== 0) continue;
    if ((code & 16) !== 0) value -= 2 ** shift;
    runs.push(runs.length > 2 ? value + runs[runs.length - 2]! : value);
    value = 0;
    shift = 0;
  }
  return shift === 0 ? runs : undefined;
}

/** Pixels of one column that follow each other, counted column after column. */
export interface Span {
  readonly start: number;
  readonly length: number;
}

/** The runs of a region given by its spans in ascending order: the inverse of `runRegion`. */
export function encodeRuns(spans: Iterable<Span>, { width, height }: Size): number[] {
  const runs: number[] = [];
  let end = 0;
  for (const { start, length } of spans) {
    // What goes on in the next column goes on in the run.
    if (start === end && runs.length > 0) runs[runs.length - 1]! += length;
    else runs.push(start - end, length);
    end = start + length;
  }
  if (end < width * height) runs.push(width * height - end);
  return runs;
}

/** Runs in COCO's compressed text: the inverse of `parseRuns`. */
export function formatRuns(runs: readonly number[]): string {
  let text = '';
  for (const [i, run] of runs.entries()) {
    let value = i > 2 ? run - runs[i - 2]! : run;
    for (let more = true; more; ) {
      const bits = value & 31;
      value >>= 5;
      // The fifth bit is the sign that the reader extends: a number ends where the rest is nothing but that sign.
      more = value !== ((bits & 16) === 0 ? 0 : -1);
      text += String.fromCharCode(48 + bits + (more ? 32 : 0));
    }
  }
  return text;
}
