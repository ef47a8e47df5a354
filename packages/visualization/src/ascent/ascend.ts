import { gradient as gradientComposite, redirectedRelu } from '@unitscope/autodiff';
import type { Model, Pullback } from '@unitscope/model';
import { Random, type Tensor, throwIfAborted, UnitscopeError } from '@unitscope/tensor';
import type { CanvasSize } from './fourier.js';
import { InputPath } from './input-path.js';
import { type AscentObjective, describeObjective, linearObjective } from './objective.js';
import { type Parametrisation, parametrise, type Start } from './parametrisation.js';
import { checkScale, identityScale, type PictureScale, toPicture } from './picture-scale.js';
import { type AscentRecipe, recipeNamed } from './recipes.js';
import type { CanvasState, StepValue } from './step-value.js';

export interface AscentProgress {
  readonly step: number;
  readonly steps: number;
  /** Of each sample, before the step. */
  readonly objective: readonly number[];
}

export interface AscentFrame {
  /** Steps made. */
  readonly step: number;
  /** As of the result. */
  readonly picture: Tensor;
}

export interface AscendOptions extends Partial<Omit<AscentRecipe, 'start' | 'name' | 'paper'>> {
  /** The recipe that everything not given comes from; `simonyan` by default. */
  readonly recipe?: AscentRecipe;
  /**
   * A picture is [C, h, w] or one for each sample: of the canvas, in the network's units for `pixels`, in 0..1 for
   * `fourier`.
   */
  readonly start?: Start;
  /** How pictures become the network's input; as they are by default. */
  readonly scale?: PictureScale;
  /** Height and width of the input, for a network that leaves them open; those of the canvas by default. */
  readonly inputSize?: readonly [height: number, width: number];
  /** Of the noise and the transforms. Default 0. */
  readonly seed?: number;
  /** Steps between frames. */
  readonly frameEvery?: number;
  readonly onFrame?: (frame: AscentFrame) => void | Promise<void>;
  readonly onProgress?: (progress: AscentProgress) => void;
  /** Ends the ascent within one step. */
  readonly signal?: AbortSignal;
}

export interface Ascent {
  /** [N, C, h, w], in 0..1 with red first, of the size of the canvas. */
  readonly picture: Tensor;
  /** [N, C, H, W], what the network takes for it, without transforms. */
  readonly input: Tensor;
  /** The objective of every sample before every step, as the step saw it: under its transforms. */
  readonly curve: readonly (readonly number[])[];
  /** The objective of each sample of `input`. */
  readonly score: readonly number[];
  /** Steps made. */
  readonly steps: number;
  readonly record: AscentRecord;
  readonly notes: readonly string[];
}

/** Everything that made the result, for the record. */
export interface AscentRecord {
  readonly recipe: string;
  readonly paper: string;
  readonly objectives: readonly string[];
  readonly parametrisation: string;
  readonly start: string;
  readonly seed: number;
  readonly steps: number;
  readonly size: readonly [height: number, width: number];
  readonly inputSize: readonly [height: number, width: number];
  readonly optimiser: StepValue;
  readonly regularisers: readonly StepValue[];
  readonly transforms: readonly StepValue[];
  readonly redirectedSteps: number;
}

/**
 * Activation maximisation (Eq 5; Erhan et al. 2009, Simonyan et al. 2013): pictures that raise objectives, by gradient
 * ascent on the picture. Each sample of the batch has its own objective. Stops early, with a note, where every gradient
 * is exactly 0.
 *
 * Throws `not-found` for a layer, class or unit that is not there, `wrong-use` for options that exclude each other,
 * `unsupported` naming the step where objective or gradient is not finite, `aborted`.
 */
