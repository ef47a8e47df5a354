import { createRequire } from 'node:module';
import { UnitscopeError } from '@unitscope/tensor';
import { addonPlaces } from './addon-places.js';
import type { AnyArray, DeviceBuffer, DeviceData } from './device-buffer.js';

/** The binary interface this package speaks; the addon must have been built for the same. */
const ABI_VERSION = 2;

/** Pooling as the addon takes it; pairs are [vertical, horizontal]. */
export interface Pool2dParams {
  readonly planes: number;
  readonly height: number;
  readonly width: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padBegin: readonly [number, number];
  readonly padEnd: readonly [number, number];
  readonly dilation: readonly [number, number];
}

/** Square maps and the height of their templates, as the addon takes them. */
export interface MaskParams {
  readonly batch: number;
  readonly channels: number;
  readonly size: number;
  readonly height: number;
}

/** Maps and templates as the addon takes them. */
export interface MiParams {
  readonly batch: number;
  readonly channels: number;
  readonly size: number;
  readonly tau: number;
  readonly beta: number;
  readonly alpha: number;
}

/** Maps over labels as the addon takes them: cell i lies at pixel origin + i step. */
export interface IouParams {
  readonly images: number;
  readonly units: number;
  readonly height: number;
  readonly width: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly layers: number;
  readonly imageLabelCount: number;
  readonly concepts: number;
  readonly categories: number;
  /** 0 clamps, 1 is zeros. */
  readonly edge: number;
  readonly originY: number;
  readonly originX: number;
  readonly stepY: number;
  readonly stepX: number;
}

/** The sizes of a selection as the addon takes them. */
export interface TopQuantileParams {
  readonly images: number;
  readonly units: number;
  readonly cells: number;
  readonly keep: number;
  readonly capacity: number;
}

type Floats = AnyArray<Float32Array>;
type Doubles = AnyArray<Float64Array>;
type Bytes = AnyArray<Uint8Array>;
type Integers = AnyArray<Int32Array>;
type Counts = AnyArray<BigInt64Array>;

/** Maps as the addon takes them. */
export interface MapsParams {
  readonly maps: number;
  readonly height: number;
  readonly width: number;
}

/** A product of matrices as the addon takes it; flags are 0 or 1. */
export interface MatmulParams {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Elements from one stored row to the next. */
  readonly lda: number;
  readonly ldb: number;
  readonly ldc: number;
  readonly transposeA: number;
  readonly transposeB: number;
  readonly accumulate: number;
}

/** Maps and nodes of an explanatory graph's layer as the addon takes them; lengths are in cells. */
export interface GraphParams {
  readonly images: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly nodes: number;
  readonly range: number;
  readonly smoothing: number;
  readonly tau: number;
}

