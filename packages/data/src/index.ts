export { ArrayPool } from './array-pool.js';
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
  LabelLayer,
  LabelMap,
  LabelTable,
  Landmark,
  PixelGrid,
} from './data-set.js';
export { type DecodeOptions, decodePicture, type PictureFile } from './decode.js';
export { type ExampleBatch, type ExampleOptions, type SkippedExample, streamExamples } from './examples.js';
export { fitPicture, shownRegion } from './fit.js';
export { fitLabels, fitLandmark, isReduced } from './fit-labels.js';
export { readIndexMasks } from './index-masks.js';
export { type ArrayRecord, isArrayPath, type LoadedInput, loadArray, loadInputs } from './inputs.js';
export { type ChangedPicture, readInterventions } from './interventions.js';
export { parseJsonFile } from './json-file.js';
export { labelMapOf } from './label-layer.js';
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
export { black, normaliseInto, normalisePicture, restorePicture } from './normalise.js';
export { type ObjectBatch, type ObjectOptions, streamObjects } from './objects.js';
export { DATA_SET_LAYOUTS, type OpenOptions, openDataSet } from './open-data-set.js';
export { generateScene, type SceneOptions } from './part-world/generate.js';
export { type Intervention, interventionOptions, interventionsOn } from './part-world/interventions.js';
export {
  CATEGORIES as PART_WORLD_CATEGORIES,
  type Category as PartWorldCategory,
  discriminativeParts,
  sharedWith,
} from './part-world/recipes.js';
export { type RenderOptions, renderScene } from './part-world/render.js';
export {
  type Background,
  PARTS,
  type Part,
  type PartStyle,
  type Pose,
  type Scene,
  type Thing,
} from './part-world/scene.js';
export { type PartLandmark, type SceneTruth, truthOf } from './part-world/truth.js';
export { type PartWorldOptions, type WrittenPartWorld, writePartWorld } from './part-world/write.js';
export { type Box, cropPicture, type RgbPicture, type Size } from './picture.js';
export { readPictureFolder } from './picture-folder.js';
export {
  describePreprocessing,
  type PerChannel,
  PREPROCESSING_NAMES,
  type Preprocessing,
  parsePreprocessing,
  preprocessingPreset,
  readPreprocessing,
} from './preprocessing.js';
export { type RasteriseOptions, rasterisePixels, rasteriseSvg } from './rasterise.js';
export { RESIZE_FILTERS, type ResizeFilter, resizePicture } from './resize.js';
