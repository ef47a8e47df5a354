import type { OnnxRuntime, RuntimeOptions, RuntimeSession } from '@unitscope/kernels/runtime';
import { abortedError, type Tensor, type TensorData } from '@unitscope/tensor';

/** A runtime that computes nothing: its runs end when they are told to, or are aborted. */
export class FakeRuntime implements OnnxRuntime {
  readonly version = '1.30.0';
  readonly threads: number;
  readonly block: number | undefined;
  readonly sessions: FakeSession[] = [];
  readonly asked: RuntimeOptions[] = [];
  /** Holds back the end of loading. */
  gate: Promise<void> = Promise.resolve();

  constructor({ threads = 2, block }: { threads?: number; block?: number } = {}) {
    this.threads = threads;
    this.block = block;
  }

  /** Stands for `openRuntime`. */
  readonly open = async (options: RuntimeOptions): Promise<OnnxRuntime> => {
    this.asked.push(options);
    return this;
  };

  async load(): Promise<RuntimeSession> {
    await this.gate;
    const session = new FakeSession();
    this.sessions.push(session);
    return session;
  }
}

export class FakeSession implements RuntimeSession {
  readonly inputs = [{ name: 'x', type: 'float32' }];
  readonly outputs = [{ name: 'add:out' }];
  isReleased = false;
  readonly #ends: (() => void)[] = [];

  /** Ends the oldest run under way. */
  end(): void {
    this.#ends.shift()?.();
  }

  run(
    feeds: Readonly<Record<string, Tensor<TensorData>>>,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<Record<string, Tensor<TensorData>>> {
    return new Promise<Record<string, Tensor<TensorData>>>((resolve, reject) => {
      this.#ends.push(() => resolve({ 'add:out': feeds['x']! }));
      signal?.addEventListener('abort', () => reject(abortedError(signal)), { once: true });
    });
  }

  async endProfile(): Promise<string> {
    return '/nowhere';
  }

  async release(): Promise<void> {
    this.isReleased = true;
  }
}
