import type { GraphBuilder } from '@unitscope/onnx';
import type { MapShape } from './map-shape.js';

/** Where the rows and columns lie, and the distance over which a slope of 1 falls from 1 to 0. */
export interface MaskAxes {
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  readonly unit: number;
}

export interface Writer {
  readonly builder: GraphBuilder;
  readonly emit: (operator: string, inputs: readonly string[], attributes?: Record<string, number>) => string;
  readonly stem: string;
}

/** In units of which the distance to a part is a whole number, whichever the sides. */
export function wholeAxes({ height, width }: MapShape): MaskAxes {
  const unit = (height * width) / greatestDivisor(height, width);
  const axis = (size: number) => Array.from({ length: size }, (_, cell) => (cell * unit) / size);
  return { rows: axis(height), columns: axis(width), unit };
}

/** The released code's, from -1 to 1. */
export function unitAxes({ height, width }: MapShape): MaskAxes {
  const axis = (size: number) =>
    Array.from({ length: size }, (_, cell) => (size === 1 ? 1 : -1 + (2 * cell) / (size - 1)));
  return { rows: axis(height), columns: axis(width), unit: 1 };
}

/** In cells. */
export function cellAxes({ height, width }: MapShape): MaskAxes {
  const axis = (size: number) => Array.from({ length: size }, (_, cell) => cell);
  return { rows: axis(height), columns: axis(width), unit: 1 };
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

/** Row and column, `[N, C, 1, 1]`, of the first maximum. */
export function emitLargest(
  { builder, emit, stem }: Writer,
  maps: string,
  { height, width }: MapShape,
  { rows, columns }: MaskAxes,
): readonly [string, string] {
  const cells = height * width;
  const flat = emit('Reshape', [maps, builder.ints([0, 0, cells, 1], undefined, `${stem}.cells`)]);
  const at = emit('ArgMax', [flat], { axis: 2, keepdims: 1 });
  const look = (place: (cell: number) => number) => {
    const table = Array.from({ length: cells }, (_, cell) => place(cell));
    return emit('Gather', [builder.floats(table, undefined, `${stem}.places`), at]);
  };
  return [look((cell) => rows[Math.floor(cell / width)]!), look((cell) => columns[cell % width]!)];
}

/** Row and column, `[N, C, 1, 1]`, of the rounded centroid; of a map of zeros, of its first cell. */
export function emitCentroid(
  { builder, emit, stem }: Writer,
  maps: string,
  { height, width }: MapShape,
  { rows, columns }: MaskAxes,
): readonly [string, string] {
  const number = (value: number) => builder.floats(value, undefined, `${stem}.number`);
  // Means of cells stand for sums, which have no operator that is the same in all versions.
  const sumOf = (value: string) => emit('Mul', [emit('GlobalAveragePool', [value]), number(height * width)]);
  const mass = emit('Max', [sumOf(maps), number(1e-9)]);
  const look = (size: number, dims: readonly number[], positions: readonly number[]) => {
    const cells = builder.floats(
      positions.map((_, cell) => cell + 1),
      dims,
      `${stem}.cells`,
    );
    const mean = emit('Div', [sumOf(emit('Mul', [maps, cells])), mass]);
    const rounded = emit('Floor', [emit('Add', [mean, number(0.5)])]);
    const within = emit('Max', [emit('Min', [rounded, number(size)]), number(1)]);
    const place = emit('Cast', [emit('Sub', [within, number(1)])], { to: INT64 });
    return emit('Gather', [builder.floats(positions, undefined, `${stem}.places`), place]);
  };
  return [look(height, [height, 1], rows), look(width, [1, width], columns)];
}

/** ONNX's number of the element type. */
const INT64 = 7;
