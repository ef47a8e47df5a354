import { UnitscopeError, unknownName } from '@unitscope/tensor';
import { type AddonBackend, loadAddon } from './addon.js';
import type { DeviceName } from './device-buffer.js';
import { KERNEL_NAMES, type KernelName } from './kernel-arguments.js';

export type BackendName = 'cpu' | 'cuda' | 'reference';

export const BACKEND_NAMES = ['cpu', 'cuda', 'reference'] as const satisfies BackendName[];

export interface KernelOptions {
  /**
   * `auto` (the default) takes the back end whose buffers the call is given, else the best native one that has the kernel.
   * A back end asked for by name is used or the call fails: nothing falls back, and no DeviceBuffer is copied elsewhere.
   */
  readonly backend?: BackendName | 'auto';
  /** CPU threads, the caller's included; 0, the default, means all processors. */
  readonly threads?: number;
}

export interface BackendStatus {
  readonly name: BackendName;
  readonly available: boolean;
  /** The instruction set or the card, in words; empty if not available. */
  readonly device: string;
  /** Why it is not available; empty if it is. */
  readonly reason: string;
  readonly kernels: readonly KernelName[];
}

/** Which back ends work on this machine, which kernels they have, and what is in the way of the others. */
export function listBackends(): BackendStatus[] {
  let native: readonly AddonBackend[];
  try {
    native = loadAddon().backends();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    native = ['cpu', 'cuda'].map((name) => ({ name, available: false, device: '', reason, kernels: [] }));
  }
  return BACKEND_NAMES.map((name) => {
    if (name === 'reference') {
      return { name, available: true, device: 'JavaScript, float64', reason: '', kernels: KERNEL_NAMES };
    }
    const found = native.find((candidate) => candidate.name === name);
    if (found === undefined) {
      return { name, available: false, device: '', reason: 'the addon does not know it', kernels: [] };
    }
    const { available, device, reason } = found;
    return {
      name,
      available,
      device,
      reason,
      kernels: KERNEL_NAMES.filter((kernel) => found.kernels.includes(kernel)),
    };
  });
}

/**
 * For tensors in host memory, so a device pays for two copies over the bus, which is more than a memory-bound kernel
 * costs on the CPU. The reference is never picked: it is hundreds of times slower, and its use is a decision.
 */
const AUTO_ORDER: readonly BackendName[] = ['cpu', 'cuda'];

let known: readonly BackendStatus[] | undefined;

/** Throws `wrong-use` unless a call with buffers on `device` may run where it was asked to. */
function requireDevice(kernel: KernelName, requested: BackendName | 'auto', device: DeviceName): void {
  if (requested === 'auto' || requested === device) return;
  throw new UnitscopeError(
    'wrong-use',
    `${kernel} cannot run on "${requested}" with DeviceBuffers on ${device}; copy them with toHost first`,
    { subject: requested, alternatives: ['auto', device] },
  );
}

/**
 * The back end a call will run on: that of its DeviceBuffers, if it has any. Throws `backend` with every reason, or
 * `wrong-use` for a name that is none or is another than the buffers'.
 */
export function chooseBackend(
  kernel: KernelName,
  requested: BackendName | 'auto' = 'auto',
  device?: DeviceName,
): BackendName {
  if (requested !== 'auto' && !BACKEND_NAMES.includes(requested)) {
    throw unknownName('back end', String(requested), ['auto', ...BACKEND_NAMES], 'wrong-use');
  }
  if (requested === 'reference') return requested;
  if (device !== undefined) requireDevice(kernel, requested, device);
  known ??= listBackends();
  const candidates = requested === 'auto' ? (device === undefined ? AUTO_ORDER : [device]) : [requested];
  const reasons: string[] = [];
  for (const name of candidates) {
    const status = known.find((candidate) => candidate.name === name);
    if (status?.available !== true) reasons.push(`${name}: ${status?.reason ?? 'unknown'}`);
    else if (!status.kernels.includes(kernel)) reasons.push(`${name}: it has no kernel ${kernel}`);
    else return name;
  }
  const usable = known.filter((status) => status.available && status.kernels.includes(kernel));
  throw new UnitscopeError(
    'backend',
    `${kernel} cannot run on ${requested === 'auto' ? 'any native back end' : `"${requested}"`}: ${reasons.join('; ')}. ` +
      `Usable here: ${usable.map((status) => status.name).join(', ')}`,
    { subject: requested, alternatives: usable.map((status) => status.name) },
  );
}
