import type { Lowering } from '@unitscope/autodiff';
import type { Graph } from '@unitscope/onnx';
import type { Tensor, TensorData } from '@unitscope/tensor';

export type Tensors = Readonly<Record<string, Tensor<TensorData>>>;

export interface LoadOptions {
  /** What to call the network in an error. */
  readonly label?: string;
  /** Threads one run may use; as many as the machine has by default. */
  readonly threads?: number;
}

export interface RunOptions {
  /** The graph outputs that are wanted; all by default. */
  readonly outputs?: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** Runs graphs. An engine holds threads and memory until it is closed, but never keeps the process alive by itself. */
export interface Engine {
  readonly name: string;
  /** What ran, for the record of a result: version by component. */
  readonly versions: Readonly<Record<string, string>>;
  /** The forms of backward graphs it can run, the fastest first. */
  readonly lowerings: readonly Lowering[];
  /**
   * Makes a graph ready to run. Throws `bad-file` or `unsupported` for a graph that cannot be run, `backend` where
   * the engine itself fails.
   */
  load(graph: Graph, options?: LoadOptions): Promise<Session>;
  /**
   * As `load`, but keeps the time of every node, in a file whose path begins with `prefix`. Absent from engines that
   * cannot.
   */
  profile?(graph: Graph, prefix: string, options?: LoadOptions): Promise<ProfiledSession>;
  /** Ends the run that is under way, or waits for it, then frees everything. Later calls throw `backend`. */
  close(): Promise<void>;
}

export interface Session {
  /** What the session holds, in bytes, as near as it can be told: the encoded graph, weights included. */
  readonly bytes: number;
  /**
   * One run. The caller's arrays are neither changed nor taken away; the results belong to the caller, who may not be
   * able to transfer them to another thread but can give their memory back by `releaseData`. Rejects with
   * `bad-input`, `backend` or, at once when the signal fires, `aborted`; the session can be used afterwards. The feeds
   * must stay as they are until then.
   */
  run(feeds: Tensors, options?: RunOptions): Promise<Record<string, Tensor<TensorData>>>;
  /**
   * Memory for results that are put together from those of several runs, its contents undefined. Only of sessions whose
   * results lie in such memory as well: they are given back by `releaseData` once they have been put together.
   */
  lendMemory?(bytes: number): ArrayBuffer;
  release(): Promise<void>;
}

export interface ProfiledSession extends Session {
  /**
   * Ends the profile and gives the path of its file, in Chrome's trace format: an event `<node>_kernel_time` for every
   * time a node ran, its duration in microseconds.
   */
  endProfile(): Promise<string>;
}
