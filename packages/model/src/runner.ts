import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Lowering } from '@unitscope/autodiff';
import type { Dim, Graph, ValueInfo } from '@unitscope/onnx';
import { type Tensor, type TensorData, UnitscopeError } from '@unitscope/tensor';
import { chunkingFor, type Progress, runInChunks } from './batches.js';
import type { LoadOptions, RunOptions, Tensors } from './engine.js';
import type { Prepared } from './session-cache.js';
import type { SharedEngine } from './shared-engine.js';

export interface RunnerOptions {
  readonly threads: number | undefined;
  readonly label: string;
  /** Of the backward graphs. */
  readonly lowering: Lowering;
}

export interface BatchOptions extends RunOptions {
  /** The most samples of one run. */
  readonly batchSize: number;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** How the graphs that come from one network are run: its engine, its sessions, its way of cutting batches. */
export class Runner {
  readonly input: ValueInfo;
  readonly dims: readonly Dim[];
  readonly #shared: SharedEngine;
  readonly #options: RunnerOptions;
  #closed: Promise<void> | undefined;

  constructor(shared: SharedEngine, input: ValueInfo, dims: readonly Dim[], options: RunnerOptions) {
    this.#shared = shared;
    this.input = input;
    this.dims = dims;
    this.#options = options;
  }

  get #loadOptions(): LoadOptions {
    const { threads, label } = this.#options;
    return threads === undefined ? { label } : { label, threads };
  }

  get label(): string {
    return this.#options.label;
  }

  get lowering(): Lowering {
    return this.#options.lowering;
  }

  /** What the session of that key was made of, while it is kept. */
  prepared(key: string): Prepared | undefined {
    return this.#shared.sessions.find(this, key);
  }

  /** Runs feeds whose first axis is the batch, in chunks, on the session of that key. */
  run(
    key: string,
    prepared: Prepared,
    feeds: Tensors,
    options: BatchOptions,
  ): Promise<Record<string, Tensor<TensorData>>> {
    this.requireOpen();
    const { engine, sessions } = this.#shared;
    const { batchSize, ...rest } = options;
    const load = (graph: Graph) => engine.load(graph, this.#loadOptions);
    return sessions.use(
      this,
      key,
      prepared,
      load,
      (session) => runInChunks(session, feeds, chunkingFor(this.dims, batchSize), rest),
      options.signal,
    );
  }

  /**
   * Runs one chunk of the feeds `runs` times on a session of its own and gives the file of its profile, as text;
   * undefined where the engine keeps no profiles.
   */
  async profile(
    graph: Graph,
    feeds: Tensors,
    runs: number,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    this.requireOpen();
    const { engine } = this.#shared;
    if (engine.profile === undefined) return undefined;
    const folder = await mkdtemp(join(tmpdir(), 'unitscope-'));
    try {
      const session = await engine.profile(graph, join(folder, 'profile'), this.#loadOptions);
      try {
        for (let i = 0; i < runs; i++) await session.run(feeds, { signal });
        return await readFile(await session.endProfile(), 'utf8');
      } finally {
        await session.release();
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  requireOpen(): void {
    if (this.#closed === undefined) return;
    throw new UnitscopeError('wrong-use', `${this.label} has been closed; load it again`, {
      subject: this.label,
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#shared.sessions.releaseAll(this).then(() => this.#shared.release());
    return this.#closed;
  }
}
