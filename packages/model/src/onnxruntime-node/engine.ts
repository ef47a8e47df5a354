import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import type { Lowering } from '@unitscope/autodiff';
import { encodeForRuntime, type Graph } from '@unitscope/onnx';
import { type Tensor, type TensorData, throwIfAborted, UnitscopeError, unknownName } from '@unitscope/tensor';
import type { Engine, LoadOptions, RunOptions, Session, Tensors } from '../engine.js';
import { Channel } from './channel.js';

/**
 * ONNX Runtime through its own Node package, on the CPU. Its run() blocks the thread it is called on, so all sessions
 * of the engine live in one worker thread; tensors travel by transfer.
 */
export class OnnxruntimeNodeEngine implements Engine {
  readonly name = 'onnxruntime-node';
  readonly versions: Readonly<Record<string, string>> = { 'onnxruntime-node': installedVersion() };
  readonly lowerings: readonly Lowering[] = ['portable'];
  #channel: Channel | undefined;
  #closed = false;
  #sessions = 0;

  async load(graph: Graph, options: LoadOptions = {}): Promise<Session> {
    if (this.#closed) throw new UnitscopeError('backend', 'the engine onnxruntime-node has been closed');
    this.#channel ??= new Channel();
    const channel = this.#channel;
    const { bytes: model, externalData: weights } = encodeForRuntime(graph);
    // The weights are views of the graph's own data, often of one large buffer: only what is needed travels.
    const externalData = weights.map(({ path, data }) => ({ path, data: data.slice() }));
    const bytes = externalData.reduce((sum, { data }) => sum + data.byteLength, model.byteLength);
    const session = ++this.#sessions;
    await channel.send(
      {
        kind: 'load',
        session,
        label: options.label ?? (graph.name === '' ? 'the network' : graph.name),
        model,
        externalData,
        threads: options.threads ?? availableParallelism(),
      },
      { transfer: [model, ...externalData.map(({ data }) => data)].map(bufferOf) },
    );
    return new WorkerSession(channel, session, bytes, graph);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#channel?.close();
  }
}

class WorkerSession implements Session {
  readonly bytes: number;
  readonly #channel: Channel;
  readonly #session: number;
  readonly #outputs: readonly string[];
  #released: Promise<void> | undefined;

  constructor(channel: Channel, session: number, bytes: number, graph: Graph) {
    this.#channel = channel;
    this.#session = session;
    this.bytes = bytes;
    this.#outputs = graph.outputs.map((output) => output.name);
  }

  async run(feeds: Tensors, options: RunOptions = {}): Promise<Record<string, Tensor<TensorData>>> {
    const { outputs, signal } = options;
    for (const output of outputs ?? []) {
      if (!this.#outputs.includes(output)) throw unknownName('output', output, this.#outputs);
    }
    throwIfAborted(signal);
    if (this.#released !== undefined) {
      throw new UnitscopeError('backend', 'the session has been released; load the graph again');
    }
    const copies = Object.entries(feeds).map(([name, { dims, data }]) => ({
      name,
      dims: [...dims],
      data: this.#channel.copy(data),
    }));
    const abandoned = signal === undefined ? undefined : new Int32Array(new SharedArrayBuffer(4));
    const results = await this.#channel.send(
      { kind: 'run', session: this.#session, feeds: copies, outputs, abandoned },
      {
        signal,
        transfer: copies.map(({ data }) => bufferOf(data)),
        onAbort: () => {
          if (abandoned !== undefined) Atomics.store(abandoned, 0, 1);
        },
      },
    );
    return Object.fromEntries(results.map(({ name, dims, data }) => [name, { dims, data }]));
  }

  release(): Promise<void> {
    this.#released ??= this.#channel.send({ kind: 'release', session: this.#session }).then(
      () => {},
      // A session of a thread that has ended is already gone.
      () => {},
    );
    return this.#released;
  }
}

/** The buffer of data this module has made itself, which is never shared memory. */
function bufferOf(data: TensorData): ArrayBuffer {
  if (data.buffer instanceof ArrayBuffer) return data.buffer;
  throw new UnitscopeError('backend', 'shared memory cannot be handed to another thread');
}

function installedVersion(): string {
  const found: unknown = createRequire(import.meta.url)('onnxruntime-node/package.json');
  const version =
    typeof found === 'object' && found !== null && 'version' in found ? found.version : undefined;
  return typeof version === 'string' ? version : 'unknown';
}
