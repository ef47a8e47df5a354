import type { RuntimeSession } from '@unitscope/kernels/runtime';
import {
  abortedError,
  type Tensor,
  type TensorData,
  throwIfAborted,
  UnitscopeError,
} from '@unitscope/tensor';
import type { ProfiledSession, RunOptions, Tensors } from '../engine.js';

/** A graph on the engine `native`. */
export class NativeSession implements ProfiledSession {
  readonly bytes: number;
  readonly #session: RuntimeSession;
  readonly #onRelease: () => void;
  readonly #running = new Set<AbortController>();
  #isStopped = false;

  constructor(session: RuntimeSession, bytes: number, onRelease: () => void) {
    this.#session = session;
    this.bytes = bytes;
    this.#onRelease = onRelease;
  }

  async run(
    feeds: Tensors,
    { outputs, signal }: RunOptions = {},
  ): Promise<Record<string, Tensor<TensorData>>> {
    throwIfAborted(signal);
    this.#requireOpen();
    // One signal for both who may end the run: the caller, and the engine when it is closed.
    const stop = new AbortController();
    const abort = () => stop.abort();
    signal?.addEventListener('abort', abort, { once: true });
    this.#running.add(stop);
    try {
      const options = { signal: stop.signal, ...(outputs === undefined ? {} : { outputs }) };
      return await this.#session.run(feeds, options);
    } catch (cause) {
      if (stop.signal.aborted) {
        if (signal?.aborted) throw abortedError(signal);
        this.#requireOpen();
      }
      throw cause;
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#running.delete(stop);
    }
  }

  lendMemory(bytes: number): ArrayBuffer {
    this.#requireOpen();
    return this.#session.lendMemory(bytes);
  }

  endProfile(): Promise<string> {
    return this.#session.endProfile();
  }

  /** Ends the runs under way, which reject with `backend`. */
  stop(): void {
    this.#isStopped = true;
    for (const run of this.#running) run.abort();
  }

  /** Frees the session when the runs under way have ended. */
  async release(): Promise<void> {
    await this.#session.release();
    this.#onRelease();
  }

  #requireOpen(): void {
    if (this.#isStopped) throw new UnitscopeError('backend', 'the engine native has been closed');
  }
}
