import { type CategoryMode, categoryWeights, type KernelOptions, type MiMode } from '@unitscope/kernels';
import { UnitscopeError, unknownName } from '@unitscope/tensor';
import { FIRST_SLOPE, READINGS, type Reading, slopesOf } from './map-shape.js';

/**
 * Which gradient of the filter loss the paper's reading takes.
 *
 * - `one-template`, the default: only the term of the template at a map's maximum, or of the negative template for a
 *   picture outside the filter's category (Eq 11 of the survey)
 * - `frozen`: of all templates, Z_T a constant
 * - `exact`: of all templates, Z_T the sum over the batch and differentiated too
 */
export type ZMode = Exclude<MiMode, 'released'>;

/**
 * How strong the filter losses are beside the classification loss, at epoch t, counted from 1.
 *
 * - `activation`, the paper's: lambda_f = scale / t * E[max_ij x_ij], the mean a moving average over batches; scale 1 by
 *   default
 * - `magnitude`, the released code's: over the pictures of a filter's category, and over the others, the mean of the
 *   largest |gradient| of a map is magnitude / (t N), whatever the activations are; 1e-6 by default
 * - `constant`: lambda_f = lambda
 */
export type Strength =
  | { readonly kind: 'activation'; readonly scale?: number }
  | { readonly kind: 'magnitude'; readonly magnitude?: number }
  | { readonly kind: 'constant'; readonly lambda: number };

export interface InterpretableLayerOptions extends KernelOptions {
  /** Default `paper`. */
  readonly reading?: Reading;
  /** Of the masks: the paper's beta, 4, or the released code's w, 2, by default. */
  readonly slope?: number | Float32Array;
  /** How fast the templates of the filter loss fall. Default 4. */
  readonly beta?: number;
  /** Height of a template of the filter loss. Default 0.5 / n^2. */
  readonly tau?: number;
  /** How likely the positive templates are together. Default n^2 / (n^2 + 1). */
  readonly alpha?: number;
  /** Of the paper's reading. Default `one-template`. */
  readonly zMode?: ZMode;
  /** How many categories the labels are of. Default 1. */
  readonly categories?: number;
  /** How filters come to their categories: by default as the reading does. */
  readonly assignment?: CategoryMode;
  /** By default as the reading does. */
  readonly strength?: Strength;
  /**
   * Of the released reading with several categories: the share of pictures of each, by which the two sides are weighed.
   * Equal shares by default.
   */
  readonly densities?: readonly number[];
  /**
   * Of the released reading: how far slopes go, at every batch, towards clip(3 / spread, 1.5, 3). The code's steps come to
   * about 0.02 at its first learning rate, the default; 0 leaves slopes as they are.
   */
  readonly slopeRate?: number;
}

export interface ResolvedOptions {
  readonly reading: Reading;
  readonly slope: Float32Array;
  readonly beta: number;
  readonly tau: number;
  readonly alpha: number;
  readonly zMode: ZMode;
  readonly categories: number;
  readonly assignment: CategoryMode;
  readonly strength: Strength;
  readonly densities: readonly number[];
  readonly slopeRate: number;
}

export const Z_MODES: readonly ZMode[] = ['one-template', 'frozen', 'exact'];

const STRENGTHS: readonly Strength['kind'][] = ['activation', 'magnitude', 'constant'];
const FIRST_MAGNITUDE = 1e-6;

/** Fills in what was left out. Throws `wrong-use` for what cannot be. */
export function resolveOptions(
  channels: number,
  cells: number,
  options: InterpretableLayerOptions,
): ResolvedOptions {
  const { reading = 'paper', zMode = 'one-template', categories = 1 } = options;
  if (!READINGS.includes(reading)) throw unknownName('reading', String(reading), READINGS, 'wrong-use');
  if (!Z_MODES.includes(zMode)) throw unknownName('zMode', String(zMode), Z_MODES, 'wrong-use');
  const {
    slope = FIRST_SLOPE[reading],
    beta = 4,
    tau = 0.5 / cells,
    alpha = cells / (cells + 1),
    assignment = reading,
    strength = reading === 'paper' ? { kind: 'activation' } : { kind: 'magnitude' },
    slopeRate = reading === 'released' ? 0.02 : 0,
    densities = new Array<number>(Math.max(categories, 0)).fill(categories > 1 ? 1 / categories : 0.5),
  } = options;
  requireValue('beta', beta, beta >= 0);
  requireValue('tau', tau, tau > 0);
  requireValue('alpha', alpha, alpha > 0 && alpha < 1);
  requireValue('categories', categories, Number.isInteger(categories) && categories >= 1);
  requireValue('slopeRate', slopeRate, slopeRate >= 0 && slopeRate <= 1);
  if (reading === 'paper' && slopeRate !== 0) {
    throw new UnitscopeError('wrong-use', 'slopes are learned in the reading "released" only', {
      subject: 'slopeRate',
    });
  }
  if (densities.length !== categories) {
    throw new UnitscopeError(
      'wrong-use',
      `densities must be one for each of ${categories} categories, there are ${densities.length}`,
      { subject: 'densities' },
    );
  }
  const slopes = slopesOf(channels, slope).slice();
  return {
    ...{ reading, slope: slopes, beta, tau, alpha, zMode, categories, assignment, densities, slopeRate },
    strength: resolveStrength(strength),
  };
}

/** Whether Z is that of more maps than the batch's. */
export function keepsZ({ reading, zMode }: ResolvedOptions): boolean {
  return reading === 'paper' && zMode !== 'exact';
}

/** Whether pictures of a filter's category are treated otherwise than the rest. */
export function hasTwoSides({ reading, zMode }: ResolvedOptions): boolean {
  return reading === 'released' || zMode === 'one-template';
}

/** Of each filter, what the pictures of its category and the others count; 1 in the paper's reading. */
export function sideWeights(
  { reading, densities }: ResolvedOptions,
  categories: Int32Array,
): readonly (readonly [positive: number, negative: number])[] {
  const weights = reading === 'released' ? categoryWeights(densities) : [];
  return Array.from(categories, (category) => {
    const found = weights[category];
    return found === undefined ? [1, 1] : [found.positiveWeight, found.negativeWeight];
  });
}

function resolveStrength(strength: Strength): Strength {
  switch (strength.kind) {
    case 'activation': {
      const { scale = 1 } = strength;
      requireValue('scale', scale, scale >= 0);
      return { kind: 'activation', scale };
    }
    case 'magnitude': {
      const { magnitude = FIRST_MAGNITUDE } = strength;
      requireValue('magnitude', magnitude, magnitude >= 0);
      return { kind: 'magnitude', magnitude };
    }
    case 'constant':
      requireValue('lambda', strength.lambda, true);
      return strength;
    default:
      throw unknownName('strength', String((strength as Strength).kind), STRENGTHS, 'wrong-use');
  }
}

function requireValue(name: string, value: number, fits: boolean): void {
  if (fits && Number.isFinite(value)) return;
  throw new UnitscopeError('wrong-use', `${name} cannot be ${value}`, { subject: name });
}
