import type { KernelName } from '../addon.js';
import type { KernelCase } from './case.js';
import { maskBackwardCases } from './mask-backward.js';
import { maskForwardCases } from './mask-forward.js';
import { maxPoolCases } from './max-pool.js';
import { maxPoolBackwardCases } from './max-pool-backward.js';
import { unpoolCases } from './unpool.js';

/** Every case of every kernel, for tests, benchmarks and the self-test. */
export const kernelCases = {
  maxPool: maxPoolCases,
  unpool: unpoolCases,
  maxPoolBackward: maxPoolBackwardCases,
  maskForward: maskForwardCases,
  maskBackward: maskBackwardCases,
} as const satisfies Record<KernelName, readonly KernelCase[]>;
