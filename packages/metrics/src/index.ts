export { formatCsv } from './csv.js';
export {
  type DissectedUnit,
  type Dissection,
  type DissectionSummary,
  dissectionOf,
  type Match,
  type UniqueDetectors,
} from './dissection/dissection.js';
export { enlargeMaps } from './dissection/enlarge.js';
export {
  CONVENTIONS,
  type Convention,
  type DissectionOptions,
  type DissectionParameters,
  dissectionParameters,
  type MapGeometry,
  placeCells,
} from './dissection/parameters.js';
export { formatTally } from './dissection/tally.js';
export { type NumberedActivations, type TopPicture, TopPictures } from './dissection/top-pictures.js';
export { type LabelledActivations, UnitCounts, type UnitCountsOptions } from './dissection/unit-counts.js';
export { UnitThresholds, type UnitThresholdsOptions } from './dissection/unit-thresholds.js';
export { blurredPicture, meanPicture } from './explanation-truth/baselines.js';
export {
  ExplanationTruth,
  type ExplanationTruthOptions,
  type MeasureMean,
  type MethodTruth,
  type TruthRow,
} from './explanation-truth/explanation-truth.js';
export { type MassInParts, massInParts, type PartMass } from './explanation-truth/part-mass.js';
export {
  PERTURBATIONS,
  type Perturbation,
  type PerturbationCurve,
  type PerturbationOptions,
  perturbationCurve,
  pixelOrder,
  type ScoresOf,
} from './explanation-truth/perturbation-curve.js';
export { pointingGame, strongestPixel } from './explanation-truth/pointing-game.js';
export {
  CHANNEL_RULES,
  type ChannelRule,
  NEGATIVE_RULES,
  type NegativeRule,
  type Relevance,
  type RelevanceOptions,
  relevanceOf,
} from './explanation-truth/relevance.js';
export {
  type FilterInstability,
  INSTABILITY_PROTOCOLS,
  type InstabilityBatch,
  type InstabilityProtocol,
  LocationInstability,
  type LocationInstabilityOptions,
  type LocationInstabilityResult,
} from './instability/location-instability.js';
export {
  type FoundPatterns,
  type PositionInstabilityOptions,
  type PositionInstabilityResult,
  positionInstability,
} from './instability/position-instability.js';
export { conceptsOf, type Label, type LabelTable } from './labels.js';
export {
  type FieldTemplate,
  scaledField,
  type UnitPlacement,
} from './part-interpretability/field-template.js';
export {
  type ActivationsOf,
  estimateImageResolutionField,
  type ImageResolutionFieldOptions,
} from './part-interpretability/image-resolution-field.js';
export {
  type FilterParts,
  type PartBatch,
  PartInterpretability,
  type PartInterpretabilityOptions,
  type PartInterpretabilityResult,
} from './part-interpretability/part-interpretability.js';
export {
  type MapSimilarity,
  mapSimilarity,
  type PlaneSimilarity,
  similarityTo,
} from './similarity/map-similarity.js';
export { type MeanInterval, meanInterval } from './similarity/mean-interval.js';
export {
  type HogCorrelation,
  type HogOptions,
  hogDescriptor,
  hogSimilarity,
} from './similarity/oriented-gradients.js';
export type { Plane } from './similarity/plane.js';
export { pearson, spearman, spearmanWith } from './similarity/rank-correlation.js';
export { structuralSimilarity } from './similarity/structural-similarity.js';
export type { FromState, Stat } from './stat.js';
export { decodeState, encodeState, StateReader, type StateValue } from './state.js';
