import type { AnyArray } from './device-buffer.js';

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

/** Lassos over shared rows as the addon takes them. */
export interface LassoParams {
  readonly rows: number;
  readonly features: number;
  readonly problems: number;
  /** Of all problems together. */
  readonly members: number;
  readonly tolerance: number;
  readonly maxSweeps: number;
}

type Floats = AnyArray<Float32Array>;
type Doubles = AnyArray<Float64Array>;
type Bytes = AnyArray<Uint8Array>;
type Integers = AnyArray<Int32Array>;
type Counts = AnyArray<BigInt64Array>;

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
    readonly x: Floats;
    readonly index: Integers;
    readonly value: Floats;
  };
  readonly mapMoments: MapsParams & {
    readonly rectified: number;
    readonly x: Floats;
    readonly moments: Doubles;
  };
  readonly matmul: MatmulParams & {
    readonly a: Floats;
    readonly b: Floats;
    readonly c: Floats;
  };
  readonly cosineSimilarity: {
    readonly m: number;
    readonly n: number;
    readonly k: number;
    readonly a: Floats;
    readonly b: Floats;
    readonly c: Floats;
  };
  readonly graphEmStep: GraphParams & {
    readonly x: Floats;
    readonly coord: Doubles;
    readonly sigma: Doubles;
    readonly priorSigma: Doubles;
    readonly withPriors: number;
    readonly priorOffset: Floats;
    readonly priorWeight: Floats;
    readonly sums: Doubles;
    readonly position: Floats;
    readonly score: Floats;
    readonly tauOfImage: Doubles;
  };
  readonly sgdStep: {
    readonly count: number;
    readonly learningRate: number;
    readonly momentum: number;
    readonly weightDecay: number;
    readonly nesterov: number;
    readonly gradient: Floats;
    readonly weights: Floats;
    readonly velocity: Floats;
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
    readonly gradient: Floats;
    readonly weights: Floats;
    readonly mean: Floats;
    readonly square: Floats;
  };
  readonly lasso: LassoParams & {
    readonly x: Floats;
    readonly y: Floats;
    readonly scale: Floats;
    readonly offsets: Integers;
    readonly member: Integers;
    readonly lambda: Doubles;
    readonly coefficients: Doubles;
    readonly intercept: Doubles;
    readonly sweeps: Integers;
    readonly gap: Doubles;
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
  'lasso',
] as const satisfies KernelName[];
