import {
  type CompiledPullback,
  type Composite,
  compile,
  findScore,
  type Objective,
  type ObjectiveInput,
  type PlannedRule,
  type UnitPosition,
} from '@unitscope/autodiff';
import { type Dim, type Graph, inferShapes, type Shapes } from '@unitscope/onnx';
import { sameDims, type Tensor, type TensorData, UnitscopeError, unknownName } from '@unitscope/tensor';
import { checkBatch, chunkingFor, firstChunk, float32Of, type Progress } from './batches.js';
import { findLayer, type Layer } from './layers.js';
import { type PlanNode, planOf, readProfile, withTimes } from './plan.js';
import type { Runner } from './runner.js';
import type { PreparedPullback } from './session-cache.js';
import { type PullbackTarget, resolveTargets } from './targets.js';

/**
 * What is explained, but for the class or unit itself, which each run chooses.
 *
 * - `class`: the score of a class, before the softmax (`logit`, the default) or after it (`probability`). `output`
 *   names the network's output where it has several.
 * - `unit`: a unit of a layer at a `given` position, at the place where it is strongest (`max`, the default), or its
 *   mean over the map.
 * - `seed`: any signal at a layer's value.
 * - `linear`: a sum over layers of activations times coefficients, which each run gives: logits, units, channels and
 *   directions of several layers, weighted, in one pass.
 */
export type PullbackObjective =
  | { readonly kind: 'class'; readonly score?: 'logit' | 'probability'; readonly output?: string }
  | { readonly kind: 'unit'; readonly layer: string; readonly position?: UnitPosition }
  | { readonly kind: 'seed'; readonly layer: string }
  | { readonly kind: 'linear'; readonly layers: readonly string[] };

/** The signals at layers, each of the dims of its value, by the names the objective gives the layers. */
export type Coefficients = ReadonlyMap<string, Tensor>;

export interface PullbackOptions {
  /** The method; the gradient by default. */
  readonly composite?: Composite;
  /** The layer to carry the signal back to; the network's input by default. */
  readonly wrt?: string;
  /** Layers whose activations the result has besides. */
  readonly outputs?: readonly string[];
}

export interface PullbackRunOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

export interface PullbackResult {
  /** What arrives at `wrt`, of its dims. */
  readonly signal: Tensor;
  /** The scalar explained of each sample, [N]; a seed has none. */
  readonly score: Tensor | undefined;
  /** The class or the unit's channel of each sample; a seed has none. */
  readonly target: readonly number[] | undefined;
  /** Row and column of the unit explained in each sample; only where it is one element of a map. */
  readonly position: readonly (readonly [number, number])[] | undefined;
  /** The activations asked for, by the name they were asked for with. */
  readonly outputs: ReadonlyMap<string, Tensor>;
  /** Which rule every operator on the path got. */
  readonly plan: readonly PlannedRule[];
  /** What a reader of the result should know. */
  readonly notes: readonly string[];
}

export interface PullbackProfile {
  /** Samples in the run whose times these are. */
  readonly samples: number;
  readonly nodes: readonly PlanNode[];
}

/** One that is not counted, in which memory is found, and five. */
const PROFILED_RUNS = 6;

const compositeNumbers = new WeakMap<Composite, number>();
let composites = 0;

/** Composites of one name may differ in their rules, so the object itself is what counts. */
function numberOf(composite: Composite): number {
  const known = compositeNumbers.get(composite);
  if (known !== undefined) return known;
  compositeNumbers.set(composite, ++composites);
  return composites;
}

export interface PullbackSource {
  readonly graph: Graph;
  readonly layers: readonly Layer[];
  readonly runner: Runner;
  readonly batchSize: number;
}

/**
 * A forward and backward pass that is ready to run: which class or unit is explained is chosen by each run, so one
 * session serves them all. Made by `Model.pullback`.
 */
export class Pullback {
  readonly #source: PullbackSource;
  readonly #kind: PullbackObjective['kind'];
  readonly #objective: Objective;
  readonly #softmax: boolean;
  readonly #composite: Composite;
  readonly #wrt: string;
  readonly #outputs: ReadonlyMap<string, string>;
  /** The layers of a linear objective, and their values. */
  readonly #terms: ReadonlyMap<string, string>;
  readonly #key: string;
  #ready: ({ readonly key: string } & PreparedPullback) | undefined;

