import type { Composite } from '@unitscope/autodiff';
import type { Model } from '@unitscope/model';
import type { Tensor } from '@unitscope/tensor';
import type { BackwardPass, Passes, Subject } from './passes.js';

/** How a map wants to be looked at: signed values around zero, or magnitudes from zero up. */
export type MapForm = 'signed' | 'magnitude';

/** How far the sum of a map is from the score it is to account for. */
export interface Completeness {
  /** Of all values of the map. */
  readonly sum: number;
  /** S(x). */
  readonly score: number;
  /** S(baseline). */
  readonly baselineScore: number;
  /** sum - (S(x) - S(baseline)). */
  readonly difference: number;
}

/** What a method makes of the passes. */
export interface Attribution {
  /** [N, C, H, W] of the dims of the picture, or [N, 1, H, W]. */
  readonly map: Tensor;
  /** Of each sample; only of methods whose maps are to sum up to a score. */
  readonly completeness?: readonly Completeness[];
  /** What a reader of the map should know. */
  readonly notes?: readonly string[];
}

/** The parameters of a method, for the record of a result. */
export type MethodParameters = Readonly<Record<string, string | number | boolean | readonly number[]>>;

/** A way to explain: what it makes of the passes of pictures through a network. */
export interface Method {
  readonly name: string;
  /** One line for a reader who meets the name for the first time. */
  readonly summary: string;
  readonly form: MapForm;
  /** The rules of its first backward pass; of a method of forward passes alone they say nothing. */
  readonly composite: Composite;
  readonly parameters?: MethodParameters;
  /** Whether it runs no backward pass. */
  readonly forwardOnly?: boolean;
  /** Where its first backward pass ends and what it gives out; by default the network's input, and nothing. */
  readonly firstPass?: (model: Model, subject: Subject) => BackwardPass;
  /** Why a map may be zero everywhere; by default, that no signal reached the input. */
  readonly silence?: string;
  /** The map of a batch [N, C, H, W], one picture for each of the samples that `passes` explains. */
  readonly attribute: (passes: Passes, batch: Tensor) => Promise<Attribution>;
}

/** A method of one backward pass to the input. */
export interface OnePassMethod extends Method {
  /** From the signal at the input, [N, C, H, W], and the input itself to the map. */
  readonly finish: (signal: Tensor, input: Tensor) => Tensor;
}

/** The method that runs `composite` once and makes its map of the signal at the input; the signal itself by default. */
export function onePass(
  parts: Omit<OnePassMethod, 'attribute' | 'finish' | 'firstPass' | 'forwardOnly'> &
    Partial<Pick<OnePassMethod, 'finish'>>,
): OnePassMethod {
  const { composite, finish = (signal: Tensor) => signal } = parts;
  return {
    ...parts,
    finish,
    attribute: async (passes, batch) => {
      const { signal } = await passes.run(batch, { composite });
      return { map: finish(signal, batch) };
    },
  };
}
