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
export { type KernelArithmeticOptions, kernelArithmetic } from './decision-tree/kernel-arithmetic.js';
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
export {
  geometryOf,
  type PictureBatch,
  type PictureSource,
  type PrepareOptions,
  type PrepareProgress,
  prepareFeatures,
  removeFeatures,
  type SkippedPicture,
  type StoredFeatures,
} from './explanatory-graph/feature-store.js';
export {
  type Chunk,
  type FeatureLayer,
  type Features,
  featuresInMemory,
} from './explanatory-graph/features.js';
export {
  type ExplanatoryGraph,
  type GraphLayer,
  type MapGeometry,
  type NodeName,
  pixelOf,
  type TopOfNodes,
} from './explanatory-graph/graph.js';
export {
  GRAPH_FILES,
  GRAPH_FORMAT_VERSION,
  type GraphRecord,
  readExplanatoryGraph,
  writeExplanatoryGraph,
} from './explanatory-graph/graph-file.js';
export {
  type GraphProgress,
  type LearnGraphOptions,
  learnExplanatoryGraph,
} from './explanatory-graph/learn.js';
export {
  type Detections,
  joinDetections,
  type LandmarkVotes,
  learnPartVotes,
  locateParts,
  nodeDetections,
  type PartVotes,
  type VoteOptions,
} from './explanatory-graph/locate-parts.js';
export { mirrorBatch, PlaceDeviations, prepareMaps } from './explanatory-graph/maps.js';
export {
  defaultDensity,
  GRAPH_DEFAULTS,
  type GraphParameters,
  graphParameters,
  nodesPerFilter,
  ORIENTATION_RULES,
  type OrientationRule,
  PARENT_CHOICES,
  PARENT_UNITS,
  type ParentChoice,
  type ParentUnits,
  RELEASED_GRAPH,
} from './explanatory-graph/parameters.js';
export {
  activeNodes,
  type GraphParse,
  type ParsedLayer,
  type ParseOptions,
  parseMaps,
  parsePictures,
} from './explanatory-graph/parse.js';
export { type PurifyOptions, type RankedNode, rankNodes } from './explanatory-graph/purify.js';
export {
  type FilterFields,
  type FilterFieldsOptions,
  type FilterPlace,
  filterFields,
} from './interpretable-cnn/filter-fields.js';
export {
  type FilterLossTerm,
  type FilterLossTermOptions,
  filterLossTerm,
  type TermContext,
  type TermView,
} from './interpretable-cnn/filter-loss-term.js';
export { FilterState } from './interpretable-cnn/filter-state.js';
export {
  type InterpretabilityReport,
  interpretabilityReport,
  type ObjectsWithLandmarks,
  type ReportOptions,
} from './interpretable-cnn/interpretability-report.js';
export {
  type FilterLoss,
  InterpretableLayer,
  type MaskedMaps,
} from './interpretable-cnn/interpretable-layer.js';
export { type MaskRecord, masksOf, withSlopes } from './interpretable-cnn/interpretable-record.js';
export {
  type InterpretableLayerOptions,
  type ResolvedOptions,
  type Strength,
  Z_MODES,
  type ZMode,
} from './interpretable-cnn/layer-options.js';
export {
  ADDED_INITS,
  type AddedConvolution,
  type AddedInit,
  type MakeInterpretableOptions,
  makeInterpretable,
} from './interpretable-cnn/make-interpretable.js';
export { FIRST_SLOPE, type MapShape, READINGS, type Reading } from './interpretable-cnn/map-shape.js';
export {
  type MaskSubgraph,
  type MaskSubgraphOptions,
  maskSubgraph,
} from './interpretable-cnn/mask-subgraph.js';
export { SpatialSpread, type SpatialSpreadResult } from './interpretable-cnn/spatial-spread.js';
