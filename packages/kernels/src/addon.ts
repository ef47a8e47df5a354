import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { UnitscopeError } from '@unitscope/tensor';

/** The binary interface this package speaks; the addon must have been built for the same. */
const ABI_VERSION = 1;

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

/** What every kernel of the addon takes, beside where and how it runs. */
export interface KernelArguments {
  readonly maxPool: {
    readonly params: Pool2dParams;
    readonly x: Float32Array;
    readonly y: Float32Array;
    readonly switches: Uint8Array;
  };
  readonly unpool: {
    readonly params: Pool2dParams;
    readonly mode: number;
    readonly rule: number;
    readonly y: Float32Array;
    readonly switches: Uint8Array;
    readonly x: Float32Array;
  };
  readonly maxPoolBackward: {
    readonly params: Pool2dParams;
    readonly rule: number;
    readonly x: Float32Array;
    readonly dy: Float32Array;
    readonly dx: Float32Array;
  };
  readonly maskForward: MaskParams & {
    readonly location: number;
    readonly x: Float32Array;
    readonly beta: Float32Array;
    readonly y: Float32Array;
    readonly mu: Int32Array;
  };
  readonly maskBackward: MaskParams & {
    readonly withX: number;
    readonly dy: Float32Array;
    readonly x: Float32Array;
    readonly beta: Float32Array;
    readonly mu: Int32Array;
    readonly dx: Float32Array;
  };
  readonly templateScores: MiParams & { readonly x: Float32Array; readonly scores: Float32Array };
  readonly miLoss: MiParams & {
    readonly x: Float32Array;
    readonly constantZ: number;
    readonly logZ: Float32Array;
    readonly loss: Float32Array;
  };
  readonly miGradient: MiParams & {
    readonly mode: number;
    readonly magnitude: number;
    readonly positiveWeight: number;
    readonly negativeWeight: number;
    readonly x: Float32Array;
    readonly targets: Uint8Array;
    readonly slopes: Float32Array;
    readonly constantZ: number;
    readonly logZ: Float32Array;
    readonly dx: Float32Array;
  };
  readonly iouCounts: IouParams & {
    readonly x: Float32Array;
    readonly thresholds: Float64Array;
    readonly pixelLabels: Int32Array;
    readonly imageLabels: Int32Array;
    readonly categoryOf: Int32Array;
    readonly intersection: BigInt64Array;
    readonly labelPixels: BigInt64Array;
    readonly categoryArea: BigInt64Array;
    readonly area: BigInt64Array;
  };
  readonly topQuantile: TopQuantileParams & {
    readonly values: Float32Array;
    readonly kept: Float32Array;
    readonly filled: Int32Array;
    readonly cutoff: Float32Array;
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

type Later = { readonly [K in KernelName]: (call: AddonExecution & KernelArguments[K]) => Promise<void> };
type Now = { readonly [K in KernelName]: (call: AddonExecution & KernelArguments[K]) => void };
type NowExports = { readonly [K in KernelName as `${K}Sync`]: Now[K] };

interface AddonExports extends Later, NowExports {
  readonly backends: () => readonly AddonBackend[];
}

export interface Addon {
  readonly backends: () => readonly AddonBackend[];
  /** Every kernel, run on a thread pool. */
  readonly later: Later;
  /** Every kernel, run on the calling thread. */
  readonly now: Now;
}

/** Where the addon may lie, in the order it is looked for. */
function places(): string[] {
  const { UNITSCOPE_ADDON: named } = process.env;
  if (named !== undefined && named !== '') return [named];
  return [
    fileURLToPath(new URL('../../../native/build/Release/unitscope.node', import.meta.url)),
    `@unitscope/kernels-${process.platform}-${process.arch}`,
  ];
}

function isAddon(value: unknown): value is AddonExports {
  if (typeof value !== 'object' || value === null) return false;
  const exported = new Map<string, unknown>(Object.entries(value));
  const functions = ['backends', ...KERNEL_NAMES, ...KERNEL_NAMES.map((name) => `${name}Sync`)];
  return functions.every((name) => typeof exported.get(name) === 'function');
}

function versionOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'abiVersion' in value ? value.abiVersion : undefined;
}

function load(): Addon {
  const require = createRequire(import.meta.url);
  const tried: string[] = [];
  for (const place of places()) {
    try {
      const loaded: unknown = require(place);
      if (versionOf(loaded) !== ABI_VERSION) {
        tried.push(
          `${place} has binary interface ${String(versionOf(loaded))}, ${ABI_VERSION} is needed: build it again`,
        );
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
        };
        return { backends: loaded.backends, later: loaded, now };
      } else {
        tried.push(`${place} lacks kernels of this version: build it again`);
      }
    } catch (cause) {
      const message = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
      tried.push(`${place}: ${message}`);
    }
  }
  throw new UnitscopeError(
    'backend',
    `the native kernels cannot be loaded; in a checkout run \`npm run setup\` (needs cmake and a C++ compiler), ` +
      `else install @unitscope/kernels-${process.platform}-${process.arch} or name the file in UNITSCOPE_ADDON. ` +
      `Tried: ${tried.join('; ')}`,
    { alternatives: tried },
  );
}

let addon: Addon | undefined;

/**
 * The native addon: what the environment variable UNITSCOPE_ADDON names, else the checkout's own build, else the
 * platform package. Throws `backend` with everything that was tried and how to mend it.
 */
export function loadAddon(): Addon {
  addon ??= load();
  return addon;
}
