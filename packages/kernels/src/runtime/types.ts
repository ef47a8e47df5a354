import type { Tensor, TensorData } from '@unitscope/tensor';

export interface RuntimeOptions {
  /** The path of ONNX Runtime's shared library. */
  readonly library: string;
  /** Threads one run may use, from the first call that opens the library; as many as the machine has by default. */
  readonly threads?: number;
}

export interface LoadOptions {
  /** What to call the network in an error. */
  readonly label?: string;
  /** Files with weights, by the paths the model calls them. */
  readonly externalData?: readonly { readonly path: string; readonly data: Uint8Array }[];
  /** What the path of a profile begins with; no profile is made without it. */
  readonly profile?: string;
}

export interface RunOptions {
  /** The outputs that are wanted; all by default. */
  readonly outputs?: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

export type Tensors = Readonly<Record<string, Tensor<TensorData>>>;

/** ONNX Runtime in this process: one for each library, whatever the number of threads and callers. */
export interface OnnxRuntime {
  readonly version: string;
  /** Threads one run uses. */
  readonly threads: number;
  /**
   * Channels of a block of the layout in which ONNX Runtime's convolutions are fast on this machine, 8 or 16; undefined
   * where it has none, or where a network in that layout gives other values than the same network in NCHW.
   */
  readonly block: number | undefined;
  /**
   * Makes a model ready to run, with every optimisation and our operators (domain `unitscope`), off the event loop. The
   * bytes must stay as they are until the promise settles. Rejects `bad-file` or `unsupported` for a model that cannot
   * be run, `backend` where memory runs out.
   */
  load(model: Uint8Array, options?: LoadOptions): Promise<RuntimeSession>;
}

export interface RuntimeSession {
  /** Types as in `float32`, `int64`, `bool`, `float16`; `unknown` for what is not a tensor. */
  readonly inputs: readonly { readonly name: string; readonly type: string }[];
  readonly outputs: readonly { readonly name: string }[];
  /**
   * One run, off the event loop; runs of all sessions take turns, since each uses every thread. Inputs are neither
   * copied nor taken, so they must stay as they are until the promise settles, or the run has ended after an abort.
   * Booleans and half floats lie in a Uint8Array and a Uint16Array.
   *
   * Results belong to the caller. Their memory is reused when they have been released (`releaseData`) or collected, so
   * they cannot be transferred to another thread, only copied.
   *
   * Rejects `bad-input` for tensors that do not fit, `backend` where the run fails, and `aborted` at once when the
   * signal fires; the run itself then ends before its next node. The session can be used afterwards.
   */
  run(feeds: Tensors, options?: RunOptions): Promise<Record<string, Tensor<TensorData>>>;
  /**
   * Memory like that of results, for what is put together from them: it has been used before, so it costs no new pages,
   * and holds anything. Throws `backend` where there is none.
   */
  lendMemory(bytes: number): ArrayBuffer;
  /** Writes the profile asked for at load, of the runs so far, and gives its path. Once. */
  endProfile(): Promise<string>;
  /** Frees the session when the runs that were asked for have ended. Later calls reject `backend`. */
  release(): Promise<void>;
}
