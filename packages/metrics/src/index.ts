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
export { UnitCounts, type UnitCountsOptions } from './dissection/unit-counts.js';
export { UnitThresholds, type UnitThresholdsOptions } from './dissection/unit-thresholds.js';
export {
  type FilterInstability,
  INSTABILITY_PROTOCOLS,
  type InstabilityBatch,
  type InstabilityProtocol,
  LocationInstability,
  type LocationInstabilityOptions,
  type LocationInstabilityResult,
} from './instability/location-instability.js';
export { conceptsOf, type Label, type LabelTable } from './labels.js';
export type { FromState, Stat } from './stat.js';
export { decodeState, encodeState, StateReader, type StateValue } from './state.js';
