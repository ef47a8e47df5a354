import { createHash } from 'node:crypto';
import { gradient, type Lowering } from '@unitscope/autodiff';
import {
  cutGraph,
  type Dim,
  type Graph,
  inferShapes,
  readModel,
  readModelFile,
  type Shapes,
  type ValueInfo,
  writeModel,
} from '@unitscope/onnx';
import { sizeOf, type Tensor, type TensorData, throwIfAborted, UnitscopeError } from '@unitscope/tensor';
import { checkBatch, chunkingFor, float32Of, type Progress } from './batches.js';
import type { Engine } from './engine.js';
import { findLayer, type Layer, layersOf } from './layers.js';
import { blockOf, chooseLowering, type LoweringName, nameOfLowering } from './lowering.js';
import { Pullback, type PullbackObjective, type PullbackOptions } from './pullback.js';
import { Runner } from './runner.js';
import type { Prepared } from './session-cache.js';
import { type SharedEngine, shareEngine } from './shared-engine.js';

export interface ModelOptions {
  /** An engine by name (see `engineNames`), or one of the caller's own. `auto` by default. */
  readonly engine?: string | Engine;
  /** What backward graphs are made of (see `loweringNames`); the fastest the engine has by default. */
  readonly lowering?: string;
  /** Threads of one run; as many as the machine has by default. */
  readonly threads?: number;
  /**
   * The most samples of one run; a larger batch is run in parts. By default 16, and 4 for backward passes of networks
   * without large fully connected layers.
   */
  readonly batchSize?: number;
  /** Dims to take for the input instead of those in the file, e.g. `['N', 3, 224, 224]`. */
  readonly inputDims?: readonly Dim[];
}

export interface ModelRunOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

export interface EngineRecord {
  /** What was asked for. */
  readonly requested: string;
  /** What runs. */
  readonly name: string;
  readonly versions: Readonly<Record<string, string>>;
  /** Why `auto` did not choose the engine `native`; absent where it did, and where an engine was asked for by name. */
  readonly reason?: string;
  /** What backward graphs are made of. */
  readonly lowering: LoweringName;
  /** Channels of a block; only of the lowering `blocked`. */
  readonly block?: number;
}

/** The activations of one batch, by the name each layer was asked for with. */
export type Activations = ReadonlyMap<string, Tensor>;

type Batches = Iterable<Tensor> | AsyncIterable<Tensor>;

const DEFAULT_BATCH_SIZE = 16;

// A backward pass keeps many maps alive: of four pictures they stay nearer to the processor, which was measured up to
// 1.5 times faster than sixteen. The weights of fully connected layers, though, are read once more for every part.
const DEFAULT_PULLBACK_BATCH_SIZE = 4;
const LARGE_FULLY_CONNECTED_BYTES = 8 * 2 ** 20;

interface ModelParts {
  readonly graph: Graph;
  readonly path: string | undefined;
  readonly shapes: Shapes;
  readonly layers: readonly Layer[];
  readonly runner: Runner;
  readonly engine: EngineRecord;
  readonly batchSize: number | undefined;
}

/** A convolutional network that can be looked into and run. */
export class Model {
  readonly graph: Graph;
  /** The file it was read from. */
  readonly path: string | undefined;
  /** The one input, the picture: float32, the batch first. Its dims are `inputDims` where those were given. */
  readonly input: ValueInfo;
  readonly outputs: readonly ValueInfo[];
  readonly layers: readonly Layer[];
  /** The engine, for the record of a result. */
  readonly engine: EngineRecord;
  readonly #runner: Runner;
  readonly #shapes: Shapes;
  readonly #batchSize: number;
  readonly #pullbackBatchSize: number;
  #sha256: string | undefined;

  private constructor(parts: ModelParts) {
    const { graph, path, shapes, layers, runner, engine, batchSize } = parts;
    this.graph = graph;
    this.path = path;
    this.input = { ...runner.input, dims: runner.dims };
    this.outputs = graph.outputs.map((output) => ({
      ...output,
      dims: shapes.dims(output.name) ?? output.dims,
    }));
    this.layers = layers;
    this.engine = engine;
    this.#runner = runner;
    this.#shapes = shapes;
    this.#batchSize = batchSize ?? DEFAULT_BATCH_SIZE;
    this.#pullbackBatchSize =
      batchSize ??
      (fullyConnectedBytes(graph) > LARGE_FULLY_CONNECTED_BYTES
        ? DEFAULT_BATCH_SIZE
        : DEFAULT_PULLBACK_BATCH_SIZE);
  }