  constructor(
    source: PullbackSource,
    objective: PullbackObjective,
    options: PullbackOptions,
    fallback: Composite,
  ) {
    const { graph, layers, runner } = source;
    this.#source = source;
    this.#composite = options.composite ?? fallback;
    this.#kind = objective.kind;
    this.#objective = objectiveIn(graph, layers, objective);
    this.#softmax = objective.kind === 'class' && objective.score === 'probability';
    const { input } = runner;
    const { wrt } = options;
    this.#wrt = wrt === undefined || wrt === input.name ? input.name : findLayer(layers, wrt).value;
    const terms = objective.kind === 'linear' ? objective.layers : [];
    this.#terms = new Map(terms.map((name) => [name, findLayer(layers, name).value]));
    this.#outputs = new Map((options.outputs ?? []).map((name) => [name, findLayer(layers, name).value]));
    this.#key = JSON.stringify([
      this.#objective,
      this.#softmax,
      this.#wrt,
      this.#composite.name,
      numberOf(this.#composite),
      [...this.#outputs.values()],
      runner.lowering,
    ]);
    // A network of one input size is compiled now, so that what cannot be explained is said now.
    if (!runner.dims.slice(1).some((dim) => typeof dim === 'string')) this.#prepare(runner.dims);
  }

  /** The name of the method. */
  get method(): string {
    return this.#composite.name;
  }

