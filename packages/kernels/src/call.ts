import { type ErrorCode, UnitscopeError } from '@unitscope/tensor';
import { type AddonExecution, type KernelArguments, type KernelName, loadAddon } from './addon.js';
import { type BackendName, chooseBackend, type KernelOptions } from './backend.js';

/** One call of one kernel, its outputs already made. */
export interface KernelCall<K extends KernelName> {
  readonly kernel: K;
  readonly arguments: KernelArguments[K];
  /** Runs the float64 reference into the same outputs. */
  readonly runReference: () => void;
}

const NATIVE_INDEX = { cpu: 0, cuda: 1 } as const;

const CODES: Readonly<Record<string, ErrorCode>> = {
  'invalid-argument': 'wrong-use',
  'bad-input': 'bad-input',
  unsupported: 'unsupported',
};

function asUnitscopeError(kernel: KernelName, cause: unknown): UnitscopeError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const status = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return new UnitscopeError(CODES[status] ?? 'backend', `${kernel}: ${message}`, { subject: kernel, cause });
}

function executionOf(backend: 'cpu' | 'cuda', { threads = 0 }: KernelOptions): AddonExecution {
  if (!Number.isInteger(threads) || threads < 0) {
    throw new UnitscopeError('wrong-use', `threads must be a non-negative integer, it is ${threads}`);
  }
  return { backend: NATIVE_INDEX[backend], threads };
}

/** Runs the call on a thread pool; resolves to the back end that ran it. */
export async function run<K extends KernelName>(
  call: KernelCall<K>,
  options: KernelOptions,
): Promise<BackendName> {
  const backend = chooseBackend(call.kernel, options.backend);
  if (backend === 'reference') {
    call.runReference();
    return backend;
  }
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
  const backend = chooseBackend(call.kernel, options.backend);
  if (backend === 'reference') {
    call.runReference();
    return backend;
  }
  const { now } = loadAddon();
  const execution = executionOf(backend, options);
  try {
    now[call.kernel]({ ...execution, ...call.arguments });
  } catch (cause) {
    throw asUnitscopeError(call.kernel, cause);
  }
  return backend;
}
