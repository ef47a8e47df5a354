import { createRequire } from 'node:module';
import { type TensorData, UnitscopeError } from '@unitscope/tensor';
import { addonPlaces } from './addon-places.js';
import type { DeviceBuffer, DeviceData } from './device-buffer.js';
import { KERNEL_NAMES, type KernelArguments, type KernelName } from './kernel-arguments.js';

/** The binary interface this package speaks; the addon must have been built for the same. */
const ABI_VERSION = 2;

export interface AddonExecution {
  readonly backend: number;
  readonly threads: number;
}

export interface AddonBackend {
  readonly name: string;
  readonly available: boolean;
  readonly device: string;
  readonly reason: string;
  readonly kernels: readonly string[];
}

declare const deviceMemory: unique symbol;

/** Memory of a back end, as the addon knows it; JavaScript cannot look inside. */
export interface DeviceHandle {
  readonly [deviceMemory]: true;
}

interface TransferArguments extends AddonExecution {
  readonly memory: DeviceBuffer<DeviceData>;
  readonly array: DeviceData;
}

/** Memory of back ends, and copies between it and typed arrays of the same type and length. */
export interface AddonMemory {
  readonly allocate: (request: {
    readonly backend: number;
    readonly type: string;
    readonly count: number;
  }) => DeviceHandle;
  readonly free: (request: { readonly memory: DeviceBuffer<DeviceData> }) => void;
  readonly upload: (transfer: TransferArguments) => Promise<void>;
  readonly uploadSync: (transfer: TransferArguments) => void;
  readonly download: (transfer: TransferArguments) => Promise<void>;
  readonly downloadSync: (transfer: TransferArguments) => void;
}

const MEMORY_NAMES = [
  'allocate',
  'free',
  'upload',
  'uploadSync',
  'download',
  'downloadSync',
] as const satisfies (keyof AddonMemory)[];

declare const runtimeObject: unique symbol;

/** An object of the binding to ONNX Runtime, as the addon knows it. */
export interface RuntimeHandle<Kind extends string> {
  readonly [runtimeObject]: Kind;
}

export interface AddonTensor {
  readonly dims: readonly number[];
  readonly data: TensorData;
}

/** The binding to ONNX Runtime. Promises are rejected by errors that carry ONNX Runtime's own code as `status`. */
export interface AddonRuntime {
  readonly openRuntime: (request: {
    readonly library: string;
    readonly threads: number;
    readonly blocks: readonly number[];
  }) => Promise<{
    readonly runtime: RuntimeHandle<'runtime'>;
    readonly version: string;
    readonly threads: number;
    readonly block: number | undefined;
  }>;
  readonly loadSession: (request: {
    readonly runtime: RuntimeHandle<'runtime'>;
    readonly model: Uint8Array;
    readonly files: readonly { readonly path: string; readonly data: Uint8Array }[];
    /** Empty: none. */
    readonly profile: string;
  }) => Promise<{
    readonly session: RuntimeHandle<'session'>;
    readonly inputs: readonly { readonly name: string; readonly type: string }[];
    readonly outputs: readonly string[];
  }>;
  /** Inputs and outputs by their indices. */
  readonly startRun: (request: {
    readonly session: RuntimeHandle<'session'>;
    readonly feeds: readonly (AddonTensor & { readonly input: number })[];
    readonly outputs: readonly number[];
  }) => { readonly run: RuntimeHandle<'run'>; readonly results: Promise<readonly AddonTensor[]> };
  readonly abortRun: (request: { readonly run: RuntimeHandle<'run'> }) => void;
  /** Memory of the runtime's pool, whatever is in it. */
  readonly lendMemory: (request: {
    readonly session: RuntimeHandle<'session'>;
    readonly bytes: number;
  }) => ArrayBuffer;
  /** Detaches memory that `lendMemory` or a run gave; it can be lent again. */
  readonly giveBack: (request: { readonly memory: ArrayBuffer }) => void;
  readonly endProfile: (request: { readonly session: RuntimeHandle<'session'> }) => Promise<string>;
  readonly releaseSession: (request: { readonly session: RuntimeHandle<'session'> }) => Promise<void>;
}

