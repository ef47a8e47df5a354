import { createHash } from 'node:crypto';
import {
  type CompiledTraining,
  compileTraining,
  findScore,
  initializersAsInputs,
  type LossKind,
} from '@unitscope/autodiff';
import { chooseLowering, type Engine, openEngine, type Session, type Tensors } from '@unitscope/model';
import { type Dim, type Graph, inferShapes, type ValueInfo } from '@unitscope/onnx';
import { type Tensor, type TensorData, UnitscopeError } from '@unitscope/tensor';
import { dropoutMask } from './dropout.js';
import { encodeLabels } from './labels.js';
import { type Optimizer, type Parameter, sgd, updateParameter } from './optimizer.js';
import { learningRateAt, type Schedule, scheduleOf } from './schedule.js';
import type { StepView, TrainingTerm } from './term.js';
import type { TrainerOptions } from './trainer-options.js';
import {
  chosenParameters,
  copyOf,
  diverged,
  labelOf,
  notFloat,
  parameterOf,
  release,
  requireDistinct,
  trainedDims,
} from './trainer-parts.js';

/** The samples of one step. */
export interface TrainingBatch {
  /** Of the dims of the network's input. */
  readonly inputs: Tensor;
  /**
   * The category of each sample by its number; of the loss `logistic` also [N, K] of 1 (yes), -1 (no) and 0 (not known).
   * With `logistic` and a single score, category 1 is yes and 0 is no.
   */
  readonly labels: readonly number[] | Tensor;
  /** The weight of each sample in the loss, on average 1; 1 each by default. */
  readonly weights?: readonly number[];
}

export interface StepOptions {
  /** Epochs done, a fraction in the middle of one, for the schedule; 0 by default. */
  readonly epoch?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface StepResult {
  /** From 1. */
  readonly step: number;
  /** The mean over the samples, before the update. */
  readonly loss: number;
  readonly learningRate: number;
  /** The scores [N, K] before the update. */
  readonly scores: Tensor;
}

/** Everything that changes while training, by name: copies, so that later steps leave them as they are. */
export interface TrainerState {
  readonly step: number;
  readonly arrays: ReadonlyMap<string, Float32Array>;
}

interface Parts {
  readonly graph: Graph;
  readonly input: ValueInfo;
  readonly dims: readonly Dim[];
  readonly scores: string;
  readonly classes: number;
  readonly loss: LossKind;
  readonly compiled: CompiledTraining;
  readonly engine: Engine;
  readonly ownsEngine: boolean;
  readonly optimizer: Optimizer;
  readonly schedule: Schedule;
  readonly parameters: readonly Parameter[];
  readonly statistics: ReadonlyMap<string, Tensor>;
  readonly terms: readonly TrainingTerm[];
  readonly seed: number;
  readonly threads: number | undefined;
}

/**
 * Trains a network: each step runs network, loss and gradients as one graph whose parameters are inputs, and updates
 * their arrays in place by the native optimizers.
 */
export class Trainer {
  readonly #parts: Parts;
  readonly #masks = new Map<string, Float32Array>();
  /** SHA-256 of the parameters it began with. */
  readonly initialHash: string;
  #step = 0;
  #training: Promise<Session> | undefined;
  #scoring: Promise<Session> | undefined;
  #closed = false;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.initialHash = this.hash();
  }