  /** The most samples of one run; a larger batch is run in parts. */
  get batchSize(): number {
    return chunkingFor(this.#source.runner.dims, this.#source.batchSize).size;
  }

  /**
   * The two passes as one graph. Throws `wrong-use` where the network takes pictures of any size and none has been
   * run yet.
   */
  get compiled(): CompiledPullback {
    if (this.#ready !== undefined) return this.#ready.compiled;
    throw new UnitscopeError(
      'wrong-use',
      `${this.#source.runner.label} takes pictures of any size; load it with inputDims, or run a batch first`,
    );
  }

  /**
   * Explains a batch.
   *
   * @param batch of the dims of the network's input; must stay as it is until the result is there
   * @param target what to explain in every sample, or a list with one for each: a class or channel by its number,
   *   `top1` for the class of the highest score, a channel with a position; for a seed, the signal itself; for a linear
   *   objective, the coefficients of every layer. Classes default to `top1`.
   *
   * Throws `bad-input` for a batch that does not fit, `not-found` for a class or unit that does not exist, `wrong-use`
   * for a target the objective cannot have, `aborted`.
   */
  async run(
    batch: Tensor,
    target?: PullbackTarget | Tensor | Coefficients,
    options: PullbackRunOptions = {},
  ): Promise<PullbackResult> {
    const { runner } = this.#source;
    runner.requireOpen();
    await checkBatch(batch, runner.input, runner.dims);
    const { key, compiled, dims } = this.#prepare([runner.dims[0]!, ...batch.dims.slice(1)]);
    const count = batch.dims[0]!;
    const results = await runner.run(
      key,
      { graph: compiled.graph, pullback: { compiled, dims } },
      { [runner.input.name]: batch, ...this.#feeds(compiled, target, dims, count) },
      { ...options, batchSize: this.#source.batchSize },
    );
    const { score, index } = compiled;
    const chosen = this.#chosen(results, index, dims, target, count);
    return {
      signal: float32Of(results, compiled.signals.get(this.#wrt)!),
      score: score === undefined ? undefined : float32Of(results, score),
      ...chosen,
      outputs: new Map([...this.#outputs].map(([name, value]) => [name, float32Of(results, value)])),
      plan: compiled.plan,
      notes: compiled.notes,
    };
  }

  /** How every node of the two passes is run. Throws as `compiled`. */
  get nodes(): PlanNode[] {
    return planOf(this.compiled);
  }

  /**
   * The nodes with the time of each in one run, the median over several, of the first samples of the batch.
   * Undefined where the engine keeps no times. Arguments and errors as of `run`.
   */
  async profile(
    batch: Tensor,
    target?: PullbackTarget | Tensor | Coefficients,
    { signal }: PullbackRunOptions = {},
  ): Promise<PullbackProfile | undefined> {
    const { runner, batchSize } = this.#source;
    runner.requireOpen();
    await checkBatch(batch, runner.input, runner.dims);
    const { compiled, dims } = this.#prepare([runner.dims[0]!, ...batch.dims.slice(1)]);
    const feeds = firstChunk(
      { [runner.input.name]: batch, ...this.#feeds(compiled, target, dims, batch.dims[0]!) },
      chunkingFor(runner.dims, batchSize),
    );
    const text = await runner.profile(compiled.graph, feeds, PROFILED_RUNS, signal);
    if (text === undefined) return undefined;
    return {
      samples: feeds[runner.input.name]!.dims[0]!,
      nodes: withTimes(compiled, planOf(compiled), readProfile(text), PROFILED_RUNS),
    };
  }

  #prepare(inputDims: readonly Dim[]): { readonly key: string } & PreparedPullback {
    const key = `pullback ${this.#key} ${inputDims.join('x')}`;
    if (this.#ready?.key === key) return this.#ready;
    const prepared = this.#source.runner.prepared(key)?.pullback ?? this.#compile(inputDims);
    this.#ready = { key, ...prepared };
    return this.#ready;
  }

  #compile(inputDims: readonly Dim[]): PreparedPullback {
    const { graph, runner } = this.#source;
    const inputs = { [runner.input.name]: inputDims };
    const compiled = compile(graph, {
      objective: this.#objective,
      wrt: [this.#wrt],
      composite: this.#composite,
      outputs: [...new Set(this.#outputs.values())],
      softmax: this.#softmax,
      lowering: runner.lowering,
      inputDims: inputs,
    });
    return { compiled, dims: dimsOf(inferShapes(graph, { inputs }), explainedValue(this.#objective)) };
  }

  /** The run-time inputs of the objective. */
  #feeds(
    { targetInput, seeds }: CompiledPullback,
    target: PullbackTarget | Tensor | Coefficients | undefined,
    dims: readonly Dim[],
    count: number,
  ): Record<string, Tensor<TensorData>> {
    if (seeds.size === 0) {
      if (isTensor(target) || isCoefficients(target)) {
        throw new UnitscopeError(
          'wrong-use',
          'a tensor is a target of the objectives `seed` and `linear` only; give a number',
        );
      }
      return { [targetInput]: { dims: [count], data: resolveTargets(target, this.#objective, dims, count) } };
    }
    const feeds: Record<string, Tensor> = {};
    const seed = ({ name, dims: stated }: ObjectiveInput, given: unknown, what: string) => {
      const wanted = [count, ...stated.slice(1).map(Number)];
      const got = isTensor(given) && given.data instanceof Float32Array ? given : undefined;
      if (got !== undefined && sameDims(got.dims, wanted)) {
        feeds[name] = got;
        return;
      }
      const shown = got === undefined ? 'none' : `[${got.dims.join(', ')}]`;
      throw new UnitscopeError('bad-input', `${what} must be float32 [${wanted.join(', ')}], got ${shown}`);
    };
    if (this.#kind === 'seed') {
      for (const input of seeds.values()) seed(input, target, 'the seed');
      return feeds;
    }
    const given = isCoefficients(target) ? target : new Map<string, Tensor>();
    for (const [layer, value] of this.#terms) {
      seed(seeds.get(value)!, given.get(layer), `the coefficients of ${layer}`);
    }
    return feeds;
  }

  #chosen(
    results: Readonly<Record<string, Tensor<TensorData>>>,
    index: string | undefined,
    dims: readonly Dim[],
    target: PullbackTarget | Tensor | Coefficients | undefined,
    count: number,
  ): Pick<PullbackResult, 'target' | 'position'> {
    if (index === undefined) {
      // A mean has no one element, but its channels are what was asked for.
      if (this.#kind === 'seed' || isTensor(target) || isCoefficients(target)) {
        return { target: undefined, position: undefined };
      }
      const channels = resolveTargets(target, this.#objective, dims, count);
      return { target: Array.from(channels, Number), position: undefined };
    }
    const flat = Array.from(results[index]!.data, Number);
    const [height = 1, width = 1] = dims.slice(2).map(Number);
    const positions = height * width;
    return {
      target: flat.map((element) => Math.floor(element / positions)),
      position:
        this.#kind === 'unit' && dims.length === 4
          ? flat.map((element) => [Math.floor((element % positions) / width), element % width] as const)
          : undefined,
    };
  }
}

function objectiveIn(graph: Graph, layers: readonly Layer[], objective: PullbackObjective): Objective {
  if (objective.kind === 'seed') return { kind: 'seed', value: findLayer(layers, objective.layer).value };
  if (objective.kind === 'linear') {
    const values = objective.layers.map((layer) => findLayer(layers, layer).value);
    const twice = values.find((value, i) => values.indexOf(value) !== i);
    if (twice !== undefined) {
      throw new UnitscopeError('wrong-use', `${twice} is named twice; add its coefficients up`, {
        subject: twice,
      });
    }
    return { kind: 'linear', values };
  }
  if (objective.kind === 'unit') {
    const { layer, position = 'max' } = objective;
    return { kind: 'unit', value: findLayer(layers, layer).value, position };
  }
  const names = graph.outputs.map((output) => output.name);
  if (objective.output !== undefined && !names.includes(objective.output)) {
    throw unknownName('output', objective.output, names);
  }
  const score = findScore(graph, objective.output);
  if (score === undefined)
    throw new UnitscopeError('bad-file', `${graph.name || 'the network'} has no outputs`);
  return { kind: 'class', value: score.logits };
}

function dimsOf(shapes: Shapes, value: string): readonly Dim[] {
  const dims = shapes.dims(value);
  if (dims !== undefined) return dims;
  throw new UnitscopeError('unsupported', `the dims of ${value} cannot be inferred`, { subject: value });
}

/** The value whose dims targets are counted in. */
function explainedValue(objective: Objective): string {
  return objective.kind === 'linear' ? (objective.values[0] ?? '') : objective.value;
}

function isTensor(target: unknown): target is Tensor {
  return typeof target === 'object' && target !== null && 'data' in target;
}

function isCoefficients(target: PullbackTarget | Tensor | Coefficients | undefined): target is Coefficients {
  return target instanceof Map;
}
