import type { RuntimeSession } from '@unitscope/kernels/runtime';
import type { Graph, ValueInfo } from '@unitscope/onnx';
import { type Tensor, type TensorData, throwIfAborted, UnitscopeError, unknownName } from '@unitscope/tensor';
import type { ProfiledSession, RunOptions, Tensors } from '../engine.js';
import { failureError, runFailure } from '../failures.js';
import { fedInputs, requireFeeds } from '../feeds.js';

export interface NativeSessionOptions {
  readonly label: string;
  readonly bytes: number;
  readonly graph: Graph;
  readonly onRelease: () => void;
}

/** A graph on the engine `native`. */
export class NativeSession implements ProfiledSession {
  readonly bytes: number;
  readonly #session: RuntimeSession;
  readonly #label: string;
  readonly #inputs: readonly ValueInfo[];
  readonly #outputs: readonly string[];
  readonly #onRelease: () => void;
  readonly #running = new Map<AbortController, Promise<unknown>>();
  #stopped = false;
  #released: Promise<void> | undefined;

  constructor(session: RuntimeSession, { label, bytes, graph, onRelease }: NativeSessionOptions) {
    this.#session = session;
    this.#label = label;
    this.bytes = bytes;
    this.#inputs = fedInputs(graph);
    this.#outputs = graph.outputs.map(({ name }) => name);
    this.#onRelease = onRelease;
  }

  async run(feeds: Tensors, options: RunOptions = {}): Promise<Record<string, Tensor<TensorData>>> {
    const { outputs = this.#outputs, signal } = options;
    for (const output of outputs) {
      if (!this.#outputs.includes(output)) throw unknownName('output', output, this.#outputs);
    }
    throwIfAborted(signal);
    this.#requireUsable();
    requireFeeds(this.#label, this.#inputs, feeds);
    const stop = new AbortController();
    const abort = () => stop.abort();
    signal?.addEventListener('abort', abort, { once: true });
    const run = this.#session.run(feeds, { outputs, signal: stop.signal });
    this.#running.set(stop, run);
    try {
      return await run;
    } catch (cause) {
      throwIfAborted(signal);
      if (stop.signal.aborted) this.#requireUsable();
      throw failureError(runFailure(this.#label, cause), cause);
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#running.delete(stop);
    }
  }

  endProfile(): Promise<string> {
    return this.#session.endProfile();
  }

  /** Ends the runs under way, which reject with `backend`. */
  stop(): void {
    this.#stopped = true;
    for (const stop of this.#running.keys()) stop.abort();
  }

  /** Waits for the runs under way. */
  release(): Promise<void> {
    this.#released ??= this.#release();
    return this.#released;
  }

  async #release(): Promise<void> {
    await Promise.allSettled(this.#running.values());
    this.#onRelease();
    await this.#session.release();
  }

  #requireUsable(): void {
    if (this.#stopped) throw new UnitscopeError('backend', 'the engine native has been closed');
    if (this.#released !== undefined) {
      throw new UnitscopeError('backend', 'the session has been released; load the graph again');
    }
  }
}
