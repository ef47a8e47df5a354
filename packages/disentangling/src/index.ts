export type { Rationale, RationaleProblem, TreeArithmetic } from './decision-tree/arithmetic.js';
export { type CollectOptions, collectTreeSamples, type LabelledBatch } from './decision-tree/collect.js';
export {
  type Contributions,
  contributionsOf,
  fitnessOf,
  partsOfFilters,
} from './decision-tree/contributions.js';
export { decodeTree, encodeTree } from './decision-tree/encode.js';
export type { GrowthState } from './decision-tree/growth.js';
export { type DecisionTreeOptions, type LearnOptions, learnDecisionTree } from './decision-tree/learn.js';
export {
  type DepthMeasures,
  type MeasureOptions,
  measureTree,
  type TreeMeasures,
} from './decision-tree/measures.js';
export { referenceArithmetic, type SweepOptions } from './decision-tree/reference-arithmetic.js';
export {
  type CollectedSamples,
  type ExcludedPicture,
  normalizeSamples,
  SampleCollector,
  type TreeSamples,
} from './decision-tree/samples.js';
export {
  ASSIGNMENTS,
  type Assignment,
  type DecisionTree,
  depthOf,
  type MergeRecord,
  type ParsePath,
  parse,
  predict,
  similarity,
  type TreeNode,
  type TreeParameters,
} from './decision-tree/tree.js';
