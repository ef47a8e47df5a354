export { type BrodenOptions, readBroden } from './broden.js';
export { readClassNames } from './class-names.js';
export { readCoco } from './coco.js';
export { CUB_SPLITS, type CubOptions, readCub } from './cub.js';
export type {
  AnnotatedObject,
  Annotation,
  DataSet,
  Example,
  Label,
  LabelMap,
  LabelTable,
  Landmark,
} from './data-set.js';
export { type DecodeOptions, decodePicture, type PictureFile } from './decode.js';
export { type ExampleBatch, type ExampleOptions, type SkippedExample, streamExamples } from './examples.js';
export { fitPicture, shownRegion } from './fit.js';
export { fitLabels, fitLandmark, isReduced } from './fit-labels.js';
export { readIndexMasks } from './index-masks.js';
export { type ArrayRecord, isArrayPath, type LoadedInput, loadArray, loadInputs } from './inputs.js';
export { parseJsonFile } from './json-file.js';
export { readLabelTable } from './label-table.js';
export { readLandmarks } from './landmarks.js';
export {
  type LoadedPicture,
  type LoadOptions,
  type LoadProgress,
  loadPicture,
  loadPictures,
  type PictureRecord,
  streamPictures,
} from './load.js';
export { normalisePicture, restorePicture } from './normalise.js';
export { type ObjectBatch, type ObjectOptions, streamObjects } from './objects.js';
export { DATA_SET_LAYOUTS, type OpenOptions, openDataSet } from './open-data-set.js';
export { type Box, cropPicture, type RgbPicture, type Size } from './picture.js';
export {
  describePreprocessing,
  type PerChannel,
  PREPROCESSING_NAMES,
  type Preprocessing,
  parsePreprocessing,
  preprocessingPreset,
  readPreprocessing,
} from './preprocessing.js';
export { rasteriseSvg } from './rasterise.js';
export { RESIZE_FILTERS, type ResizeFilter, resizePicture } from './resize.js';
