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
export { type MaxPoolOptions, type MaxPoolResult, maxPool, maxPoolSync } from './max-pool.js';
export {
  type MaxPoolBackwardOptions,
  type MaxPoolBackwardResult,
  maxPoolBackward,
  maxPoolBackwardSync,
} from './max-pool-backward.js';
export type { Pair, PoolWindow } from './pooling.js';
export { TopQuantile, type TopQuantileOptions, type TopQuantileState } from './top-quantile.js';
export { type UnpoolMode, type UnpoolOptions, type UnpoolResult, unpool, unpoolSync } from './unpool.js';
