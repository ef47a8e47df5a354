import { type Composite, findScore, type PlannedRule } from '@unitscope/autodiff';
import {
  type Model,
  type OneTarget,
  type Progress,
  type Pullback,
  type PullbackObjective,
  type PullbackResult,
  resolveTargets,
} from '@unitscope/model';
import { sizeOf, type Tensor, throwIfAborted, UnitscopeError } from '@unitscope/tensor';

/** A unit of a layer: a channel, at one position, where it is strongest (`max`, the default), or as the mean of its map. */
export interface UnitOfLayer {
  readonly layer: string;
  readonly channel: number;
  /** Row and column, 0-based. */
  readonly position?: readonly [number, number] | 'max' | 'mean';
}

/** What is explained of every picture: a class or a unit. */
export interface Subject {
  /** The class to explain, in all samples or in each; `top1` (the default) is each sample's highest. */
  readonly target?: number | 'top1' | readonly (number | 'top1')[];
  /** Explain the class score before the softmax (`logit`, the default) or after it. */
  readonly score?: 'logit' | 'probability';
  /** Explain a unit instead of a class. */
  readonly unit?: UnitOfLayer;
}

export interface ExplainOptions extends Subject {
  readonly signal?: AbortSignal;
  /** Counts pictures that went through the network: for methods of many passes, perturbed copies too. */
  readonly onProgress?: (progress: Progress) => void;
}

/** A backward pass: by which rules, down to where, and what it gives out besides. */
export interface BackwardPass {
  readonly composite: Composite;
  /** The layer to carry the signal back to; the network's input by default. */
  readonly wrt?: string;
  /** Layers whose activations the result has besides. */
  readonly outputs?: readonly string[];
}

/** What was explained in every sample, and its score. */
export interface Explained {
  /** The class or channel. */
  readonly target: readonly number[];
  /** Row and column of the unit; absent for classes, means, and layers without maps. */
  readonly position: readonly (readonly [number, number])[] | undefined;
  readonly score: readonly number[];
  /** The class scores before the softmax, [N, K]; absent for units. */
  readonly logits: Tensor | undefined;
}

/** What all passes of one explanation share. */
interface Journal {
  readonly pullbacks: Map<Composite, Map<string, Pullback>>;
  readonly notes: Set<string>;
  plan: readonly PlannedRule[] | undefined;
  done: number;
  total: number;
}

/**
 * The passes through one network for one explanation. Which class or unit is explained in each sample is settled by
 * the first pass, and stays: the top class, and the place where a unit is strongest, are those of the original picture
 * in all passes of its perturbed copies.
 */
export class Passes {
  readonly model: Model;
  readonly subject: Subject;
  readonly signal: AbortSignal | undefined;
  readonly #onProgress: ((progress: Progress) => void) | undefined;
  readonly #journal: Journal;
  #explained: Explained | undefined;

  /** @param count samples explained */
  constructor(model: Model, count: number, options: ExplainOptions, of?: Passes, explained?: Explained) {
    const { signal, onProgress, ...subject } = options;
    this.model = model;
    this.subject = subject;
    this.signal = signal;
    this.#onProgress = onProgress;
    this.#explained = explained;
    this.#journal =
      of === undefined
        ? { pullbacks: new Map(), notes: new Set(), plan: undefined, done: 0, total: count }
        : of.#journal;
  }

  /** Which rule every operator got in the first backward pass; empty where there was none. */
  get plan(): readonly PlannedRule[] {
    return this.#journal.plan ?? [];
  }

