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
