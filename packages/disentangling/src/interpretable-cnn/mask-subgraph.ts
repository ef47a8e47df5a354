import type { GraphBuilder } from '@unitscope/onnx';
import { FIRST_SLOPE, type MapShape, type Reading, slopesOf } from './map-shape.js';

export interface MaskSubgraphOptions {
  /** Default `paper`. */
  readonly reading?: Reading;
  /** How fast the masks of all channels, or of each, fall; the paper's beta, 4, or the released code's w, 2, by default. */
  readonly slope?: number | Float32Array;
  /** Stem of the names of what is added. Default `mask`. */
  readonly name?: string;
}

/** The values of an emitted mask. */
export interface MaskSubgraph {
  /** The masked maps, `[N, C, h, w]`. */
  readonly masked: string;
  /** The masks, `[N, C, h, w]`, from 0 to 1. */
  readonly mask: string;
  /** The initializer of the slopes, `[C, 1, 1]`. */
  readonly slopes: string;
}

/**
 * Writes the mask of an interpretable layer (Eq 9 of the survey) in operators every ONNX Runtime has, from version 8 of
 * the operator set on: y = x * max(T_mu, 0), T_mu the template of unit height around the part mu of each map.
 *
 * - `paper`: mu is the first maximum in row-major order, T = 1 - beta (|i - mu_i| / h + |j - mu_j| / w). On square maps
 *   this is 1 - beta d / n. On others each axis counts by its own side, so the mask covers the same share of both; the
 *   numerator is kept whole, over the least common multiple of the sides, so that the mask ends exactly at 0.
 * - `released`: mu is the centroid, rounded half up, of cells counted from 1; T = 1 - w (|y_i - y_mu| + |x_j - x_mu|) with
 *   y and x from -1 to 1 in equal steps.
 *
 * The template's floor of -1 never shows: of maps that are not negative, what `max(x * max(T, -1), 0)` keeps is
 * x * max(T, 0). Behind anything that can be negative the mask must not be used. A map of zeros stays zero.
 *
 * Where mu lies is found through integers, which carry no derivative: differentiated, the subgraph gives
 * dx = dy * max(T_mu, 0), mu held constant.
 *
 * @param maps `[N, C, h, w]`, not negative; N may be known at run time only
 */
export function maskSubgraph(
  builder: GraphBuilder,
  maps: string,
  shape: MapShape,
  options: MaskSubgraphOptions = {},
): MaskSubgraph {
  const { reading = 'paper', name: stem = 'mask', slope = FIRST_SLOPE[reading] } = options;
  const { channels, height, width } = shape;
  const emit = (operator: string, inputs: readonly string[], attributes = {}) =>
    builder.node(operator, inputs, attributes, { name: `${stem}/${operator}` });
  const slopes = builder.constant(
    { type: 'float32', dims: [channels, 1, 1], data: slopesOf(channels, slope) },
    `${stem}.slopes`,
  );
  const axes = reading === 'paper' ? wholeAxes(shape) : unitAxes(shape);
  const [row, column] =
    reading === 'paper'
      ? emitLargest({ builder, emit, stem }, maps, shape, axes)
      : emitCentroid({ builder, emit, stem }, maps, shape, axes);
  const falling = (positions: readonly number[], dims: readonly number[], at: string) => {
    const distance = emit('Abs', [emit('Sub', [builder.floats(positions, dims, `${stem}.axis`), at])]);
    return emit('Mul', [distance, slopes]);
  };
  const whole = builder.floats(axes.unit, [], `${stem}.unit`);
  const along = emit('Sub', [whole, falling(axes.rows, [height, 1], row)]);
  const template = emit('Sub', [along, falling(axes.columns, [1, width], column)]);
  const unit = axes.unit === 1 ? template : emit('Div', [template, whole]);
  const mask = emit('Relu', [unit]);
  return { masked: emit('Mul', [maps, mask]), mask, slopes };
}

/** Where the rows and columns lie, and the distance over which a slope of 1 falls from 1 to 0. */
interface MaskAxes {
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  readonly unit: number;
}

interface Writer {
  readonly builder: GraphBuilder;
  readonly emit: (operator: string, inputs: readonly string[], attributes?: Record<string, number>) => string;
  readonly stem: string;
}

function wholeAxes({ height, width }: MapShape): MaskAxes {
  const unit = (height * width) / greatestDivisor(height, width);
  const axis = (size: number) => Array.from({ length: size }, (_, cell) => (cell * unit) / size);
  return { rows: axis(height), columns: axis(width), unit };
}

function unitAxes({ height, width }: MapShape): MaskAxes {
  const axis = (size: number) =>
    Array.from({ length: size }, (_, cell) => (size === 1 ? 1 : -1 + (2 * cell) / (size - 1)));
  return { rows: axis(height), columns: axis(width), unit: 1 };
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

/** Row and column, `[N, C, 1, 1]`, of the first maximum. */
function emitLargest(
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
function emitCentroid(
  { builder, emit, stem }: Writer,
  maps: string,
  { height, width }: MapShape,
  { rows, columns }: MaskAxes,
): readonly [string, string] {
  const cells = height * width;
  const flat = emit('Reshape', [maps, builder.ints([0, 0, cells], undefined, `${stem}.cells`)]);
  const weights = Array.from({ length: cells }, (_, cell) => [
    Math.floor(cell / width) + 1,
    (cell % width) + 1,
    1,
  ]).flat();
  const sums = emit('MatMul', [flat, builder.floats(weights, [cells, 3], `${stem}.moments`)]);
  const mass = emit('Gather', [sums, builder.ints([2], undefined, `${stem}.mass`)], { axis: 2 });
  const mean = emit('Div', [sums, emit('Max', [mass, builder.floats(1e-9, undefined, `${stem}.least`)])]);
  const rounded = emit('Floor', [emit('Add', [mean, builder.floats(0.5, undefined, `${stem}.half`)])]);
  const ends = builder.floats([height, width, 1], undefined, `${stem}.last`);
  const first = builder.floats(1, undefined, `${stem}.first`);
  const within = emit('Max', [emit('Min', [rounded, ends]), first]);
  const places = emit('Cast', [emit('Sub', [within, first])], { to: INT64 });
  const look = (axis: number, positions: readonly number[]) => {
    const place = emit('Gather', [places, builder.ints([axis], [1, 1], `${stem}.axis`)], { axis: 2 });
    return emit('Gather', [builder.floats(positions, undefined, `${stem}.places`), place]);
  };
  return [look(0, rows), look(1, columns)];
}

/** ONNX's number of the element type. */
const INT64 = 7;
