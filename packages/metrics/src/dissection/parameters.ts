import {
  type MapPlacement,
  placeAtReceptiveFields,
  placeHalfPixel,
  placeZeroPadded,
  type QuantileMethod,
  type ReceptiveField,
} from '@unitscope/kernels';
import { UnitscopeError, unknownName } from '@unitscope/tensor';

export const CONVENTIONS = ['paper', 'lite', 'dissect'] as const;

/** Whose reading of Network Dissection: the paper of 2017 and its code, NetDissect-Lite, or dissect of 2020. */
export type Convention = (typeof CONVENTIONS)[number];

/**
 * Everything that published implementations disagree on, recorded with every result.
 *
 * | | `paper` | `lite` | `dissect` |
 * |---|---|---|---|
 * | quantile q | 0.005 | 0.005 | 0.01 |
 * | its place among n values | (1 - q)(n - 1) | that of the 1000-step readout | (1 - q) n - 1/2 |
 * | values it is taken over | the map | the map | the enlarged map |
 * | where a map's cells lie | receptive fields, clamped | half-pixel, clamped | half-pixel, zeros outside |
 * | active area in the IoU | pictures that carry the category | pictures where a label of it is hit | all pictures |
 */
export interface DissectionParameters {
  readonly convention: Convention;
  /** q: T_k is exceeded with this probability. */
  readonly quantile: number;
  /** A unit whose IoU exceeds it detects the concept. */
  readonly iouThreshold: number;
  readonly quantileMethod: QuantileMethod;
  /** q as it is taken: `lite` reads the nearest of 1000 steps. */
  readonly quantileFraction: number;
  readonly quantileOver: 'map' | 'enlarged-map';
  readonly placement: 'receptive-field' | 'half-pixel' | 'zero-padded';
  /** Over which pictures |M_k| is summed: of the category's, of those where one of its labels is hit, of all. */
  readonly area: 'category' | 'category-hit' | 'all';
}

export interface DissectionOptions {
  /** `paper` by default. */
  readonly convention?: Convention;
  readonly quantile?: number;
  /** 0.04 by default. */
  readonly iouThreshold?: number;
  readonly quantileOver?: DissectionParameters['quantileOver'] | undefined;
}

const LITE_STEPS = 1000;

/** The parameters of a convention. Throws `wrong-use` for numbers outside 0..1 and an unknown convention. */
export function dissectionParameters({
  convention = 'paper',
  quantile = convention === 'dissect' ? 0.01 : 0.005,
  iouThreshold = 0.04,
  quantileOver = convention === 'dissect' ? 'enlarged-map' : 'map',
}: DissectionOptions = {}): DissectionParameters {
  for (const [name, value] of Object.entries({ quantile, iouThreshold })) {
    if (!(value > 0 && value < 1))
      throw new UnitscopeError('wrong-use', `${name} must be above 0 and below 1, it is ${value}`);
  }
  const common = { convention, quantile, iouThreshold, quantileOver };
  switch (convention) {
    case 'paper':
      return {
        ...common,
        quantileMethod: 'linear',
        quantileFraction: quantile,
        placement: 'receptive-field',
        area: 'category',
      };
    case 'lite':
      return {
        ...common,
        quantileMethod: 'hazen',
        quantileFraction: 1 - Math.max(0, Math.trunc(LITE_STEPS * (1 - quantile) - 1)) / (LITE_STEPS - 1),
        placement: 'half-pixel',
        area: 'category-hit',
      };
    case 'dissect':
      return {
        ...common,
        quantileMethod: 'hazen',
        quantileFraction: quantile,
        placement: 'zero-padded',
        area: 'all',
      };
    default:
      throw unknownName('convention', String(convention), CONVENTIONS, 'wrong-use');
  }
}

/** What is known about a layer's maps and the label maps over them. */
export interface MapGeometry {
  /** [height, width] of the layer's maps. */
  readonly cells: readonly [number, number];
  /** [height, width] of the label maps. */
  readonly pixels: readonly [number, number];
  /** [height, width] of the network's input. */
  readonly input: readonly [number, number];
  /** Of the layer, per axis; left out where it is not known, as for activations that came from a file. */
  readonly receptiveField?: readonly [ReceptiveField, ReceptiveField];
}

/**
 * Where the cells of a layer's maps lie on the label pixels. `receptive-field` needs to know the layer's: throws
 * `wrong-use` where it does not, or where a label pixel is coarser than the layer's stride.
 */
export function placeCells(
  { placement }: Pick<DissectionParameters, 'placement'>,
  { cells, pixels, input, receptiveField }: MapGeometry,
): MapPlacement {
  if (placement === 'half-pixel') return placeHalfPixel(cells, pixels);
  if (placement === 'zero-padded') return placeZeroPadded(cells, pixels);
  if (receptiveField === undefined) {
    throw new UnitscopeError(
      'wrong-use',
      'the convention "paper" places units at their receptive fields, which are not known here; ' +
        'choose the convention "lite", or dissect the network itself',
    );
  }
  const [vertical, horizontal] = receptiveField.map((field, axis) =>
    placeAtReceptiveFields(field, Math.max(1, Math.round(input[axis]! / pixels[axis]!))),
  );
  return {
    origin: [vertical!.origin[0], horizontal!.origin[1]],
    step: [vertical!.step[0], horizontal!.step[1]],
    edge: 'clamp',
  };
}
