import { Random } from '@unitscope/tensor';
import { lasso, lassoSync } from '../lasso.js';
import { certifyLasso, lassoReference } from '../reference/lasso.js';
import { type KernelCase, unwritten } from './case.js';
import { placeAnywhere } from './placement.js';

type Kind = 'normal' | 'sparse' | 'ties' | 'constant' | 'nan';

interface Problem {
  readonly rows: number;
  readonly features: number;
  /** Of each problem, how many members it has. */
  readonly members: readonly number[];
  readonly lambda: number;
  readonly kind: Kind;
  readonly start: 'zero' | 'anywhere';
  readonly tolerance: number;
  readonly maxSweeps: number;
  readonly purpose: KernelCase['purpose'];
}

type Inputs = Parameters<typeof lassoReference>[0];

/** Features that share factors, as those of a layer do, and a response to a few of them. */
function makeInputs(problem: Problem): Inputs {
  const { rows, features, members, kind, tolerance, maxSweeps } = problem;
  const random = new Random(rows + features);
  const factors = 8;
  const loadings = Float64Array.from({ length: factors * features }, () => random.normal());
  const x = new Float32Array(rows * features);
  const y = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const own = Float64Array.from({ length: factors }, () => random.normal());
    for (let d = 0; d < features; d++) {
      const shared = own.reduce((sum, value, f) => sum + value * loadings[f * features + d]!, 0);
      const value = shared / Math.sqrt(factors) + 0.5 * random.normal();
      x[row * features + d] =
        kind === 'sparse' ? Math.max(0, value - 0.7) : kind === 'ties' ? Math.round(value) : value;
      if (d % 16 < 3) y[row] = y[row]! + x[row * features + d]! * ((d % 16) - 1.5);
    }
    y[row] = kind === 'constant' ? 0.1 : y[row]! + 0.3 * random.normal();
  }
  if (kind === 'nan') x[random.integer(0, x.length - 1)] = Number.NaN;
  const count = members.length;
  const offsets = new Int32Array(count + 1);
  members.forEach((size, b) => {
    offsets[b + 1] = offsets[b]! + size;
  });
  const total = offsets[count]!;
  return {
    rows,
    features,
    problems: count,
    members: total,
    tolerance,
    maxSweeps,
    x,
    y,
    // The second problem of a few does not see every third feature.
    scale: Float32Array.from({ length: count * features }, (_, i) =>
      i % 3 === 0 && Math.floor(i / features) % 4 === 1 ? 0 : random.normal(),
    ),
    offsets,
    member: Int32Array.from({ length: total }, () => random.integer(0, rows - 1)),
    lambda: new Float64Array(count).fill(problem.lambda),
    coefficients: Float64Array.from({ length: count * features }, () =>
      problem.start === 'zero' ? 0 : random.normal(),
    ),
    intercept: Float64Array.from(unwritten.floats(count)),
    sweeps: new Int32Array(count).fill(-1),
    gap: Float64Array.from(unwritten.floats(count)),
  };
}

/** `started` holds the coefficients that the descent began with. */
function compareWithDefinition(
  inputs: Inputs,
  started: Float64Array,
  purpose: KernelCase['purpose'],
): string | undefined {
  const { features, problems, coefficients, intercept, sweeps, gap, tolerance, maxSweeps, lambda } = inputs;
  // Of the size of real networks the certificate alone has to do.
  const reference =
    purpose === 'conformance'
      ? lassoReference({ ...inputs, coefficients: started, tolerance: 1e-12, maxSweeps: 3000 })
      : undefined;
  for (let b = 0; b < problems; b++) {
    const alpha = coefficients.subarray(b * features, (b + 1) * features);
    const values = [...alpha, intercept[b]!, gap[b]!];
    if (reference !== undefined && Number.isNaN(reference.gap[b])) {
      if (!values.every(Number.isNaN) || sweeps[b] !== 0)
        return `problem ${b} is not NaN, as the reference is`;
      continue;
    }
    if (!values.every(Number.isFinite)) return `problem ${b} has numbers that are not finite`;
    const found = certifyLasso(inputs, b, alpha, intercept[b]!);
    if (!(Math.abs(found.mean) <= found.meanBound))
      return `intercept[${b}] is off by ${found.mean}, rounding allows ${found.meanBound}`;
    if (found.variation === 0) {
      if (alpha.some((value) => value !== 0) || gap[b] !== 0)
        return `problem ${b} explains what does not vary`;
      continue;
    }
    if (!(Math.abs(gap[b]! - found.gap) <= found.gapBound))
      return `gap[${b}] is ${gap[b]}, by definition ${found.gap}, rounding allows ${found.gapBound}`;
    const isSolved = gap[b]! <= tolerance;
    if (!isSolved && sweeps[b] !== maxSweeps)
      return `problem ${b} ended at gap ${gap[b]} after ${sweeps[b]} sweeps`;
    if (reference === undefined || lambda[b] === 0) continue;
    // The objective is a square of the fit and more, so gaps bound how far the fit is from the only optimal one.
    const expected = reference.coefficients.subarray(b * features, (b + 1) * features);
    const other = certifyLasso(inputs, b, expected, reference.intercept[b]!);
    const distance = Math.hypot(...found.fit.map((value, i) => value - other.fit[i]!));
    const gaps = Math.sqrt(found.gap + found.gapBound) + Math.sqrt(other.gap + other.gapBound);
    const bound = Math.sqrt(found.variation) * gaps;
    if (!(distance <= bound))
      return `the fit of problem ${b} is ${distance} from the reference's, not ${bound}`;
  }
  return undefined;
}

