import { unknownName } from '@unitscope/tensor';
import { adam, gradientAscent, normalisedAscent, type Optimiser } from './optimisers.js';
import type { ParametrisationName, Start } from './parametrisation.js';
import {
  clipSmallContribution,
  clipSmallNorm,
  decay,
  gaussianBlur,
  l2Penalty,
  type Regulariser,
} from './regularisers.js';
import { LUCID, SIMONYAN, YOSINSKI } from './step-value.js';
import { lucidTransforms, type Transform } from './transforms.js';

/** A published way to ascend, as the composable values it is made of. */
export interface AscentRecipe {
  readonly name: string;
  readonly paper: string;
  readonly parametrisation: ParametrisationName;
  readonly start: Exclude<Start, { readonly kind: 'picture' }>;
  readonly steps: number;
  readonly optimiser: Optimiser;
  readonly regularisers: readonly Regulariser[];
  readonly transforms: readonly Transform[];
  /** Height and width of the canvas; the network's by default. */
  readonly size?: readonly [height: number, width: number];
  /** Steps at the beginning in which a ReLU that lets nothing through passes the signal on all the same. */
  readonly redirectedSteps?: number;
}

/**
 * @param gain what 1 of a picture in 0..1 is in the network's units, since the papers' numbers are about pictures
 * @param rate of the optimiser, in place of the recipe's own
 */
export type RecipeMaker = (gain: number, rate?: number) => AscentRecipe;

/**
 * Eq 5: S_c(I) - lambda ||I||^2 from the zero image of a centred network. The paper states neither rate nor lambda: steps
 * have a length of one in a picture of 0..1, and lambda is 0.01 there.
 */
const simonyan: RecipeMaker = (gain, rate) => ({
  name: 'simonyan',
  paper: SIMONYAN,
  parametrisation: 'pixels',
  start: { kind: 'zero' },
  steps: 200,
  optimiser: normalisedAscent(rate ?? gain),
  regularisers: [l2Penalty(0.01 / gain ** 2)],
  transforms: [],
});

/**
 * The paper's four: decay, blur (deviation and steps between), percentiles of small norms and contributions. The rates
 * are our own, in grey levels: at the toolbox's default of 10 the pictures of a SqueezeNet hardly leave the noise.
 */
const YOSINSKI_PRESETS = [
  { rate: 3e3, decay: 0, blur: 0.5, every: 4, norm: 50, contribution: 0 },
  { rate: 3e4, decay: 0.3, blur: 0, every: 0, norm: 20, contribution: 0 },
  { rate: 3e3, decay: 0.0001, blur: 1, every: 4, norm: 0, contribution: 0 },
  { rate: 3e3, decay: 0, blur: 0.5, every: 4, norm: 0, contribution: 90 },
] as const;

const GREY_LEVELS = 255;

/** From noise of 10 grey levels, by a fixed rate. */
function yosinski(index: 0 | 1 | 2 | 3): RecipeMaker {
  const preset = YOSINSKI_PRESETS[index];
  return (gain, rate) => {
    const unit = gain / GREY_LEVELS;
    return {
      name: `yosinski-${index + 1}`,
      paper: YOSINSKI,
      parametrisation: 'pixels',
      start: { kind: 'noise', deviation: 10 * unit },
      steps: 300,
      optimiser: gradientAscent(rate ?? preset.rate * unit ** 2),
      regularisers: [
        ...(preset.decay > 0 ? [decay(preset.decay)] : []),
        ...(preset.blur > 0 ? [gaussianBlur(preset.blur, preset.every)] : []),
        ...(preset.norm > 0 ? [clipSmallNorm(preset.norm)] : []),
        ...(preset.contribution > 0 ? [clipSmallContribution(preset.contribution)] : []),
      ],
      transforms: [],
    };
  };
}

const lucid: RecipeMaker = (_gain, rate) => ({
  name: 'lucid',
  paper: LUCID,
  parametrisation: 'fourier',
  start: { kind: 'noise' },
  size: [128, 128],
  steps: 512,
  optimiser: adam(rate ?? 0.05),
  regularisers: [],
  transforms: lucidTransforms(),
  redirectedSteps: 16,
});

const RECIPES: ReadonlyMap<string, RecipeMaker> = new Map([
  ['simonyan', simonyan],
  ['yosinski-1', yosinski(0)],
  ['yosinski-2', yosinski(1)],
  ['yosinski-3', yosinski(2)],
  ['yosinski-4', yosinski(3)],
  ['lucid', lucid],
]);

/** The names `recipeNamed` knows. */
export const RECIPE_NAMES: readonly string[] = [...RECIPES.keys()];

/** The recipe of that name. Throws `wrong-use` with the names there are. */
export function recipeNamed(name: string, gain = 1, rate?: number): AscentRecipe {
  const maker = RECIPES.get(name);
  if (maker === undefined) throw unknownName('preset', name, RECIPE_NAMES, 'wrong-use');
  return maker(gain, rate);
}
