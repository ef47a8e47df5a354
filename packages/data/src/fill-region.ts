import type { Size } from './picture.js';

/**
 * The pixels of a region that is the union of polygons, in ascending order: those whose middle lies inside, by the
 * even-odd rule for each polygon. Corners are x, y in pixels from the top left corner of the picture.
 */
export function fillPolygons(polygons: readonly (readonly number[])[], { width, height }: Size): Int32Array {
  const inside = new Uint8Array(width * height);
  for (const polygon of polygons) {
    const corners = Math.floor(polygon.length / 2);
    const crossings: number[][] = Array.from({ length: height }, () => []);
    for (let i = 0; i < corners; i++) {
      const j = (i + 1) % corners;
      const [x0, y0, x1, y1] = [polygon[2 * i]!, polygon[2 * i + 1]!, polygon[2 * j]!, polygon[2 * j + 1]!];
      // Rows whose middle the edge crosses; its upper end counts, its lower does not, so corners count once.
      const first = Math.max(0, Math.ceil(Math.min(y0, y1) - 0.5));
      const end = Math.min(height, Math.ceil(Math.max(y0, y1) - 0.5));
      for (let row = first; row < end; row++)
        crossings[row]!.push(x0 + ((row + 0.5 - y0) * (x1 - x0)) / (y1 - y0));
    }
    crossings.forEach((places, row) => {
      places.sort((a, b) => a - b);
      for (let i = 0; i + 1 < places.length; i += 2) {
        const start = Math.max(0, Math.ceil(places[i]! - 0.5));
        const stop = Math.min(width, Math.ceil(places[i + 1]! - 0.5));
        if (stop > start) inside.fill(1, row * width + start, row * width + stop);
      }
    });
  }
  return placesOf(inside);
}

/**
 * The pixels of a run-length mask, whose runs outside and inside take turns column after column; they come in that order.
 * Undefined where the runs do not make up the picture.
 */
export function fillRuns(runs: readonly number[], { width, height }: Size): Int32Array | undefined {
  let end = 0;
  let count = 0;
  for (let i = 0; i < runs.length; i++) {
    const length = runs[i]!;
    if (length < 0 || end + length > width * height) return undefined;
    end += length;
    if (i % 2 === 1) count += length;
  }
  if (end !== width * height) return undefined;
  const places = new Int32Array(count);
  let next = 0;
  let start = 0;
  for (let i = 0; i < runs.length; i++) {
    const length = runs[i]!;
    if (i % 2 === 1) {
      let row = start % height;
      let column = (start - row) / height;
      for (let k = 0; k < length; k++) {
        places[next++] = row * width + column;
        if (++row < height) continue;
        row = 0;
        column++;
      }
    }
    start += length;
  }
  return places;
}

/**
 * The runs in COCO's compressed text: numbers of five bits a character, the sixth says that more follow, in two's
 * complement; from the third on each is the difference to the one before the last. Undefined for a text that is none.
 */
export function parseRuns(text: string): number[] | undefined {
  const runs: number[] = [];
  let value = 0;
  let shift = 0;
  for (const character of text) {
    const code = character.charCodeAt(0) - 48;
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

/** The runs of a region given by its spans in ascending order: the inverse of `fillRuns`. */
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

function placesOf(inside: Uint8Array): Int32Array {
  let count = 0;
  for (let place = 0; place < inside.length; place++) count += inside[place]!;
  const places = new Int32Array(count);
  let next = 0;
  for (let place = 0; next < count; place++) {
    if (inside[place] === 1) places[next++] = place;
  }
  return places;
}
