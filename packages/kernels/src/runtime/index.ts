export { loadFailure, runFailure } from './failures.js';
export { openRuntime, RUNTIME_VERSION } from './runtime.js';
export type {
  LoadOptions,
  OnnxRuntime,
  RunOptions,
  RuntimeOptions,
  RuntimeSession,
  Tensors,
} from './types.js';
