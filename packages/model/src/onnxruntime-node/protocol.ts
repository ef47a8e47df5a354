import type { ErrorCode, TensorData } from '@unitscope/tensor';

/** Weights that lie beside the encoded graph, under the name the graph calls them by. */
export interface ExternalData {
  readonly path: string;
  readonly data: Uint8Array;
}

export interface NamedTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: TensorData;
}

export type Request =
  | {
      readonly kind: 'load';
      readonly id: number;
      readonly session: number;
      readonly label: string;
      readonly model: Uint8Array;
      readonly externalData: readonly ExternalData[];
      readonly threads: number;
    }
  | {
      readonly kind: 'run';
      readonly id: number;
      readonly session: number;
      readonly feeds: readonly NamedTensor[];
      readonly outputs: readonly string[] | undefined;
      /** Set to 1 when nobody waits for the run any more, so that one not yet begun is skipped. */
      readonly abandoned: Int32Array | undefined;
    }
  | { readonly kind: 'release'; readonly id: number; readonly session: number }
  | { readonly kind: 'close'; readonly id: number };

export type Answer =
  | {
      readonly id: number;
      readonly outputs: readonly NamedTensor[];
      readonly returned: readonly ArrayBuffer[];
    }
  | { readonly id: number; readonly failure: Failure; readonly returned: readonly ArrayBuffer[] };

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

/**
 * Cells of the memory both threads see. `BUSY` is 1 while ONNX Runtime works; `STOP` is 1 once it must not begin
 * anything new. The thread must never be torn down while `BUSY` is 1: ONNX Runtime's binding would end the process.
 */
export const BUSY = 0;
export const STOP = 1;

export interface WorkerData {
  readonly gate: Int32Array;
}
