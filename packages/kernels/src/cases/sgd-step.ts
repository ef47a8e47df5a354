import { sgdStepReference } from '../reference/sgd-step.js';
import { type SgdStepOptions, sgdStep, sgdStepSync } from '../sgd-step.js';
import type { KernelCase } from './case.js';
import { firstBeyond, LENGTHS, makeParameters, type ParameterKind, REAL_LENGTH } from './optimizers.js';
import { placeAnywhere } from './placement.js';

type Step = Required<Pick<SgdStepOptions, 'learningRate' | 'momentum' | 'weightDecay' | 'nesterov'>>;

function caseOf(count: number, kind: ParameterKind, step: Step, purpose: KernelCase['purpose']): KernelCase {
  const { momentum, weightDecay, nesterov } = step;
  return {
    kernel: 'sgdStep',
    name: `[${count}] momentum ${momentum}${nesterov ? ' Nesterov' : ''} weight decay ${weightDecay} ${kind}`,
    purpose,
    prepare: () => {
      const gradient = makeParameters(kind, count, 1);
      const weights = makeParameters(kind, count, 2);
      const velocity = makeParameters(kind, count, 3);
      const before = { weights: weights.slice(), velocity: velocity.slice() };
      return {
        bytes: count * 4 * (momentum === 0 ? 3 : 5),
        ...placeAnywhere((at) => {
          const arrays = {
            gradient: at.array(gradient),
            weights: at.array(weights),
            velocity: at.array(velocity),
          };
          return {
            run: async (options) => (await sgdStep(arrays, { ...options, ...step })).backend,
            runSync: (options) => sgdStepSync(arrays, { ...options, ...step }).backend,
          };
        }),
        compare: () => {
          const expected = sgdStepReference({
            ...step,
            ...before,
            count,
            gradient,
            nesterov: nesterov ? 1 : 0,
          });
          const difference =
            firstBeyond('weights', weights, expected.weights, expected.weightsBound) ??
            (momentum === 0
              ? undefined
              : firstBeyond('velocity', velocity, expected.velocity, expected.velocityBound));
          // A step changes what it starts from: the next one is to start from the same.
          weights.set(before.weights);
          velocity.set(before.velocity);
          return difference;
        },
      };
    },
  };
}

const plain: Step = { learningRate: 0.1, momentum: 0, weightDecay: 0, nesterov: false };
const STEPS: readonly Step[] = [
  plain,
  { ...plain, weightDecay: 0.01 },
  { ...plain, momentum: 0.9 },
  { ...plain, momentum: 0.9, weightDecay: 0.01 },
  { ...plain, momentum: 0.5, nesterov: true },
  { ...plain, learningRate: -0.3, momentum: 0.9, weightDecay: 0.5, nesterov: true },
];

export const sgdStepCases: readonly KernelCase[] = [
  ...LENGTHS.flatMap((count) => STEPS.map((step) => caseOf(count, 'normal', step, 'conformance'))),
  ...(['small', 'zeros', 'nan'] as const).flatMap((kind) =>
    STEPS.map((step) => caseOf(100, kind, step, 'conformance')),
  ),
  caseOf(REAL_LENGTH, 'normal', plain, 'benchmark'),
  caseOf(REAL_LENGTH, 'normal', { ...plain, momentum: 0.9, weightDecay: 1e-4 }, 'benchmark'),
];
