import type { PlannedRule } from '@unitscope/autodiff';
import type { Model, Pullback, PullbackProfile } from '@unitscope/model';
import { type Tensor, UnitscopeError } from '@unitscope/tensor';
import type { Completeness, MapForm, Method, MethodParameters } from './method.js';
import { type ExplainOptions, Passes, pullbackFor, requireOneSubject, targetOf } from './passes.js';

export interface Explanation {
  readonly method: string;
  /** What the method was made with; empty for one without parameters. */
  readonly parameters: MethodParameters;
  readonly form: MapForm;
  /** [N, C, H, W] of the dims of the picture, or [N, 1, H, W]. */
  readonly map: Tensor;
  /** The class or channel explained in each sample. */
  readonly target: readonly number[];
  /** Row and column of the unit explained in each sample; absent for classes and means. */
  readonly position: readonly (readonly [number, number])[] | undefined;
  /** The scalar that was explained in each sample: a class score or an activation. */
  readonly score: readonly number[];
  /** The class scores of each sample before the softmax, [N, K]; absent for units. */
  readonly logits: Tensor | undefined;
  /** How far each sample's map is from summing up to its score; only of methods whose maps are to. */
  readonly completeness?: readonly Completeness[];
  /** Which rule every operator got in the first backward pass; empty where there was none. */
  readonly plan: readonly PlannedRule[];
  /** What a reader of the map should know. */
  readonly notes: readonly string[];
}

/**
 * Explains a batch of pictures, [N, C, H, W] as the network takes them, by a method.
 *
 * Throws `not-found` for a class, layer or unit that is not there, `bad-input` for a batch that does not fit,
 * `unsupported` for an operator without a rule and for a network the method cannot explain, `wrong-use` for what the
 * method is not defined for, `aborted`.
 */
export async function explain(
  model: Model,
  method: Method,
  batch: Tensor,
  options: ExplainOptions = {},
): Promise<Explanation> {
  requireOneSubject(options);
  const passes = new Passes(model, batch.dims[0] ?? 0, options);
  const { map, completeness, notes = [] } = await method.attribute(passes, batch);
  const { target, position, score, logits } = passes.explained;
  return {
    method: method.name,
    parameters: method.parameters ?? {},
    form: method.form,
    map,
    target,
    position,
    score,
    logits,
    ...(completeness === undefined ? {} : { completeness }),
    plan: passes.plan,
    notes: [
      ...passes.notes,
      ...notesOnRules(method, passes.plan, passes.subject.unit !== undefined),
      ...notes,
      ...notesOnSilence(method, map),
    ],
  };
}

/**
 * The first forward and backward pass that `explain` runs, to look at what it is made of. Throws as `explain`, and
 * `wrong-use` for a method of forward passes alone; a network that takes pictures of any size has no pass before one
 * has been run.
 */
export async function pullbackOf(
  model: Model,
  method: Method,
  options: ExplainOptions = {},
): Promise<Pullback> {
  if (method.forwardOnly === true) {
    throw new UnitscopeError('wrong-use', `${method.name} has no backward pass; it runs the network forward`);
  }
  const pass = method.firstPass?.(model, options) ?? { composite: method.composite };
  return pullbackFor(model, pass, options);
}

/** The time of every node of `pullbackOf`, see `Pullback.profile`. Throws as `pullbackOf`. */
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

/** A method whose rules the network gives nothing to do is the gradient under another name. */
export function notesOnRules(
  { name, composite, forwardOnly }: Method,
  plan: readonly PlannedRule[],
  isUnit: boolean,
): string[] {
  const own = new Set(composite.assignments.map(({ rule }) => rule.name));
  if (forwardOnly === true || own.size === 0 || plan.some(({ rule }) => own.has(rule))) return [];
  const kind = isUnit ? 'unit' : 'class';
  const factor = { class: ' times the score', unit: " times the unit's activation" }[kind];
  return [
    `${name}: the network has no ReLU, nor anything else the method treats in a way of its own, so the map is the gradient${composite.start?.[kind] === 'activation' ? factor : ''}`,
  ];
}

/** A rectified signal can die before it reaches the picture; a reader must not take the flat map for an answer. */
function notesOnSilence({ name, silence }: Method, { dims, data }: Tensor): string[] {
  const count = dims[0] ?? 0;
  const size = data.length / Math.max(count, 1);
  const silent = Array.from({ length: count }, (_, n) => n).filter((n) =>
    data.subarray(n * size, (n + 1) * size).every((value) => value === 0),
  );
  if (silent.length === 0) return [];
  const which = count === 1 ? 'the map' : `the map of picture ${silent.join(', ')}`;
  const why = silence ?? 'no signal reaches the input';
  return [`${name}: ${which} is zero everywhere, since ${why}; try another method or an earlier layer`];
}

/** `explain` with the method chosen. */
export function explainBy(method: Method) {
  return (model: Model, batch: Tensor, options?: ExplainOptions): Promise<Explanation> =>
    explain(model, method, batch, options);
}