  /**
   * Makes a network ready to be trained. Its graph is not changed; `graph()` gives the trained one.
   *
   * Throws `unsupported` for a network that cannot be differentiated, naming the node, `not-found` for a parameter or
   * value that it does not have, `wrong-use` for options that cannot be.
   */
  static async create(graph: Graph, options: TrainerOptions): Promise<Trainer> {
    const { loss = 'softmax', optimizer = sgd(), factors = [], terms = [], seed = 0, threads } = options;
    const schedule = scheduleOf(options.learningRate);
    const [input, ...others] = graph.inputs;
    if (input === undefined || others.length > 0 || input.type !== 'float32' || input.dims === undefined) {
      throw new UnitscopeError(
        'unsupported',
        `${labelOf(graph)} must have one input, of float32 and known rank`,
      );
    }
    const dims = trainedDims(graph, input, options.size);
    const scores = options.scores ?? findScore(graph)?.logits;
    if (scores === undefined) throw new UnitscopeError('bad-file', `${labelOf(graph)} has no outputs`);
    const scoreDims = inferShapes(graph, { inputs: { [input.name]: dims } }).dims(scores);
    const names = chosenParameters(graph, scores, options.parameters);
    requireDistinct(terms);
    const given = options.engine ?? 'auto';
    const engine =
      typeof given === 'string' ? await openEngine(given, threads === undefined ? {} : { threads }) : given;
    try {
      const compiled = compileTraining(graph, {
        loss: { kind: loss, value: scores },
        parameters: names,
        batchNormalization: options.batchNormalization ?? 'batch',
        dropout: options.dropout ?? true,
        injections: terms.flatMap(({ injections }) => injections),
        outputs: [scores],
        lowering: chooseLowering(options.lowering ?? 'auto', engine),
        inputDims: { [input.name]: dims },
      });
      const parameters = names.map((name) => parameterOf(graph.initializers.get(name)!, optimizer, factors));
      const statistics = new Map(
        compiled.statistics.map(({ name }) => [name, copyOf(graph.initializers.get(name)!)]),
      );
      return new Trainer({
        ...{
          graph,
          input,
          dims,
          scores,
          loss,
          compiled,
          engine,
          optimizer,
          schedule,
          parameters,
          statistics,
        },
        ...{ terms, seed, threads },
        classes: Number(scoreDims?.[1]),
        ownsEngine: typeof given === 'string',
      });
    } catch (cause) {
      if (typeof given === 'string') await engine.close();
      throw cause;
    }
  }

  /** Steps done. */
  get steps(): number {
    return this.#step;
  }

  get loss(): LossKind {
    return this.#parts.loss;
  }

  /** The number of scores of a sample. */
  get classes(): number {
    return this.#parts.classes;
  }

  /** Dims of the input; the first is the batch. */
  get inputDims(): readonly Dim[] {
    return this.#parts.dims;
  }

  get parameters(): readonly { readonly name: string; readonly dims: readonly number[] }[] {
    return this.#parts.parameters.map(({ name, dims }) => ({ name, dims }));
  }

  /** What it was made of, for the record of a result and to tell one run from another. */
  get record() {
    const { loss, scores, optimizer, schedule, seed, engine, parameters, terms, compiled } = this.#parts;
    return {
      ...{ loss, scores, optimizer, schedule, seed },
      parameters: parameters.map(({ name, dims, rateFactor, decayFactor }) => ({
        ...{ name, dims, rateFactor, decayFactor },
      })),
      dropouts: compiled.dropouts.map(({ ratio }) => ratio),
      terms: terms.map(({ name }) => name),
      engine: { name: engine.name, versions: engine.versions },
    };
  }

  /** The nodes of a step and where they run. */
  get compiled(): CompiledTraining {
    return this.#parts.compiled;
  }

