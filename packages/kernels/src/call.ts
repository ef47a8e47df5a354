import { UnitscopeError } from '@unitscope/tensor';
import { type AddonExecution, loadAddon } from './addon.js';
import { type BackendName, chooseBackend, type KernelOptions } from './backend.js';
import { DEVICE_NAMES, type DeviceName } from './device-buffer.js';
import type { KernelArguments, KernelName } from './kernel-arguments.js';
import { asUnitscopeError } from './native-error.js';
import { deviceOf, type OnHost, requireOnHost } from './storage.js';

/** One call of one kernel, its outputs already made. */
export interface KernelCall<K extends KernelName> {
  readonly kernel: K;
  /** Arrays are typed arrays or DeviceBuffers, each as it comes: the addon copies the former to a device and back. */
  readonly arguments: KernelArguments[K];
  /** Runs the float64 reference into the same outputs. It is given the arguments, of which none lies on a device. */
  readonly runReference: (args: OnHost<KernelArguments[K]>) => void;
}

function executionOf(backend: DeviceName, { threads = 0 }: KernelOptions): AddonExecution {
  if (!Number.isInteger(threads) || threads < 0) {
    throw new UnitscopeError('wrong-use', `threads must be a non-negative integer, it is ${threads}`);
  }
  return { backend: DEVICE_NAMES.indexOf(backend), threads };
}

/** The back end of the call; `reference` once it has been run. */
function chooseFor<K extends KernelName>(call: KernelCall<K>, options: KernelOptions): BackendName {
  const { kernel, arguments: args } = call;
  const backend = chooseBackend(kernel, options.backend, deviceOf(kernel, args));
  if (backend === 'reference') {
    requireOnHost(kernel, args);
    call.runReference(args);
  }
  return backend;
}

/**
 * Runs the call on a thread pool; resolves to the back end that ran it. Nothing of it is queued any more by then: an error
 * is that of its own call, and what the call wrote can be used by any other.
 */
export async function run<K extends KernelName>(
  call: KernelCall<K>,
  options: KernelOptions,
): Promise<BackendName> {
  const backend = chooseFor(call, options);
  if (backend === 'reference') return backend;
  const { later } = loadAddon();
  const execution = executionOf(backend, options);
  try {
    await later[call.kernel]({ ...execution, ...call.arguments });
  } catch (cause) {
    throw asUnitscopeError(call.kernel, cause);
  }
  return backend;
}

/** As `run`, on the calling thread. */
export function runSync<K extends KernelName>(call: KernelCall<K>, options: KernelOptions): BackendName {
  const backend = chooseFor(call, options);
  if (backend === 'reference') return backend;
  const { now } = loadAddon();
  const execution = executionOf(backend, options);
  try {
    now[call.kernel]({ ...execution, ...call.arguments });
  } catch (cause) {
    throw asUnitscopeError(call.kernel, cause);
  }
  return backend;
}