function caseOf(problem: Problem): KernelCase {
  const { rows, features, members, lambda, kind, start, tolerance, maxSweeps, purpose } = problem;
  const sizes =
    members.length > 4
      ? `${members.length} of ${members[0]} to ${members.at(-1)}`
      : `of ${members.join(', ')}`;
  return {
    kernel: 'lasso',
    name: `[${rows}, ${features}] ${sizes} members, lambda ${lambda} ${kind} from ${start}, ${tolerance} or ${maxSweeps} sweeps`,
    purpose,
    prepare: () => {
      const inputs = makeInputs(problem);
      const started = inputs.coefficients.slice();
      const dims = [members.length, features];
      const options = { tolerance, maxSweeps };
      return {
        bytes:
          inputs.x.byteLength +
          inputs.y.byteLength +
          inputs.scale.byteLength +
          inputs.member.byteLength +
          2 * inputs.coefficients.byteLength,
        ...placeAnywhere(
          (at) => {
            const x = at.tensor({ dims: [rows, features], data: inputs.x });
            const y = at.tensor({ dims: [rows], data: inputs.y });
            const problems = {
              scale: at.tensor({ dims, data: inputs.scale }),
              offsets: at.array(inputs.offsets),
              member: at.array(inputs.member),
              lambda: at.array(inputs.lambda),
            };
            const into = {
              coefficients: at.tensor({ dims, data: inputs.coefficients }),
              intercept: at.array(inputs.intercept),
              sweeps: at.array(inputs.sweeps),
              gap: at.array(inputs.gap),
            };
            return {
              run: async (given) => (await lasso(x, y, problems, { ...given, ...options, into })).backend,
              runSync: (given) => lassoSync(x, y, problems, { ...given, ...options, into }).backend,
            };
          },
          // A descent changes what it starts from.
          () => inputs.coefficients.set(started),
        ),
        compare: () => compareWithDefinition(inputs, started, purpose),
      };
    },
  };
}

const small: Omit<Problem, 'lambda' | 'kind'> = {
  rows: 40,
  features: 9,
  members: [1, 2, 7, 33],
  start: 'zero',
  tolerance: 1e-8,
  maxSweeps: 2000,
  purpose: 'conformance',
};

const AWKWARD: readonly Partial<Problem>[] = [
  { members: [] },
  { features: 0 },
  { features: 1 },
  { features: 5, members: [8, 9, 16, 17] },
  { rows: 1, members: [1, 3] },
  { features: 30, members: [20, 60] },
  { features: 20, members: [5, 12], start: 'anywhere' },
  { tolerance: 1e-2 },
  { maxSweeps: 3, start: 'anywhere' },
  { maxSweeps: 13 },
];

/** 64 problems of 2 to 500 members. */
const SIZES = Array.from({ length: 64 }, (_, b) => 2 + Math.round((498 * b) / 63));

const real = {
  rows: 1000,
  features: 512,
  members: SIZES,
  kind: 'sparse',
  start: 'zero',
  tolerance: 1e-6,
  maxSweeps: 1000,
  purpose: 'benchmark',
} as const;

export const lassoCases: readonly KernelCase[] = [
  ...(['normal', 'sparse', 'ties', 'constant', 'nan'] as const).flatMap((kind) =>
    [0, 0.01, 0.1, 1, 1000].map((lambda) =>
      caseOf({ ...small, kind, lambda, start: lambda === 0.1 ? 'anywhere' : 'zero' }),
    ),
  ),
  ...AWKWARD.map((awkward) => caseOf({ ...small, kind: 'normal', lambda: 0.05, ...awkward })),
  caseOf({ ...real, lambda: 0.1 }),
];
