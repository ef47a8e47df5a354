export {
  abortedError,
  didYouMean,
  type ErrorCode,
  type ErrorDetails,
  throwIfAborted,
  UnitscopeError,
  unknownName,
} from './errors.js';
export { reasonOf, writeFileAtomic } from './files.js';
export { readNpy, readNpz, toFloat32, writeNpy, writeNpz } from './npy.js';
export { Random } from './random.js';
export { lendMemory, releaseData } from './release.js';
export {
  concatBatch,
  indexOfNonFinite,
  sameDims,
  sizeOf,
  sliceBatch,
  stridesOf,
  type Tensor,
  type TensorData,
  tensor,
  zeros,
} from './tensor.js';
