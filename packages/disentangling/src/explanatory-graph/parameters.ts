import type { ParentWeight } from '@unitscope/kernels';
import { UnitscopeError, unknownName } from '@unitscope/tensor';

/** How the two orientations of a picture are compared, by what the top layer's nodes find in them. */
export const ORIENTATION_RULES = ['score', 'likelihood'] as const;
export type OrientationRule = (typeof ORIENTATION_RULES)[number];

/** In which cells the deviations of parents are read. */
export const PARENT_UNITS = ['converted', 'released'] as const;
export type ParentUnits = (typeof PARENT_UNITS)[number];

/** In which iterations the parents of a node are chosen anew. */
export const PARENT_CHOICES = ['doubling', 'every'] as const;
export type ParentChoice = (typeof PARENT_CHOICES)[number];

/** How an explanatory graph is learned. Lengths are shares of a map's height. */
export interface GraphParameters {
  readonly seed: number;
  /** Iterations of every layer. */
  readonly iterations: number;
  /**
   * Nodes of a filter per cell of its map, for each layer from the top down: a layer has ceil(height width density) of
   * each filter. Left out, `defaultDensity` of the map's height.
   */
  readonly density?: readonly number[];
  /** The learning rate. */
  readonly eta: number;
  /** Parents of every node, N. */
  readonly parents: number;
  /** The strongest nodes of the layer above that parents are chosen among, M. */
  readonly candidates: number;
  /** The share of the layer above that is left out of these, the nodes that move least: background more than part. */
  readonly staticShare: number;
  /** Nodes of the layer above are left out where their mean is nearer to the border than this. */
  readonly border: number;
  /** The largest half range of the search for a node. */
  readonly range: number;
  /** The deviation of a node before anything is known of it. */
  readonly initialSigma: number;
  /** The deviation of the smoothing of activations. */
  readonly smoothing: number;
  /** The weight of "none of the nodes". */
  readonly tau: number;
  /** Whether pictures may be mirrored, each as suits the top layer. */
  readonly flip: boolean;
  /**
   * - `score`: the orientation in which the nodes' scores sum up to more
   * - `likelihood`: the larger sum of E log prob, the authors' rule. As probabilities are mostly below 1, it prefers the
   *   picture that activates the layer less; the authors' two orientations never differ, so it never mattered there
   */
  readonly orientation: OrientationRule;
  /** `converted` by the ratio of the strides; `released` leaves them in cells of the layer above, as the authors' code. */
  readonly parentUnits: ParentUnits;
  readonly parentWeight: ParentWeight;
  /** `every` iteration from the second on, as the authors' code; `doubling`: the 2nd, 3rd, 5th, 9th, 17th and so on. */
  readonly parentChoice: ParentChoice;
  /** Whether activations are rounded to 256 levels for each filter of a picture, as the authors' code stores them. */
  readonly quantised: boolean;
  /** The strongest pictures that are remembered of every node. */
  readonly topPictures: number;
}

/** The constants of the authors' code (Zhang et al., arXiv:1708.01785), its defects mended. */
export const GRAPH_DEFAULTS: GraphParameters = {
  seed: 1,
  iterations: 20,
  eta: 1,
  parents: 15,
  candidates: 600,
  staticShare: 0.5,
  border: 0.1,
  range: 0.15,
  initialSigma: 0.15,
  smoothing: 0.025,
  tau: 0.1,
  flip: true,
  orientation: 'score',
  parentUnits: 'converted',
  parentWeight: 'exact',
  parentChoice: 'doubling',
  quantised: false,
  topPictures: 50,
};

/** What the authors' code does otherwise, as far as it is a reading of the method and no slip of an index. */
export const RELEASED_GRAPH: Partial<GraphParameters> = {
  orientation: 'likelihood',
  parentUnits: 'released',
  parentWeight: 'released',
  parentChoice: 'every',
  quantised: true,
};

/** Nodes per cell: the authors' 0.05, 0.1 and 0.2 on maps of 28, 14 and 7 cells, and between. */
export function defaultDensity(height: number): number {
  return Math.min(0.2, 1.4 / height);
}

/** Nodes of each filter of a layer. */
export function nodesPerFilter(
  [height, width]: readonly [number, number],
  { density }: Pick<GraphParameters, 'density'>,
  layer: number,
): number {
  // A density that is a whole number of nodes must not become one more by rounding.
  return Math.max(1, Math.ceil(height * width * (density?.[layer] ?? defaultDensity(height)) - 1e-9));
}

const COUNTS = ['iterations', 'parents', 'candidates', 'topPictures'] as const;
const SHARES = ['range', 'initialSigma', 'smoothing', 'eta'] as const;

/** The parameters with defaults where they are left out. Throws `wrong-use` for one that cannot be, naming it. */
export function graphParameters(given: Partial<GraphParameters> = {}): GraphParameters {
  const all = { ...GRAPH_DEFAULTS, ...given };
  const refuse = (name: string, must: string, value: unknown) =>
    new UnitscopeError('wrong-use', `${name} must be ${must}, it is ${String(value)}`, { subject: name });
  for (const name of COUNTS) {
    if (!Number.isSafeInteger(all[name]) || all[name] < 1)
      throw refuse(name, 'a positive integer', all[name]);
  }
  for (const name of SHARES) {
    if (!(all[name] > 0 && Number.isFinite(all[name]))) throw refuse(name, 'above 0 and finite', all[name]);
  }
  if (!Number.isSafeInteger(all.seed) || all.seed < 0) throw refuse('seed', 'an integer from 0', all.seed);
  if (!(all.tau >= 0 && Number.isFinite(all.tau))) throw refuse('tau', '0 or more', all.tau);
  if (!(all.staticShare >= 0 && all.staticShare < 1))
    throw refuse('staticShare', 'from 0 to below 1', all.staticShare);
  if (!(all.border >= 0 && all.border < 0.5)) throw refuse('border', 'from 0 to below 0.5', all.border);
  const wrong = all.density?.find((density) => !(density > 0 && density <= 1));
  if (wrong !== undefined) throw refuse('density', 'above 0 and at most 1', wrong);
  requireOne('orientation', all.orientation, ORIENTATION_RULES);
  requireOne('parentUnits', all.parentUnits, PARENT_UNITS);
  requireOne('parentWeight', all.parentWeight, ['exact', 'released']);
  requireOne('parentChoice', all.parentChoice, PARENT_CHOICES);
  return all;
}

function requireOne(kind: string, name: string, legal: readonly string[]): void {
  if (!legal.includes(name)) throw unknownName(kind, String(name), legal, 'wrong-use');
}

/** Whether parents are chosen in this iteration, counted from 1. */
export function choosesParents(iteration: number, choice: ParentChoice): boolean {
  if (iteration < 2) return false;
  // 2, 3, 5, 9, ...: one more than a power of two.
  return choice === 'every' || Number.isInteger(Math.log2(iteration - 1));
}
