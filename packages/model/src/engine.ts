import type { Graph } from '@unitscope/onnx';
import type { Tensor, TensorData } from '@unitscope/tensor';
import { unknownName } from '@unitscope/tensor';
import { OnnxruntimeNodeEngine } from './onnxruntime-node/engine.js';

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
  /**
   * Makes a graph ready to run. Throws `bad-file` or `unsupported` for a graph that cannot be run, `backend` where
   * the engine itself fails.
   */
  load(graph: Graph, options?: LoadOptions): Promise<Session>;
  /** Waits for the run that is under way, then frees everything. Later calls throw `backend`. */
  close(): Promise<void>;
}

export interface Session {
  /** What the session holds, in bytes, as near as it can be told: the encoded graph, weights included. */
  readonly bytes: number;
  /**
   * One run. The caller's arrays are neither changed nor taken away; the results belong to the caller. Rejects with
   * `bad-input`, `backend` or, at once when the signal fires, `aborted`; the session can be used afterwards.
   */
  run(feeds: Tensors, options?: RunOptions): Promise<Record<string, Tensor<TensorData>>>;
  release(): Promise<void>;
}

const ENGINES: Readonly<Record<string, () => Engine>> = {
  'onnxruntime-node': () => new OnnxruntimeNodeEngine(),
};

const PREFERRED = 'onnxruntime-node';

/** What can be asked for as an engine. */
export const engineNames: readonly string[] = ['auto', ...Object.keys(ENGINES)];

/** The engine of that name; `auto` picks. Throws `wrong-use` for a name that is not one of `engineNames`. */
export function openEngine(name = 'auto'): Engine {
  const open = Object.hasOwn(ENGINES, name) ? ENGINES[name] : undefined;
  if (open !== undefined) return open();
  if (name === 'auto') return ENGINES[PREFERRED]!();
  throw unknownName('engine', name, engineNames, 'wrong-use');
}