export async function ascend(
  model: Model,
  objectives: AscentObjective | readonly AscentObjective[],
  options: AscendOptions = {},
): Promise<Ascent> {
  const run = await prepare(model, isList(objectives) ? objectives : [objectives], options);
  const { plan, parametrisation, path, random, coefficients, state } = run;
  const { signal, onProgress, onFrame, frameEvery } = options;
  const runOptions = signal === undefined ? {} : { signal };
  const step = plan.optimiser.start(state.count);
  const curve: number[][] = Array.from({ length: state.count }, () => []);
  const notes: string[] = [];
  let made = 0;
  while (made < plan.steps) {
    throwIfAborted(signal);
    parametrisation.render();
    const data = path.forward(parametrisation.canvas, plan.transforms, random);
    const pullback = await run.pullback(made);
    const result = await pullback.run({ dims: run.inputDims, data }, coefficients, runOptions);
    const objective = Array.from(result.score?.data ?? []);
    for (const [sample, value] of objective.entries()) curve[sample]!.push(value);
    onProgress?.({ step: made, steps: plan.steps, objective });
    for (const [sample, value] of objective.entries()) requireFinite(sample, value, made, 'objective');
    path.backward(result.signal.data, parametrisation.canvasGradient);
    for (const regulariser of plan.regularisers) regulariser.penalise?.(state);
    const moving = movingSamples(state, made);
    if (moving === 0) {
      notes.push(`stopped before step ${made + 1}: the gradient is exactly 0; start from noise or a picture`);
      break;
    }
    parametrisation.pullBack();
    step(parametrisation.parameters, parametrisation.gradient);
    made++;
    for (const regulariser of plan.regularisers) regulariser.mend?.(state, made);
    if (frameEvery !== undefined && made % frameEvery === 0 && made < plan.steps) {
      await onFrame?.({ step: made, picture: run.picture() });
    }
  }
  throwIfAborted(signal);
  parametrisation.render();
  const input = { dims: run.inputDims, data: path.forward(parametrisation.canvas, [], random).slice() };
  const finished = await (await run.pullback(plan.steps)).run(input, coefficients, runOptions);
  const score = Array.from(finished.score?.data ?? []);
  for (const [sample, value] of score.entries()) requireFinite(sample, value, made, 'objective');
  const last = { step: made, picture: run.picture() };
  if (frameEvery !== undefined) await onFrame?.(last);
  onProgress?.({ step: plan.steps, steps: plan.steps, objective: score });
  return { picture: last.picture, input, curve, score, steps: made, record: run.record, notes };
}

async function prepare(model: Model, objectives: readonly AscentObjective[], options: AscendOptions) {
  const { recipe = recipeNamed('simonyan'), seed = 0 } = options;
  const plan: Omit<AscentRecipe, 'start'> & { readonly start: Start } = { ...recipe, ...defined(options) };
  if (!Number.isSafeInteger(plan.steps) || plan.steps < 1) {
    throw new UnitscopeError('wrong-use', `steps must be a positive integer, got ${plan.steps}`);
  }
  const { canvas, input, channels } = sizesOf(model, plan.size, options.inputSize);
  const scale = options.scale ?? identityScale(channels);
  checkScale(scale, channels);
  const mending = plan.regularisers.find(({ mend }) => mend !== undefined);
  if (plan.parametrisation !== 'pixels' && mending !== undefined) {
    throw new UnitscopeError(
      'wrong-use',
      `${mending.name} changes pixels; with the parametrisation ${plan.parametrisation} only penalties work`,
    );
  }
  const inputSize = [input.height, input.width] as const;
  const { layers, coefficients } = linearObjective(model, objectives, inputSize);
  const objective = { kind: 'linear', layers } as const;
  const pullback = await model.pullback(objective, { composite: gradientComposite });
  let redirected: Pullback | undefined;
  const random = new Random(seed);
  const count = objectives.length;
  const parametrisation = parametrise(plan.parametrisation, count, channels, canvas, plan.start, random);
  const state: CanvasState = {
    ...{ canvas: parametrisation.canvas, gradient: parametrisation.canvasGradient, count, channels },
    ...{ height: canvas.height, width: canvas.width, grey: parametrisation.grey },
  };
  const { redirectedSteps = 0 } = plan;
  return {
    ...{ plan, parametrisation, random, coefficients, state },
    path: new InputPath(parametrisation, { canvas, input }, count * channels, scale),
    inputDims: [count, channels, ...inputSize],
    async pullback(step: number): Promise<Pullback> {
      if (step >= redirectedSteps) return pullback;
      redirected ??= await model.pullback(objective, { composite: redirectedRelu });
      return redirected;
    },
    picture: () => pictureOf(parametrisation, [count, channels, canvas.height, canvas.width], scale),
    record: recordOf(plan, objectives, seed, canvas, inputSize),
  };
}

