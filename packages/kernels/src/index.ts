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
export type { Pair, PoolWindow } from './pooling.js';
export { betaOfReleasedSlope, type TemplateShape, templateBank } from './template-mask.js';
export { type UnpoolMode, type UnpoolOptions, type UnpoolResult, unpool, unpoolSync } from './unpool.js';
