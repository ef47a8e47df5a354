export { type AdamArrays, type AdamStepOptions, adamStep, adamStepSync } from './adam-step.js';
export {
  type ArgmaxMapsOptions,
  type ArgmaxMapsResult,
  argmaxMaps,
  argmaxMapsSync,
  type MapTies,
} from './argmax-maps.js';
export {
  BACKEND_NAMES,
  type BackendName,
  type BackendStatus,
  type KernelOptions,
  listBackends,
} from './backend.js';
export type { KernelCase, PreparedCase, ResidentCase } from './cases/case.js';
export { kernelCases } from './cases/index.js';
export {
  type CosineSimilarityOptions,
  type CosineSimilarityResult,
  cosineSimilarity,
  cosineSimilaritySync,
} from './cosine-similarity.js';
export {
  type AnyArray,
  type AnyTensor,
  type ArrayIn,
  type ArrayType,
  DeviceBuffer,
  type DeviceData,
  type DeviceName,
  type DeviceTensor,
  type Place,
  type PlaceOf,
  type TensorIn,
  type TensorOver,
  type ToDeviceOptions,
  type ToHostOptions,
  toDevice,
  toDeviceSync,
  toHost,
  toHostSync,
} from './device-buffer.js';
export {
  type CategoryMode,
  type CategoryWeights,
  categoryWeights,
  FilterCategories,
  type FilterCategoriesState,
  filterTargets,
} from './filter-categories.js';
export {
  GRAPH_SUMS,
  type GraphEmStepOptions,
  type GraphEmStepResult,
  type GraphNodes,
  type GraphPriors,
  type GraphSums,
  graphEmStep,
  graphEmStepSync,
} from './graph-em-step.js';
export {
  type GraphParents,
  type GraphParentsOptions,
  graphParents,
  type ParentWeight,
} from './graph-parents.js';
export { type UpdateGraphOptions, updateGraph } from './graph-update.js';
export {
  type IouBatch,
  type IouConcepts,
  type IouCounts,
  type IouCountsOptions,
  type IouCountsResult,
  iouCounts,
  iouCountsSync,
} from './iou-counts.js';
export { KERNEL_NAMES, type KernelName } from './kernel-arguments.js';
export { type LassoOptions, type LassoProblems, type LassoResult, lasso, lassoSync } from './lasso.js';
export {
  MAP_MOMENTS,
  type MapMoment,
  type MapMomentsOptions,
  type MapMomentsResult,
  mapMoments,
  mapMomentsSync,
} from './map-moments.js';
export {
  type MapPlacement,
  placeAtReceptiveFields,
  placeHalfPixel,
  placeZeroPadded,
  type ReceptiveField,
} from './map-placement.js';
export {
  type MaskBackwardOptions,
  type MaskBackwardResult,
  maskBackward,
  maskBackwardSync,
} from './mask-backward.js';
export {
  type MaskForwardOptions,
  type MaskForwardResult,
  type MaskLocation,
  maskForward,
  maskForwardSync,
} from './mask-forward.js';
export { type MatmulOptions, type MatmulResult, matmul, matmulSync } from './matmul.js';
export { type MaxPoolOptions, type MaxPoolResult, maxPool, maxPoolSync } from './max-pool.js';
export {
  type MaxPoolBackwardOptions,
  type MaxPoolBackwardResult,
  maxPoolBackward,
  maxPoolBackwardSync,
} from './max-pool-backward.js';
export {
  type MiGradientOptions,
  type MiGradientResult,
  type MiMode,
  miGradient,
  miGradientSync,
  type ReleasedOptions,
} from './mi-gradient.js';
export { type MiLossOptions, type MiLossResult, miLoss, miLossSync } from './mi-loss.js';
export type { PriorOptions, TemplateOptions } from './mutual-information.js';
export type { Pair, PoolWindow } from './pooling.js';
export { RunningZ, type RunningZState } from './running-z.js';
export { type SgdArrays, type SgdStepOptions, sgdStep, sgdStepSync } from './sgd-step.js';
export type { SignalRule } from './signal-rule.js';
export { betaOfReleasedSlope, type TemplateShape, templateBank } from './template-mask.js';
export {
  type TemplateScoresOptions,
  type TemplateScoresResult,
  templateScores,
  templateScoresSync,
} from './template-scores.js';
export {
  type QuantileMethod,
  TopQuantile,
  type TopQuantileOptions,
  type TopQuantileState,
} from './top-quantile.js';
export { type UnpoolMode, type UnpoolOptions, type UnpoolResult, unpool, unpoolSync } from './unpool.js';
