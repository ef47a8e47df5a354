export { type ArchitectureOptions, architectureNames, buildArchitecture } from './architectures/index.js';
export type { Augmentation } from './augmentation.js';
export { checkpointPath } from './checkpoint.js';
export { type Evaluation, evaluateSamples } from './evaluate.js';
export { type EarlyStop, type FitOptions, type FitProgress, type FitResult, fit } from './fit.js';
export { type LabelledData, labelDataSet, readCategoryFolders } from './labelled-data.js';
export { type EpochRecord, metricsPath } from './metrics-log.js';
export { type Adam, adam, type Optimizer, type Sgd, sgd } from './optimizer.js';
export {
  arraySamples,
  chooseSamples,
  type LabelledPicture,
  type PictureSamplesOptions,
  pictureSamples,
  type Samples,
  splitSamples,
} from './samples.js';
export { learningRateAt, type Schedule } from './schedule.js';
export type { StepView, TrainingTerm } from './term.js';
export {
  type StepOptions,
  type StepResult,
  Trainer,
  type TrainerState,
  type TrainingBatch,
} from './trainer.js';
export type { ParameterFactors, TrainerOptions } from './trainer-options.js';
