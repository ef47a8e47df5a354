import { throwIfAborted, UnitscopeError } from '@unitscope/tensor';
import type { TreeArithmetic } from './arithmetic.js';
import { Growth, type GrowthState } from './growth.js';
import { kernelArithmetic } from './kernel-arithmetic.js';
import type { TreeSamples } from './samples.js';
import type { Assignment, DecisionTree, TreeParameters } from './tree.js';

export interface DecisionTreeOptions {
  /** What a node of the second layer costs; 1 by default. */
  readonly beta?: number;
  /** Of the sparsity: lambda = this * sqrt(pictures of the node); 1e-6 by default. */
  readonly lambda?: number;
  /** `membership` by default. */
  readonly assignment?: Assignment;
  /** Rationales of zeros and ones, the intercept fitted again; false by default. */
  readonly binary?: boolean;
  /** Chooses the pair with the largest rise of log E for each picture under it; false by default. */
  readonly perPicture?: boolean;
  /** How many of the most similar nodes each node may merge with; 16 by default, Infinity for all. */
  readonly neighbours?: number;
}

export interface LearnOptions extends DecisionTreeOptions {
  /** What does the heavy sums; `kernelArithmetic` by default. */
  readonly arithmetic?: TreeArithmetic;
  readonly signal?: AbortSignal;
  /** After every merge: how many there have been of the most there can be. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
  /** After every merge: what to give as `state` to go on from there. */
  readonly onState?: (state: () => GrowthState) => void;
  readonly state?: GrowthState;
}

/**
 * The decision tree of a category (Zhang, Yang, Ma, Wu 2019): its leaves are the positive pictures, merged pair by pair
 * into decision modes as long as that raises log E, see `Growth`.
 *
 * Throws `bad-input` for fewer than two positive pictures and where the network's mean score of them is not positive,
 * `wrong-use` for options that cannot be, `aborted`.
 */
export async function learnDecisionTree(
  samples: TreeSamples,
  options: LearnOptions = {},
): Promise<DecisionTree> {
  const parameters = parametersOf(samples, options);
  const { arithmetic = kernelArithmetic(samples), signal, onProgress, onState } = options;
  throwIfAborted(signal);
  const leaves = samples.positive.filter(Boolean).length;
  const growth = await Growth.begin(samples, parameters, arithmetic, options.state);
  const total = leaves - 1;
  onProgress?.({ done: growth.merges.length, total });
  while (await growth.step()) {
    onState?.(() => growth.state());
    onProgress?.({ done: growth.merges.length, total });
    throwIfAborted(signal);
  }
  const risen = growth.merges.reduce((sum, { gain }) => sum + gain, 0);
  return {
    filters: samples.filters,
    parameters,
    nodes: growth.nodes,
    top: growth.top,
    merges: growth.merges,
    startingLogE: growth.logE - risen,
    scales: samples.scales,
  };
}

export function parametersOf(samples: TreeSamples, options: DecisionTreeOptions): TreeParameters {
  const { beta = 1, lambda = 1e-6, assignment = 'membership', binary = false, perPicture = false } = options;
  const { neighbours = 16 } = options;
  for (const [name, value] of Object.entries({ beta, lambda })) {
    if (Number.isFinite(value) && value >= 0) continue;
    throw new UnitscopeError('wrong-use', `${name} must be a number of at least 0, it is ${value}`, {
      subject: name,
    });
  }
  if (!(neighbours >= 1)) {
    throw new UnitscopeError('wrong-use', `neighbours must be at least 1, it is ${neighbours}`, {
      subject: 'neighbours',
    });
  }
  const scores = samples.y.filter((_, n) => samples.positive[n]);
  if (scores.length < 2) {
    throw new UnitscopeError(
      'bad-input',
      `a tree needs at least two pictures of the category, there ${scores.length === 1 ? 'is one' : 'are none'}`,
      { subject: 'pictures' },
    );
  }
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  if (!(mean > 0)) {
    throw new UnitscopeError(
      'bad-input',
      `the network's mean score of the positive pictures is ${mean.toPrecision(3)}; a tree explains a class that the network says yes to`,
      { subject: 'scores' },
    );
  }
  return {
    beta,
    gamma: 1 / mean,
    lambda,
    assignment,
    binary,
    perPicture,
    neighbours: neighbours === Number.POSITIVE_INFINITY ? undefined : neighbours,
  };
}
