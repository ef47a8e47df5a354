import type { GraphBuilder } from '@unitscope/onnx';
import { FIRST_SLOPE, type MapShape, type Reading, slopesOf } from './map-shape.js';
import { emitCentroid, emitLargest, unitAxes, wholeAxes } from './part-location.js';

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
