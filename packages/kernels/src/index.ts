export type { KernelName } from './addon.js';
export { KERNEL_NAMES } from './addon.js';
export {
  BACKEND_NAMES,
  type BackendName,
  type BackendStatus,
  type KernelOptions,
  listBackends,
} from './backend.js';
export type { KernelCase, PreparedCase } from './cases/case.js';
export { kernelCases } from './cases/index.js';
export {
  type CategoryMode,
  type CategoryWeights,
  categoryWeights,
  FilterCategories,
  type FilterCategoriesState,
  filterTargets,
} from './filter-categories.js';
export {
  type IouBatch,
  type IouConcepts,
  type IouCounts,
  type IouCountsOptions,
  type IouCountsResult,
  iouCounts,
  iouCountsSync,
} from './iou-counts.js';
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
export { betaOfReleasedSlope, type TemplateShape, templateBank } from './template-mask.js';
export {
  type TemplateScoresOptions,
  type TemplateScoresResult,
  templateScores,
  templateScoresSync,
} from './template-scores.js';
export { TopQuantile, type TopQuantileOptions, type TopQuantileState } from './top-quantile.js';
export { type UnpoolMode, type UnpoolOptions, type UnpoolResult, unpool, unpoolSync } from './unpool.js';
