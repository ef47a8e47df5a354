import { type Composite, findScore, type PlannedRule } from '@unitscope/autodiff';
import type {
  Model,
  OneTarget,
  Progress,
  Pullback,
  PullbackObjective,
  PullbackProfile,
} from '@unitscope/model';
import { type Tensor, UnitscopeError } from '@unitscope/tensor';

/** A unit of a layer: a channel, at one position, where it is strongest (`max`, the default), or as the mean of its map. */
export interface UnitOfLayer {
  readonly layer: string;
  readonly channel: number;
  /** Row and column, 0-based. */
  readonly position?: readonly [number, number] | 'max' | 'mean';
}

export interface ExplainOptions {
  /** The class to explain, in all samples or in each; `top1` (the default) is each sample's highest. */
  readonly target?: number | 'top1' | readonly (number | 'top1')[];
  /** Explain the class score before the softmax (`logit`, the default) or after it. */
  readonly score?: 'logit' | 'probability';
  /** Explain a unit instead of a class. */
  readonly unit?: UnitOfLayer;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

/** How a map wants to be looked at: signed values around zero, or magnitudes from zero up. */
export type MapForm = 'signed' | 'magnitude';

export interface Explanation {
  readonly method: string;
  readonly form: MapForm;
  /** [N, C, H, W] for a signed map, of the dims of the picture; [N, 1, H, W] for magnitudes. */
  readonly map: Tensor;
  /** The class or channel explained in each sample. */
  readonly target: readonly number[];
  /** Row and column of the unit explained in each sample; absent for classes and means. */
  readonly position: readonly (readonly [number, number])[] | undefined;
  /** The scalar that was explained in each sample: a class score or an activation. */
  readonly score: readonly number[];
  /** The class scores of each sample before the softmax, [N, K]; absent for units. */
  readonly logits: Tensor | undefined;
  /** Which rule every operator got. */
  readonly plan: readonly PlannedRule[];
  /** What a reader of the map should know. */
  readonly notes: readonly string[];
}

/** A way to explain: a composite of backward rules, and what becomes of the signal that arrives at the input. */
export interface Method {
  readonly name: string;
  /** One line for a reader who meets the name for the first time. */
  readonly summary: string;
  readonly composite: Composite;
  readonly form: MapForm;
  /** From the signal at the input, [N, C, H, W], and the input itself to the map. */
  readonly finish: (signal: Tensor, input: Tensor) => Tensor;
}

/**
 * Explains a batch of pictures, [N, C, H, W] as the network takes them, by a method.
 *
 * Throws `not-found` for a class, layer or unit that is not there, `bad-input` for a batch that does not fit,
 * `unsupported` for an operator without a rule, `wrong-use` for what the method is not defined for, `aborted`.
 */
export async function explain(
  model: Model,
  method: Method,
  batch: Tensor,
  options: ExplainOptions = {},
): Promise<Explanation> {
  const { signal, onProgress } = options;
  const pullback = await pullbackOf(model, method, options);
  const result = await pullback.run(batch, targetOf(options), {
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  const map = method.finish(result.signal, batch);
  // The one output that `pullbackOf` asks for.
  const [logits] = result.outputs.values();
  return {
    method: method.name,
    form: method.form,
    map,
    target: result.target ?? [],
    position: result.position,
    score: Array.from(result.score?.data ?? []),
    logits,
    plan: result.plan,
    notes: [...result.notes, ...notesOnSilence(method, map)],
  };
}

/**
 * The forward and backward pass that `explain` runs, to look at what it is made of. Throws as `explain`; a network that
 * takes pictures of any size has no pass before one has been run.
 */
export async function pullbackOf(
  model: Model,
  method: Method,
  options: ExplainOptions = {},
): Promise<Pullback> {
  if (options.unit !== undefined && options.target !== undefined) {
    throw new UnitscopeError('wrong-use', 'either a class or a unit of a layer can be explained, not both');
  }
  const logits = options.unit === undefined ? findScore(model.graph)?.logits : undefined;
  return model.pullback(objectiveOf(options), {
    composite: method.composite,
    ...(logits === undefined ? {} : { outputs: [logits] }),
  });
}

/** The time of every node of `explain`, see `Pullback.profile`. Throws as `explain`. */
export async function profileExplanation(
  model: Model,
  method: Method,
  batch: Tensor,
  options: ExplainOptions = {},
): Promise<PullbackProfile | undefined> {
  const pullback = await pullbackOf(model, method, options);
  const { signal } = options;
  return pullback.profile(batch, targetOf(options), signal === undefined ? {} : { signal });
}

/** A rectified signal can die before it reaches the picture; a reader must not take the flat map for an answer. */
function notesOnSilence({ name }: Method, { dims, data }: Tensor): string[] {
  const count = dims[0] ?? 0;
  const size = data.length / Math.max(count, 1);
  const silent = Array.from({ length: count }, (_, n) => n).filter((n) =>
    data.subarray(n * size, (n + 1) * size).every((value) => value === 0),
  );
  if (silent.length === 0) return [];
  const which = count === 1 ? 'the map' : `the map of picture ${silent.join(', ')}`;
  return [
    `${name}: ${which} is zero everywhere, since no signal reaches the input; try another method or an earlier layer`,
  ];
}

/** `explain` with the method chosen. */
export function explainBy(method: Method) {
  return (model: Model, batch: Tensor, options?: ExplainOptions): Promise<Explanation> =>
    explain(model, method, batch, options);
}

function objectiveOf({ unit, score = 'logit' }: ExplainOptions): PullbackObjective {
  if (unit === undefined) return { kind: 'class', score };
  const { layer, position = 'max' } = unit;
  return { kind: 'unit', layer, position: typeof position === 'string' ? position : 'given' };
}

function targetOf({ unit, target = 'top1' }: ExplainOptions): OneTarget | readonly OneTarget[] {
  if (unit === undefined) return target;
  const { channel, position } = unit;
  return typeof position === 'object' ? { channel, position } : channel;
}
