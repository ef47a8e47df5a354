import { UnitscopeError } from '@unitscope/tensor';

/** What a filter looks at around one of its units, in pixels of the network's input. */
export interface FieldTemplate {
  /** Odd: the unit lies in the middle row. */
  readonly height: number;
  /** Odd: the unit lies in the middle column. */
  readonly width: number;
  /** 1 where the filter looks, 0 elsewhere, row by row. */
  readonly data: Uint8Array;
}

/** Where the units of a layer lie in the network's input, [y, x] in pixels. */
export interface UnitPlacement {
  /** The middle of what unit 0 sees; the middle of the top left pixel is 0, 0. */
  readonly origin: readonly [number, number];
  /** From one unit to the next. */
  readonly step: readonly [number, number];
  /** Height and width of the input. */
  readonly input: readonly [number, number];
}

/**
 * The theoretical receptive field scaled by a factor: the simple stand-in for the field at image resolution, which is
 * found to be much smaller than the theoretical one (Zhou et al., arXiv:1412.6856). A rectangle of
 * 2 floor(size factor / 2) + 1 pixels a side, the same for every filter.
 *
 * @param size of the theoretical field, [height, width] in pixels
 * @param factor above 0; part of a result's record
 */
export function scaledField(size: readonly [number, number], factor: number): FieldTemplate {
  if (!(factor > 0 && Number.isFinite(factor)))
    throw new UnitscopeError('wrong-use', `the factor of a receptive field must be above 0, it is ${factor}`);
  const [height = 1, width = 1] = size.map((side) => 2 * Math.floor((side * factor) / 2) + 1);
  return { height, width, data: new Uint8Array(height * width).fill(1) };
}

/** The pixel that the middle of a unit falls into; halfway between two, the lower one. */
export function pixelOfUnit(
  { origin, step }: UnitPlacement,
  row: number,
  column: number,
): [y: number, x: number] {
  return [Math.ceil(origin[0] + row * step[0] - 0.5), Math.ceil(origin[1] + column * step[1] - 0.5)];
}

/** A horizontal run of a template's pixels, relative to its middle. */
interface Run {
  readonly y: number;
  readonly start: number;
  /** The first column after it. */
  readonly end: number;
}

/** Throws `bad-input` for sides that are not odd and data that do not fit. */
export function runsOf({ height, width, data }: FieldTemplate): Run[] {
  if (height % 2 !== 1 || width % 2 !== 1 || data.length !== height * width)
    throw new UnitscopeError(
      'bad-input',
      `a template of ${height}x${width} pixels has no middle, or other data`,
    );
  const runs: Run[] = [];
  for (let row = 0; row < height; row++) {
    const y = row - (height - 1) / 2;
    for (let column = 0; column < width; column++) {
      if (data[row * width + column] === 0) continue;
      const start = column;
      while (column < width && data[row * width + column] !== 0) column++;
      runs.push({ y, start: start - (width - 1) / 2, end: column - (width - 1) / 2 });
    }
  }
  return runs;
}

/** A region of a picture, and the rows it touches: from `top` to before `bottom`. */
export interface Region {
  readonly mask: Uint8Array;
  top: number;
  bottom: number;
}

/** Adds a template, laid with its middle on a pixel, to a region; what lies outside the picture is left out. */
export function layTemplate(
  runs: readonly Run[],
  [y, x]: readonly [number, number],
  [height, width]: readonly [number, number],
  into: Region,
): void {
  for (const run of runs) {
    const row = y + run.y;
    if (row < 0 || row >= height) continue;
    const [start, end] = [Math.max(0, x + run.start), Math.min(width, x + run.end)];
    if (start >= end) continue;
    into.mask.fill(1, row * width + start, row * width + end);
    into.top = Math.min(into.top, row);
    into.bottom = Math.max(into.bottom, row + 1);
  }
}