  /**
   * Reads a network from a file, from bytes, or takes a graph. Nothing is run yet.
   *
   * Throws `not-found` without a file, `bad-file` for what is no sound ONNX model, `unsupported` for a network that
   * does not have exactly one input, of float32, `wrong-use` for an option that cannot be, `backend` for the engine
   * `native` asked for by name where it cannot be used.
   */
  static async load(source: string | Uint8Array | Graph, options: ModelOptions = {}): Promise<Model> {
    const { threads, batchSize, engine = 'auto', lowering = 'auto' } = options;
    requireCount('threads', threads, MAX_THREADS);
    requireCount('batchSize', batchSize);
    const path = typeof source === 'string' ? source : undefined;
    const graph =
      typeof source === 'string'
        ? await readModelFile(source)
        : source instanceof Uint8Array
          ? readModel(source)
          : source;
    const label = path ?? (graph.name === '' ? 'the network' : graph.name);
    const input = imageInput(graph, label);
    const dims = inputDimsOf(input, options.inputDims);
    const shapes = inferShapes(graph, { inputs: { [input.name]: dims } });
    const layers = layersOf(graph, shapes, input.name);
    const shared = await shareEngine(engine, { threads });
    try {
      const chosen = chooseLowering(lowering, shared.engine, shared.reason);
      const runner = new Runner(shared, input, dims, { threads, label, lowering: chosen });
      const requested = typeof engine === 'string' ? engine : engine.name;
      return new Model({
        graph,
        path,
        shapes,
        layers,
        runner,
        engine: recordOf(requested, shared, chosen),
        batchSize,
      });
    } catch (cause) {
      await shared.release();
      throw cause;
    }
  }

  /** The most samples of one forward pass; a larger batch is run in parts. */
  get batchSize(): number {
    return chunkingFor(this.#runner.dims, this.#batchSize).size;
  }

  /** SHA-256 of the file, in hexadecimal; of what would be written, for a graph that comes from none. */
  get sha256(): string {
    this.#sha256 ??= createHash('sha256').update(writeModel(this.graph)).digest('hex');
    return this.#sha256;
  }

  /**
   * A layer by the name of its node or of its value, or `last-conv`: the deepest convolution whose map has more than
   * one position. Throws `not-found`.
   */
  layer(name: string): Layer {
    return findLayer(this.layers, name);
  }

  /**
   * The network's outputs for a batch, by name. The batch must stay as it is until then. Throws `bad-input` for a batch that does not fit the input or has NaN
   * or infinity in it, `aborted` at once when the signal fires.
   */
  async run(batch: Tensor, options: ModelRunOptions = {}): Promise<Record<string, Tensor<TensorData>>> {
    return this.#run('forward', { graph: this.graph }, batch, options);
  }

  /**
   * Activations of layers: for one batch, or for many as they are asked for. What the layers do not need is not run.
   * Errors as `run`, and `not-found` for a layer.
   */
  activations(layerNames: readonly string[], batch: Tensor, options?: ModelRunOptions): Promise<Activations>;
  activations(
    layerNames: readonly string[],
    batches: Batches,
    options?: ModelRunOptions,
  ): AsyncIterable<Activations>;
  activations(
    layerNames: readonly string[],
    batches: Tensor | Batches,
    options: ModelRunOptions = {},
  ): Promise<Activations> | AsyncIterable<Activations> {
    return 'data' in batches
      ? this.#tap(layerNames, batches, options)
      : this.#tapEach(layerNames, batches, options);
  }

  /**
   * A backward pass from an objective to the input or a layer, by a method's rules. Throws `not-found` for names,
   * `unsupported` for an operator on the way that has no rule; for a network without a fixed input size, the first
   * run does.
   */
  async pullback(objective: PullbackObjective, options: PullbackOptions = {}): Promise<Pullback> {
    this.#runner.requireOpen();
    const source = {
      graph: this.graph,
      layers: this.layers,
      runner: this.#runner,
      batchSize: this.#pullbackBatchSize,
    };
    return new Pullback(source, objective, options, gradient);
  }

  /** Releases the network's sessions. The engine, which models share, ends with the last of them. */
  close(): Promise<void> {
    return this.#runner.close();
  }

  async #run(key: string, prepared: Prepared, batch: Tensor, options: ModelRunOptions) {
    this.#runner.requireOpen();
    throwIfAborted(options.signal);
    await checkBatch(batch, this.#runner.input, this.#runner.dims);
    const runOptions = { ...options, batchSize: this.#batchSize };
    return this.#runner.run(key, prepared, { [this.input.name]: batch }, runOptions);
  }

  async #tap(layerNames: readonly string[], batch: Tensor, options: ModelRunOptions): Promise<Activations> {
    const values = layerNames.map((name) => this.layer(name).value);
    const wanted = [...new Set(values)].sort();
    if (wanted.length === 0) throw new UnitscopeError('wrong-use', 'no layer is named; name at least one');
    const key = `activations ${JSON.stringify(wanted)}`;
    const prepared = this.#runner.prepared(key) ?? { graph: this.#tapped(wanted) };
    const results = await this.#run(key, prepared, batch, options);
    const tensors = new Map(wanted.map((name) => [name, float32Of(results, name)]));
    return new Map(layerNames.map((name, i) => [name, tensors.get(values[i]!)!]));
  }

  /** The part of the network that makes these values, as its outputs. */
  #tapped(values: readonly string[]): Graph {
    const outputs = values.map(
      (name): ValueInfo => ({ name, type: 'float32', dims: this.#shapes.dims(name) }),
    );
    return { ...cutGraph(this.graph, { outputs: values }), outputs };
  }

  async *#tapEach(layerNames: readonly string[], batches: Batches, options: ModelRunOptions) {
    const { onProgress, ...rest } = options;
    let before = 0;
    for await (const batch of batches) {
      const done = before;
      yield await this.#tap(layerNames, batch, {
        ...rest,
        ...(onProgress === undefined
          ? {}
          : { onProgress: (progress) => onProgress({ done: done + progress.done, total: undefined }) }),
      });
      before += batch.dims[0]!;
    }
  }
}

