import type { Lowering } from '@unitscope/autodiff';
import type { OnnxRuntime } from '@unitscope/kernels/runtime';
import { encodeForRuntime, type Graph } from '@unitscope/onnx';
import { UnitscopeError } from '@unitscope/tensor';
import type { Engine, LoadOptions, ProfiledSession, Session } from '../engine.js';
import { NativeSession } from './session.js';

/**
 * ONNX Runtime through a binding of our own, with our kernels as operators in its graphs. Runs happen on ONNX Runtime's
 * threads, which all engines of the process share.
 */
export class NativeEngine implements Engine {
  readonly name = 'native';
  readonly versions: Readonly<Record<string, string>>;
  readonly lowerings: readonly Lowering[];
  readonly #runtime: OnnxRuntime;
  readonly #sessions = new Set<NativeSession>();
  readonly #loading = new Set<Promise<unknown>>();
  #closed = false;

  constructor(runtime: OnnxRuntime) {
    this.#runtime = runtime;
    this.versions = { onnxruntime: runtime.version };
    const { block } = runtime;
    this.lowerings =
      block === 8 || block === 16
        ? [{ kind: 'blocked', block }, { kind: 'native' }, 'portable']
        : [{ kind: 'native' }, 'portable'];
  }

  load(graph: Graph, options: LoadOptions = {}): Promise<Session> {
    return this.#open(graph, undefined, options);
  }

  profile(graph: Graph, prefix: string, options: LoadOptions = {}): Promise<ProfiledSession> {
    return this.#open(graph, prefix, options);
  }

  /** Ends the runs under way, which reject, and frees everything. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const session of this.#sessions) session.stop();
    await Promise.allSettled(this.#loading);
    await Promise.all([...this.#sessions].map((session) => session.release()));
  }

  async #open(graph: Graph, profile: string | undefined, options: LoadOptions): Promise<NativeSession> {
    this.#requireOpen();
    const loading = this.#load(graph, profile, options);
    this.#loading.add(loading);
    try {
      return await loading;
    } finally {
      this.#loading.delete(loading);
    }
  }

  async #load(
    graph: Graph,
    profile: string | undefined,
    { label = graph.name || 'the network' }: LoadOptions,
  ): Promise<NativeSession> {
    const { bytes: model, externalData } = encodeForRuntime(graph);
    const loaded = await this.#runtime.load(model, {
      label,
      externalData,
      ...(profile === undefined ? {} : { profile }),
    });
    const bytes = externalData.reduce((sum, { data }) => sum + data.byteLength, model.byteLength);
    const session = new NativeSession(loaded, bytes, () => this.#sessions.delete(session));
    this.#sessions.add(session);
    if (this.#closed) await session.release();
    this.#requireOpen();
    return session;
  }

  #requireOpen(): void {
    if (this.#closed) throw new UnitscopeError('backend', 'the engine native has been closed');
  }
}