/** What every kernel of the addon takes, beside where and how it runs. */
export interface KernelArguments {
  readonly maxPool: {
    readonly params: Pool2dParams;
    readonly x: Floats;
    readonly y: Floats;
    readonly switches: Bytes;
  };
  readonly unpool: {
    readonly params: Pool2dParams;
    readonly mode: number;
    readonly rule: number;
    readonly y: Floats;
    readonly switches: Bytes;
    readonly x: Floats;
  };
  readonly maxPoolBackward: {
    readonly params: Pool2dParams;
    readonly rule: number;
    readonly x: Floats;
    readonly dy: Floats;
    readonly dx: Floats;
  };
  readonly maskForward: MaskParams & {
    readonly location: number;
    readonly x: Floats;
    readonly beta: Floats;
    readonly y: Floats;
    readonly mu: Integers;
  };
  readonly maskBackward: MaskParams & {
    readonly withX: number;
    readonly dy: Floats;
    readonly x: Floats;
    readonly beta: Floats;
    readonly mu: Integers;
    readonly dx: Floats;
  };
  readonly templateScores: MiParams & { readonly x: Floats; readonly scores: Floats };
  readonly miLoss: MiParams & {
    readonly x: Floats;
    readonly constantZ: number;
    readonly logZ: Floats;
    readonly loss: Floats;
  };
  readonly miGradient: MiParams & {
    readonly mode: number;
    readonly magnitude: number;
    readonly positiveWeight: number;
    readonly negativeWeight: number;
    readonly x: Floats;
    readonly targets: Bytes;
    readonly slopes: Floats;
    readonly constantZ: number;
    readonly logZ: Floats;
    readonly dx: Floats;
  };
  readonly iouCounts: IouParams & {
    readonly x: Floats;
    readonly thresholds: Doubles;
    readonly pixelLabels: Integers;
    readonly imageLabels: Integers;
    readonly categoryOf: Int32Array;
    readonly intersection: Counts;
    readonly labelPixels: Counts;
    readonly categoryArea: Counts;
    readonly area: Counts;
  };
  readonly topQuantile: TopQuantileParams & {
    readonly values: Floats;
    readonly kept: Float32Array;
    readonly filled: Int32Array;
    readonly cutoff: Float32Array;
  };
  readonly argmaxMaps: MapsParams & {
    readonly ties: number;
    readonly x: Float32Array;
    readonly index: Int32Array;
    readonly value: Float32Array;
  };
  readonly mapMoments: MapsParams & {
    readonly rectified: number;
    readonly x: Float32Array;
    readonly moments: Float64Array;
  };
  readonly matmul: MatmulParams & {
    readonly a: Float32Array;
    readonly b: Float32Array;
    readonly c: Float32Array;
  };
  readonly cosineSimilarity: {
    readonly m: number;
    readonly n: number;
    readonly k: number;
    readonly a: Float32Array;
    readonly b: Float32Array;
    readonly c: Float32Array;
  };
  readonly graphEmStep: GraphParams & {
    readonly x: Float32Array;
    readonly coord: Float64Array;
    readonly sigma: Float64Array;
    readonly priorSigma: Float64Array;
    readonly withPriors: number;
    readonly priorOffset: Float32Array;
    readonly priorWeight: Float32Array;
    readonly sums: Float64Array;
    readonly position: Float32Array;
    readonly score: Float32Array;
    readonly tauOfImage: Float64Array;
  };
  readonly sgdStep: {
    readonly count: number;
    readonly learningRate: number;
    readonly momentum: number;
    readonly weightDecay: number;
    readonly nesterov: number;
    readonly gradient: Float32Array;
    readonly weights: Float32Array;
    readonly velocity: Float32Array;
  };
  readonly adamStep: {
    readonly count: number;
    readonly step: number;
    readonly learningRate: number;
    readonly beta1: number;
    readonly beta2: number;
    readonly epsilon: number;
    readonly weightDecay: number;
    readonly decoupled: number;
    readonly gradient: Float32Array;
    readonly weights: Float32Array;
    readonly mean: Float32Array;
    readonly square: Float32Array;
  };
}

export type KernelName = keyof KernelArguments;

export const KERNEL_NAMES = [
  'maxPool',
  'unpool',
  'maxPoolBackward',
  'maskForward',
  'maskBackward',
  'templateScores',
  'miLoss',
  'miGradient',
  'iouCounts',
  'topQuantile',
  'argmaxMaps',
  'mapMoments',
  'matmul',
  'cosineSimilarity',
  'graphEmStep',
  'sgdStep',
  'adamStep',
] as const satisfies KernelName[];

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

type Later = { readonly [K in KernelName]: (call: AddonExecution & KernelArguments[K]) => Promise<void> };
type Now = { readonly [K in KernelName]: (call: AddonExecution & KernelArguments[K]) => void };
type NowExports = { readonly [K in KernelName as `${K}Sync`]: Now[K] };

interface AddonExports extends Later, NowExports, AddonMemory {
  readonly backends: () => readonly AddonBackend[];
}

export interface Addon {
  readonly backends: () => readonly AddonBackend[];
  /** Every kernel, run on a thread pool. */
  readonly later: Later;
  /** Every kernel, run on the calling thread. */
  readonly now: Now;
  readonly memory: AddonMemory;
}

function isAddon(value: unknown): value is AddonExports {
  if (typeof value !== 'object' || value === null) return false;
  const exported = new Map<string, unknown>(Object.entries(value));
  const functions = [
    'backends',
    ...MEMORY_NAMES,
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
        return { backends: loaded.backends, later: loaded, now, memory: loaded };
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