function recordOf(requested: string, { engine, reason }: SharedEngine, lowering: Lowering): EngineRecord {
  const { name, versions } = engine;
  const block = blockOf(lowering);
  return {
    requested,
    name,
    versions,
    ...(reason === undefined ? {} : { reason }),
    lowering: nameOfLowering(lowering),
    ...(block === undefined ? {} : { block }),
  };
}

function fullyConnectedBytes(graph: Graph): number {
  const weights = new Set<string>();
  for (const { operator, inputs } of graph.nodes) {
    if (operator === 'Gemm' || operator === 'MatMul') for (const input of inputs) weights.add(input);
  }
  let bytes = 0;
  for (const name of weights) bytes += 4 * sizeOf(graph.initializers.get(name)?.dims ?? [0]);
  return bytes;
}

/** The one input of a network. A value that has a default in the file is a weight, not an input. */
function imageInput(graph: Graph, label: string): ValueInfo {
  const inputs = graph.inputs.filter((input) => !graph.initializers.has(input.name));
  const [input] = inputs;
  const refuse = (why: string) => new UnitscopeError('unsupported', `${label} ${why}`, { subject: label });
  if (input === undefined) throw refuse('has no input');
  if (inputs.length > 1) {
    const names = inputs.map(({ name }) => name).join(', ');
    throw refuse(`has ${inputs.length} inputs (${names}); networks of one input, the picture, are supported`);
  }
  if (input.type !== 'float32') {
    throw refuse(`takes ${input.type} at its input "${input.name}"; export it with a float32 input`);
  }
  return input;
}

function inputDimsOf(input: ValueInfo, given: readonly Dim[] | undefined): readonly Dim[] {
  const stated = input.dims;
  const dims = given ?? stated;
  if (dims === undefined || dims.length === 0) {
    throw new UnitscopeError(
      'unsupported',
      `the file does not say the dims of input "${input.name}"; say them by inputDims (--size on the command line)`,
      { subject: input.name },
    );
  }
  const sound = dims.every((dim) => typeof dim === 'string' || (Number.isSafeInteger(dim) && dim > 0));
  const fits =
    stated === undefined ||
    (stated.length === dims.length &&
      dims.every((dim, axis) => {
        const size = stated[axis]!;
        return typeof size === 'string' || size === dim;
      }));
  if (sound && fits) return dims.map((dim, axis) => (dim === '' ? `dim${axis}` : dim));
  throw new UnitscopeError(
    given === undefined ? 'bad-file' : 'wrong-use',
    `input "${input.name}" cannot have dims [${dims.join(', ')}]; the file says [${stated?.join(', ') ?? ''}]`,
    { subject: input.name },
  );
}

// ONNX Runtime starts as many threads as it is asked for, and hangs when it cannot have them.
const MAX_THREADS = 1024;

function requireCount(option: string, value: number | undefined, most = Number.MAX_SAFE_INTEGER): void {
  if (value === undefined || (Number.isSafeInteger(value) && value > 0 && value <= most)) return;
  throw new UnitscopeError('wrong-use', `${option} must be a positive integer, got ${value}`, {
    subject: option,
  });
}