  /** What the backward passes have to say. */
  get notes(): readonly string[] {
    return [...this.#journal.notes];
  }

  /** What the first pass settled. */
  get explained(): Explained {
    if (this.#explained !== undefined) return this.#explained;
    throw new UnitscopeError('wrong-use', 'what is explained is known after the first pass; run one');
  }

  /** The passes of copies of the samples of these numbers, explained as the originals are. */
  of(samples: readonly number[]): Passes {
    const { target, position, score, logits } = this.explained;
    const { signal } = this;
    const onProgress = this.#onProgress;
    return new Passes(
      this.model,
      samples.length,
      {
        ...this.subject,
        ...(signal === undefined ? {} : { signal }),
        ...(onProgress === undefined ? {} : { onProgress }),
      },
      this,
      {
        target: samples.map((n) => target[n]!),
        position: position && samples.map((n) => position[n]!),
        score: samples.map((n) => score[n]!),
        logits,
      },
    );
  }

  /** Says that `copies` pictures are going to pass for every sample, where it is not one. */
  expect(copies: number): void {
    this.#journal.total *= copies;
  }

  /** Reports that `pictures` more have passed. */
  advance(pictures: number): void {
    const journal = this.#journal;
    journal.done += pictures;
    this.#onProgress?.({ done: journal.done, total: journal.total });
  }

  /** The most pictures one backward pass takes at a time; more are run in parts. */
  async batchSize(pass: BackwardPass): Promise<number> {
    return (await this.#pullback(pass)).batchSize;
  }

  /**
   * A forward and a backward pass.
   *
   * @param batch one picture, or perturbed copy, for every sample; must stay as it is until the result is there
   *
   * Throws as `explain`.
   */
  async run(batch: Tensor, pass: BackwardPass): Promise<PullbackResult> {
    throwIfAborted(this.signal);
    const pullback = await this.#pullback(pass);
    let before = 0;
    const { signal } = this;
    const result = await pullback.run(batch, this.#target(), {
      ...(signal === undefined ? {} : { signal }),
      onProgress: ({ done }) => {
        this.advance(done - before);
        before = done;
      },
    });
    this.#journal.plan ??= result.plan;
    for (const note of result.notes) this.#journal.notes.add(note);
    // The class scores are the first output that `pullbackFor` asks for.
    const [first] = result.outputs.values();
    this.#explained ??= {
      target: result.target ?? [],
      position: result.position,
      score: Array.from(result.score?.data ?? []),
      logits: this.subject.unit === undefined ? first : undefined,
    };
    return result;
  }

  /**
   * Settles what is explained by a forward pass of the original pictures, unless a pass has done so.
   *
   * Throws as `explain`.
   */
  async settle(batch: Tensor): Promise<Explained> {
    if (this.#explained !== undefined) return this.#explained;
    const { unit } = this.subject;
    const activations = await this.#forward(batch);
    const { dims } = activations;
    const [count = 0, channels = 1, ...map] = dims;
    const positions = sizeOf(map);
    const codes = Array.from(
      resolveTargets(targetOf(this.subject), objectiveAt(this.subject, this.#value), dims, count),
      Number,
    );
    if (unit === undefined && positions !== 1) {
      throw new UnitscopeError(
        'unsupported',
        `${this.#value} has dims [${dims.join(', ')}]: class scores must be [N, K]; explain a unit of the layer instead`,
        { subject: this.#value },
      );
    }
    const [, width = 1] = map;
    const place = (code: number, n: number): number => {
      if (unit === undefined) {
        return code >= 0 ? code : highest(activations.data, n * channels, channels);
      }
      if (typeof unit.position === 'object') return code;
      return code * positions + highest(activations.data, (n * channels + code) * positions, positions);
    };
    const elements = unit?.position === 'mean' ? codes.map((code) => code * positions) : codes.map(place);
    const settled = {
      target: elements.map((element) => Math.floor(element / positions)),
      position:
        unit !== undefined && unit.position !== 'mean' && dims.length === 4
          ? elements.map((element) => {
              const within = element % positions;
              return [Math.floor(within / width), within % width] as const;
            })
          : undefined,
      score: [],
      logits: unit === undefined ? activations : undefined,
    };
    this.#explained = { ...settled, score: this.#scoresIn(activations, settled) };
    return this.#explained;
  }

  /**
   * What is explained, as a number, of one picture or copy for every sample, or of one for all: a forward pass alone.
   * Throws as `explain`; a pass must have settled what is explained.
   */
  async scores(batch: Tensor): Promise<readonly number[]> {
    const { explained } = this;
    return this.#scoresIn(await this.#forward(batch), explained);
  }

  /** The layer, or the value of the class scores, that holds what is explained. */
  get #value(): string {
    const { unit } = this.subject;
    if (unit !== undefined) return unit.layer;
    const { graph } = this.model;
    const score = findScore(graph);
    if (score !== undefined) return score.logits;
    throw new UnitscopeError('bad-file', `${graph.name || 'the network'} has no outputs`);
  }

  async #forward(batch: Tensor): Promise<Tensor> {
    throwIfAborted(this.signal);
    const { signal } = this;
    const name = this.#value;
    const activations = await this.model.activations([name], batch, signal === undefined ? {} : { signal });
    return activations.get(name)!;
  }

  #scoresIn({ dims, data }: Tensor, { target, position }: Pick<Explained, 'target' | 'position'>): number[] {
    const { unit, score } = this.subject;
    const [, channels = 1, ...map] = dims;
    const positions = sizeOf(map);
    return target.map((channel, n) => {
      const row = dims[0] === 1 ? 0 : n;
      const sample = data.subarray(row * channels * positions, (row + 1) * channels * positions);
      const plane = sample.subarray(channel * positions, (channel + 1) * positions);
      if (unit === undefined) return score === 'probability' ? softmaxAt(sample, channel) : plane[0]!;
      const place = position?.[n];
      if (place !== undefined) return plane[place[0] * map[1]! + place[1]]!;
      if (unit.position === 'mean') return plane.reduce((sum, value) => sum + value, 0) / positions;
      return plane[0]!;
    });
  }

  async #pullback(pass: BackwardPass): Promise<Pullback> {
    const { pullbacks } = this.#journal;
    const own = pullbacks.get(pass.composite) ?? new Map<string, Pullback>();
    pullbacks.set(pass.composite, own);
    const objective = objectiveOf(this.subject, this.#explained);
    const key = JSON.stringify([objective, pass.wrt, pass.outputs]);
    const pullback = own.get(key) ?? (await pullbackFor(this.model, pass, this.subject, objective));
    own.set(key, pullback);
    return pullback;
  }

  #target(): OneTarget | readonly OneTarget[] {
    if (this.#explained === undefined) return targetOf(this.subject);
    const { target, position } = this.#explained;
    return target.map((channel, n) => {
      const place = position?.[n];
      return place === undefined ? channel : { channel, position: place };
    });
  }
}

/** The two passes ready to run, with the class scores as their first output where a class is explained. */
export async function pullbackFor(
  model: Model,
  { composite, wrt, outputs = [] }: BackwardPass,
  subject: Subject,
  objective: PullbackObjective = objectiveOf(subject, undefined),
): Promise<Pullback> {
  requireOneSubject(subject);
  const logits = subject.unit === undefined ? findScore(model.graph)?.logits : undefined;
  const given = [...(logits === undefined ? [] : [logits]), ...outputs];
  return model.pullback(objective, {
    composite,
    ...(wrt === undefined ? {} : { wrt }),
    ...(given.length === 0 ? {} : { outputs: given }),
  });
}

/** Throws `wrong-use` where both a class and a unit are asked for. */
export function requireOneSubject({ unit, target }: Subject): void {
  if (unit === undefined || target === undefined) return;
  throw new UnitscopeError('wrong-use', 'either a class or a unit of a layer can be explained, not both');
}

function objectiveOf(
  { unit, score = 'logit' }: Subject,
  explained: Explained | undefined,
): PullbackObjective {
  if (unit === undefined) return { kind: 'class', score };
  const { layer, position = 'max' } = unit;
  const given = typeof position === 'object' || explained?.position !== undefined;
  return { kind: 'unit', layer, position: given ? 'given' : position };
}

function objectiveAt({ unit }: Subject, value: string): Parameters<typeof resolveTargets>[1] {
  if (unit === undefined) return { kind: 'class', value };
  const { position = 'max' } = unit;
  return { kind: 'unit', value, position: typeof position === 'object' ? 'given' : position };
}

/** As a pullback takes it. */
export function targetOf({ unit, target = 'top1' }: Subject): OneTarget | readonly OneTarget[] {
  if (unit === undefined) return target;
  const { channel, position } = unit;
  return typeof position === 'object' ? { channel, position } : channel;
}

/** The first of the largest values from `start` on, counted from there. */
function highest(data: Float32Array, start: number, count: number): number {
  let best = 0;
  for (let i = 1; i < count; i++) if (data[start + i]! > data[start + best]!) best = i;
  return best;
}

function softmaxAt(logits: Float32Array, index: number): number {
  const top = logits.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const total = logits.reduce((sum, value) => sum + Math.exp(value - top), 0);
  return Math.exp(logits[index]! - top) / total;
}