const RUNTIME_NAMES = [
  'openRuntime',
  'loadSession',
  'startRun',
  'abortRun',
  'lendMemory',
  'giveBack',
  'endProfile',
  'releaseSession',
] as const satisfies (keyof AddonRuntime)[];

type Later = { readonly [K in KernelName]: (call: AddonExecution & KernelArguments[K]) => Promise<void> };
type Now = { readonly [K in KernelName]: (call: AddonExecution & KernelArguments[K]) => void };
type NowExports = { readonly [K in KernelName as `${K}Sync`]: Now[K] };

interface AddonExports extends Later, NowExports, AddonMemory, AddonRuntime {
  readonly backends: () => readonly AddonBackend[];
}

export interface Addon {
  readonly backends: () => readonly AddonBackend[];
  /** Every kernel, run on a thread pool. */
  readonly later: Later;
  /** Every kernel, run on the calling thread. */
  readonly now: Now;
  readonly memory: AddonMemory;
  readonly runtime: AddonRuntime;
}

function isAddon(value: unknown): value is AddonExports {
  if (typeof value !== 'object' || value === null) return false;
  const exported = new Map<string, unknown>(Object.entries(value));
  const functions = [
    'backends',
    ...MEMORY_NAMES,
    ...RUNTIME_NAMES,
    ...KERNEL_NAMES,
    ...KERNEL_NAMES.map((name) => `${name}Sync`),
  ];
  return functions.every((name) => typeof exported.get(name) === 'function');
}

function versionOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'abiVersion' in value ? value.abiVersion : undefined;
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'MODULE_NOT_FOUND';
}

function firstLine(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split('\n', 1).join();
}

function load(): Addon {
  const require = createRequire(import.meta.url);
  const tried: string[] = [];
  const { places, remedy } = addonPlaces();
  for (const place of places) {
    try {
      const loaded: unknown = require(place);
      if (versionOf(loaded) !== ABI_VERSION) {
        tried.push(`${place} has binary interface ${String(versionOf(loaded))}, ${ABI_VERSION} is needed`);
      } else if (isAddon(loaded)) {
        const now = {
          maxPool: loaded.maxPoolSync,
          unpool: loaded.unpoolSync,
          maxPoolBackward: loaded.maxPoolBackwardSync,
          maskForward: loaded.maskForwardSync,
          maskBackward: loaded.maskBackwardSync,
          templateScores: loaded.templateScoresSync,
          miLoss: loaded.miLossSync,
          miGradient: loaded.miGradientSync,
          iouCounts: loaded.iouCountsSync,
          topQuantile: loaded.topQuantileSync,
          argmaxMaps: loaded.argmaxMapsSync,
          mapMoments: loaded.mapMomentsSync,
          matmul: loaded.matmulSync,
          cosineSimilarity: loaded.cosineSimilaritySync,
          graphEmStep: loaded.graphEmStepSync,
          sgdStep: loaded.sgdStepSync,
          adamStep: loaded.adamStepSync,
        };
        return { backends: loaded.backends, later: loaded, now, memory: loaded, runtime: loaded };
      } else {
        tried.push(`${place} lacks kernels of this version`);
      }
    } catch (cause) {
      tried.push(isMissing(cause) ? `${place} is not there` : `${place}: ${firstLine(cause)}`);
    }
  }
  throw new UnitscopeError(
    'backend',
    `the native kernels cannot be loaded; ${remedy}. Tried: ${tried.join('; ')}`,
    { alternatives: tried },
  );
}

let addon: Addon | undefined;

/**
 * The native addon, from the first of `addonPlaces` that has one. Throws `backend` with everything that was tried and how
 * to mend it.
 */
export function loadAddon(): Addon {
  addon ??= load();
  return addon;
}
