import { type AdamStepOptions, adamStep, adamStepSync } from '../adam-step.js';
import { adamStepReference } from '../reference/adam-step.js';
import type { KernelCase } from './case.js';
import { firstBeyond, LENGTHS, makeParameters, type ParameterKind, REAL_LENGTH } from './optimizers.js';
import { placeAnywhere } from './placement.js';

type Step = Required<Omit<AdamStepOptions, 'backend' | 'threads'>>;

function caseOf(count: number, kind: ParameterKind, step: Step, purpose: KernelCase['purpose']): KernelCase {
  const { weightDecay, decoupled } = step;
  return {
    kernel: 'adamStep',
    name:
      `[${count}] step ${step.step} betas ${step.beta1} ${step.beta2} ` +
      `${decoupled ? 'decoupled ' : ''}weight decay ${weightDecay} ${kind}`,
    purpose,
    prepare: () => {
      const gradient = makeParameters(kind, count, 1);
      const weights = makeParameters(kind, count, 2);
      const mean = makeParameters(kind, count, 3);
      const square = makeParameters(kind, count, 4).map((value) => value * value);
      const before = { weights: weights.slice(), mean: mean.slice(), square: square.slice() };
      return {
        bytes: count * 4 * 7,
        ...placeAnywhere((at) => {
          const arrays = {
            gradient: at.array(gradient),
            weights: at.array(weights),
            mean: at.array(mean),
            square: at.array(square),
          };
          return {
            run: async (options) => (await adamStep(arrays, { ...options, ...step })).backend,
            runSync: (options) => adamStepSync(arrays, { ...options, ...step }).backend,
          };
        }),
        compare: () => {
          const expected = adamStepReference({
            ...step,
            ...before,
            count,
            gradient,
            decoupled: decoupled ? 1 : 0,
          });
          const difference =
            firstBeyond('mean', mean, expected.mean, expected.meanBound) ??
            firstBeyond('square', square, expected.square, expected.squareBound) ??
            firstBeyond('weights', weights, expected.weights, expected.weightsBound);
          // A step changes what it starts from: the next one is to start from the same.
          weights.set(before.weights);
          mean.set(before.mean);
          square.set(before.square);
          return difference;
        },
      };
    },
  };
}

const plain: Step = {
  step: 3,
  learningRate: 0.001,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  decoupled: false,
};
const STEPS: readonly Step[] = [
  plain,
  { ...plain, weightDecay: 0.01 },
  { ...plain, weightDecay: 0.01, decoupled: true },
  { ...plain, step: 1, learningRate: 0.5, beta1: 0, beta2: 0.5 },
  { ...plain, step: 1_000_000, learningRate: -0.01, epsilon: 0.1 },
];

export const adamStepCases: readonly KernelCase[] = [
  ...LENGTHS.flatMap((count) => STEPS.map((step) => caseOf(count, 'normal', step, 'conformance'))),
  ...(['small', 'zeros', 'nan'] as const).flatMap((kind) =>
    STEPS.map((step) => caseOf(100, kind, step, 'conformance')),
  ),
  caseOf(REAL_LENGTH, 'normal', plain, 'benchmark'),
  caseOf(REAL_LENGTH, 'normal', { ...plain, weightDecay: 0.01, decoupled: true }, 'benchmark'),
];
