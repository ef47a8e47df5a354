import type { LossKind } from '@unitscope/autodiff';
import type { Engine, LoweringName } from '@unitscope/model';
import { UnitscopeError } from '@unitscope/tensor';
import type { Optimizer } from './optimizer.js';
import type { Schedule } from './schedule.js';
import type { TrainingTerm } from './term.js';

/** Factors of the learning rate and weight decay for the parameters whose names match; the first that matches counts. */
export interface ParameterFactors {
  /** A name, or a pattern in which * stands for anything. */
  readonly parameters: string;
  /** 1 by default. */
  readonly rate?: number;
  /** 1 by default. */
  readonly decay?: number;
}

export interface TrainerOptions {
  /** `softmax` by default; see `Loss` of @unitscope/autodiff. */
  readonly loss?: LossKind;
  /** The value with the scores [N, K]; what enters the softmax at the network's end, or its output, by default. */
  readonly scores?: string;
  /** Initializers to train, by name or by pattern with *; every weight, bias and scale the scores depend on by default. */
  readonly parameters?: readonly string[];
  readonly optimizer?: Optimizer;
  readonly learningRate: number | Schedule;
  readonly factors?: readonly ParameterFactors[];
  /** How batch normalizations with trained parameters normalize while training; by the `batch` by default. */
  readonly batchNormalization?: 'batch' | 'frozen';
  /** Whether Dropout drops; it does by default. */
  readonly dropout?: boolean;
  readonly terms?: readonly TrainingTerm[];
  /** Of the dropout masks. 0 by default. */
  readonly seed?: number;
  /** Height and width of the input, where the file leaves them open. */
  readonly size?: readonly [height: number, width: number];
  /** What runs it: an engine of the caller's own, or a name (`auto` by default; see `engineNames` of @unitscope/model). */
  readonly engine?: string | Engine;
  /** What the backward pass is made of; `auto` by default. */
  readonly lowering?: LoweringName | 'auto';
  readonly threads?: number;
}

/** Whether a name matches a pattern in which * stands for anything. */
export function matches(pattern: string, name: string): boolean {
  if (!pattern.includes('*')) return pattern === name;
  const parts = pattern.split('*');
  const [first = '', last = ''] = [parts[0], parts.at(-1)];
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length)
    return false;
  let from = first.length;
  for (const part of parts.slice(1, -1)) {
    const at = name.indexOf(part, from);
    if (at < 0 || at + part.length > name.length - last.length) return false;
    from = at + part.length;
  }
  return true;
}

/** The factors of one parameter. Throws `wrong-use` for factors that are negative or no numbers. */
export function factorsOf(
  name: string,
  factors: readonly ParameterFactors[],
): { readonly rate: number; readonly decay: number } {
  const found = factors.find(({ parameters }) => matches(parameters, name));
  const { rate = 1, decay = 1 } = found ?? {};
  for (const factor of [rate, decay]) {
    if (!(factor >= 0 && Number.isFinite(factor))) {
      throw new UnitscopeError('wrong-use', `the factor of ${name} must be 0 or more, it is ${factor}`, {
        subject: name,
      });
    }
  }
  return { rate, decay };
}