  /**
   * One step: forward, backward, update. The batch must stay as it is until then. After an abort or an error nothing has
   * been updated. One step at a time.
   *
   * Throws `bad-input` for a batch or labels that do not fit and where the loss is NaN or infinite, naming the step, the
   * learning rate and what to do; `aborted`.
   */
  async step(batch: TrainingBatch, options: StepOptions = {}): Promise<StepResult> {
    const { compiled, parameters, statistics, terms, optimizer, schedule, scores, threads } = this.#parts;
    const { epoch = 0, signal } = options;
    const step = this.#step + 1;
    const learningRate = learningRateAt(schedule, epoch);
    const count = this.#countOf(batch);
    const labels = Array.isArray(batch.labels) ? batch.labels.map(Number) : [];
    const view: StepView = { step, epoch, count, labels };
    const session = await this.#trainingSession();
    const results = await session.run(this.#feeds(batch, view), { signal });
    const loss = Number(results[compiled.loss]!.data[0]);
    if (!Number.isFinite(loss)) {
      release(results);
      throw diverged(loss, step, learningRate);
    }
    for (const parameter of parameters) {
      const gradient = results[compiled.gradients.get(parameter.name)!]!.data;
      if (!(gradient instanceof Float32Array)) throw notFloat(parameter.name);
      await updateParameter(optimizer, parameter, gradient, { learningRate, step, threads });
    }
    for (const { name, updated } of compiled.statistics) {
      const found = results[updated]!.data;
      if (found instanceof Float32Array) statistics.get(name)!.data.set(found);
    }
    this.#step = step;
    const outputs = new Map(compiled.outputs.map((name) => [name, results[name]!]));
    for (const term of terms) term.observe?.(outputs, view);
    const kept = results[scores]!;
    if (!(kept.data instanceof Float32Array)) throw notFloat(scores);
    const found = { dims: [count, this.classes], data: kept.data.slice() };
    release(results);
    return { step, loss, learningRate, scores: found };
  }

  /** The scores [N, K] of the network as it is now, by running statistics and without dropout. */
  async scores(inputs: Tensor, signal?: AbortSignal): Promise<Tensor> {
    const { input, scores, parameters, statistics } = this.#parts;
    const count = this.#countOf({ inputs, labels: [] });
    this.#requireOpen();
    this.#scoring ??= this.#load(this.#scoringGraph());
    const feeds: Record<string, Tensor<TensorData>> = { [input.name]: inputs };
    for (const { name, dims, weights } of parameters) feeds[name] = { dims, data: weights };
    for (const [name, value] of statistics) feeds[name] = value;
    const session = await this.#scoring;
    const results = await session.run(feeds, { signal });
    const found = results[scores]!.data;
    if (!(found instanceof Float32Array)) throw notFloat(scores);
    const kept = { dims: [count, this.classes], data: found.slice() };
    release(results);
    return kept;
  }

  /** The network with its parameters and statistics as they are now. */
  graph(): Graph {
    const { graph, parameters, statistics } = this.#parts;
    const initializers = new Map(graph.initializers);
    const set = (name: string, dims: readonly number[], data: Float32Array) =>
      initializers.set(name, { name, type: 'float32', dims, data: data.slice() });
    for (const { name, dims, weights } of parameters) set(name, dims, weights);
    for (const [name, { dims, data }] of statistics) set(name, dims, data);
    return { ...graph, initializers };
  }

  /** A copy of everything that changes. */
  state(): TrainerState {
    const arrays = new Map<string, Float32Array>();
    for (const [name, array] of this.#changing()) arrays.set(name, array.slice());
    for (const term of this.#parts.terms) {
      for (const [name, array] of term.state?.() ?? [])
        arrays.set(`term/${term.name}/${name}`, array.slice());
    }
    return { step: this.#step, arrays };
  }

  /** Goes on from a state of the same network and options. Throws `wrong-use` for another's. */
  restore({ step, arrays }: TrainerState): void {
    for (const [name, own] of this.#changing()) {
      if (arrays.get(name)?.length !== own.length) {
        throw new UnitscopeError(
          'wrong-use',
          `the state has no ${name} of ${own.length} elements: it is of another run`,
          {
            subject: name,
          },
        );
      }
    }
    for (const [name, own] of this.#changing()) own.set(arrays.get(name)!);
    for (const term of this.#parts.terms) {
      const prefix = `term/${term.name}/`;
      const own = [...arrays].filter(([name]) => name.startsWith(prefix));
      term.restore?.(new Map(own.map(([name, array]) => [name.slice(prefix.length), array.slice()])));
    }
    this.#step = step;
  }

  /** SHA-256 of all that changes, in hexadecimal: equal for runs that have come to the same bits. */
  hash(): string {
    const hash = createHash('sha256');
    for (const [name, { buffer, byteOffset, byteLength }] of this.#changing()) {
      hash.update(name).update(new Uint8Array(buffer, byteOffset, byteLength));
    }
    return hash.digest('hex');
  }

  /** Frees the sessions, and the engine where it was opened by name. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const session of [this.#training, this.#scoring]) {
      await (await session?.catch(() => undefined))?.release();
    }
    if (this.#parts.ownsEngine) await this.#parts.engine.close();
  }

  *#changing(): Generator<[string, Float32Array]> {
    for (const { name, weights, slots } of this.#parts.parameters) {
      yield [`weights/${name}`, weights];
      for (const [slot, array] of slots) yield [`${slot}/${name}`, array];
    }
    for (const [name, { data }] of this.#parts.statistics) yield [`statistics/${name}`, data];
  }

  #feeds(batch: TrainingBatch, view: StepView): Tensors {
    const { compiled, input, parameters, statistics, terms, classes, seed } = this.#parts;
    const { count, step } = view;
    const { weights = [] } = batch;
    const feeds: Record<string, Tensor<TensorData>> = { [input.name]: batch.inputs };
    feeds[compiled.labels.name] = encodeLabels(batch.labels, compiled.labels.type, count, classes);
    feeds[compiled.weights.name] = {
      dims: [count],
      data: Float32Array.from({ length: count }, (_, i) => (weights[i] ?? 1) / count),
    };
    for (const { name, dims, weights: data } of parameters) feeds[name] = { dims, data };
    for (const [name, value] of statistics) feeds[name] = value;
    for (const [index, dropout] of compiled.dropouts.entries()) {
      feeds[dropout.input] = dropoutMask(dropout, count, { seed, step, index }, this.#masks);
    }
    for (const term of terms) Object.assign(feeds, term.feeds(view));
    return feeds;
  }

  #countOf({ inputs, labels, weights }: TrainingBatch): number {
    const { input, dims } = this.#parts;
    const [count = 0, ...rest] = inputs.dims;
    const fits = inputs.dims.length === dims.length && rest.every((size, i) => size === dims[i + 1]);
    if (count < 1 || !fits) {
      throw new UnitscopeError(
        'bad-input',
        `input "${input.name}" takes [${dims.join(', ')}], got [${inputs.dims.join(', ')}]`,
        { subject: input.name },
      );
    }
    if (Array.isArray(labels) && labels.length > 0 && labels.length !== count) {
      throw new UnitscopeError('bad-input', `${count} samples have ${labels.length} labels`);
    }
    if (weights !== undefined && weights.length !== count) {
      throw new UnitscopeError('bad-input', `${count} samples have ${weights.length} weights`);
    }
    return count;
  }

  #requireOpen(): void {
    if (this.#closed) throw new UnitscopeError('wrong-use', 'the trainer has been closed');
  }

  #trainingSession(): Promise<Session> {
    this.#requireOpen();
    this.#training ??= this.#load(this.#parts.compiled.graph);
    return this.#training;
  }

  #scoringGraph(): Graph {
    const { graph, scores, dims, input, parameters, statistics } = this.#parts;
    const names = [...parameters.map(({ name }) => name), ...statistics.keys()];
    const open = {
      ...graph,
      inputs: graph.inputs.map((info) => (info === input ? { ...info, dims } : info)),
    };
    return initializersAsInputs(open, names, [scores]);
  }

  #load(graph: Graph): Promise<Session> {
    const { engine, threads } = this.#parts;
    const label = labelOf(this.#parts.graph);
    return engine.load(graph, threads === undefined ? { label } : { label, threads });
  }
}
