import { unknownName } from '@unitscope/tensor';

/**
 * What the ReLU that made x lets through of a signal R at x:
 *
 * - `none` R, the signal at x itself
 * - `gradient` R [x > 0], backpropagation (Simonyan et al., arXiv:1312.6034)
 * - `guided` max(R, 0) [x > 0], guided backpropagation (Springenberg et al., arXiv:1412.6806)
 * - `deconvnet` max(R, 0) (Zeiler and Fergus, arXiv:1311.2901)
 *
 * What is not let through is 0, whatever R is; a NaN in x is not larger than 0; a NaN in R stays NaN under max.
 */
export type SignalRule = 'none' | 'gradient' | 'guided' | 'deconvnet';

const NUMBERS = { none: 0, gradient: 1, guided: 2, deconvnet: 3 } as const satisfies Record<
  SignalRule,
  number
>;

/** The addon's number of the rule. Throws `wrong-use` unless it is one of `allowed`. */
export function signalRuleNumber(rule: SignalRule, allowed: readonly SignalRule[]): number {
  if (!allowed.includes(rule)) throw unknownName('signal rule', String(rule), allowed, 'wrong-use');
  return NUMBERS[rule];
}