function recordOf(
  plan: Omit<AscentRecipe, 'start'> & { readonly start: Start },
  objectives: readonly AscentObjective[],
  seed: number,
  canvas: CanvasSize,
  inputSize: readonly [number, number],
): AscentRecord {
  const describeStep = ({ name, paper, options }: StepValue): StepValue => ({ name, paper, options });
  const { start } = plan;
  const deviation = start.kind === 'noise' && start.deviation !== undefined ? ` of ${start.deviation}` : '';
  return {
    ...{ recipe: plan.name, paper: plan.paper, objectives: objectives.map(describeObjective) },
    ...{ parametrisation: plan.parametrisation, start: `${start.kind}${deviation}`, seed, steps: plan.steps },
    ...{ size: [canvas.height, canvas.width], inputSize, optimiser: describeStep(plan.optimiser) },
    ...{ regularisers: plan.regularisers.map(describeStep), transforms: plan.transforms.map(describeStep) },
    redirectedSteps: plan.redirectedSteps ?? 0,
  };
}

/** The options that are given and belong to a recipe. */
function defined(options: AscendOptions) {
  const { parametrisation, start, steps, optimiser, regularisers, transforms, size, redirectedSteps } =
    options;
  return {
    ...(parametrisation === undefined ? {} : { parametrisation }),
    ...(start === undefined ? {} : { start }),
    ...(steps === undefined ? {} : { steps }),
    ...(optimiser === undefined ? {} : { optimiser }),
    ...(regularisers === undefined ? {} : { regularisers }),
    ...(transforms === undefined ? {} : { transforms }),
    ...(size === undefined ? {} : { size }),
    ...(redirectedSteps === undefined ? {} : { redirectedSteps }),
  };
}

function sizesOf(
  { input }: Model,
  size: readonly [number, number] | undefined,
  inputSize: readonly [number, number] | undefined,
): { readonly canvas: CanvasSize; readonly input: CanvasSize; readonly channels: number } {
  const dims = input.dims ?? [];
  const [, channels, height, width] = dims;
  const shown = dims.join(', ');
  if (dims.length !== 4 || typeof channels !== 'number') {
    throw new UnitscopeError('unsupported', `the network takes [${shown}]; pictures are [N, C, H, W]`);
  }
  const [canvasHeight, canvasWidth] = size ?? [];
  const sideOf = (dim: number | string | undefined, given: number | undefined) =>
    typeof dim === 'number' ? dim : given;
  const [inputHeight, inputWidth] = [
    sideOf(height, inputSize?.[0] ?? canvasHeight),
    sideOf(width, inputSize?.[1] ?? canvasWidth),
  ];
  if (inputHeight === undefined || inputWidth === undefined) {
    throw new UnitscopeError('wrong-use', `the network takes pictures of any size, [${shown}]; choose one`);
  }
  const canvas = { height: canvasHeight ?? inputHeight, width: canvasWidth ?? inputWidth };
  for (const side of [canvas.height, canvas.width, inputHeight, inputWidth]) {
    if (Number.isInteger(side) && side > 0) continue;
    throw new UnitscopeError('wrong-use', `a picture cannot have a side of ${side} pixels`);
  }
  return { canvas, input: { height: inputHeight, width: inputWidth }, channels };
}

function pictureOf({ space, canvas }: Parametrisation, dims: readonly number[], scale: PictureScale): Tensor {
  const shown = { dims: [...dims], data: canvas };
  return toPicture(shown, space === 'input' ? scale : identityScale(dims[1] ?? 3));
}

function requireFinite(sample: number, value: number, step: number, what: string): void {
  if (Number.isFinite(value)) return;
  throw new UnitscopeError(
    'unsupported',
    `at step ${step} the ${what} of sample ${sample} is ${value}; check the weights, or ascend at a lower rate`,
  );
}

/** Samples whose gradient is not 0 everywhere. Throws where one is not finite. */
function movingSamples({ gradient, count }: CanvasState, step: number): number {
  const length = gradient.length / count;
  let moving = 0;
  for (let sample = 0; sample < count; sample++) {
    // A sum that is finite has finite terms: their squares are not needed to tell.
    let sum = 0;
    for (let i = sample * length; i < (sample + 1) * length; i++) sum += Math.abs(gradient[i]!);
    requireFinite(sample, sum, step, 'size of the gradient');
    if (sum !== 0) moving++;
  }
  return moving;
}

function isList(
  objectives: AscentObjective | readonly AscentObjective[],
): objectives is readonly AscentObjective[] {
  return Array.isArray(objectives);
}
