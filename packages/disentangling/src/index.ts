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
export { type GraphProgress, type LearnGraphOptions, learnExplanatoryGraph } from './explanatory-graph/learn.js';
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
