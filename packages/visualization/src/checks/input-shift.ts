import { findScore } from '@unitscope/autodiff';
import type { Model } from '@unitscope/model';
import { Random, sizeOf, type Tensor, throwIfAborted, UnitscopeError, zeros } from '@unitscope/tensor';
import { type Baseline, baselinePicture } from '../methods/baseline.js';
import { type Explanation, explain } from '../methods/explain.js';
import type { MethodParameters } from '../methods/method.js';
import type { CheckOptions } from './options.js';
import { rangeOf, type ShiftCase, sum } from './shift-cases.js';
import { compensateShift } from './shift-network.js';

/** A shift of the input, in its units. */
export interface InputShift {
  readonly name: string;
  readonly shift: Baseline;
}

/** A map of the network as it is (`shift` undefined), or of the shifted one and shifted pictures. */
export interface ShiftedMap {
  readonly shift: string | undefined;
  /** The name of the case. */
  readonly name: string;
  readonly explanation: Explanation;
}

export interface InputShiftOptions extends CheckOptions {
  /** `standardShifts` by default. */
  readonly shifts?: readonly InputShift[];
  /** What a map may differ by, see `deviation`; 1e-4 by default, for networks in float32. */
  readonly tolerance?: number;
  /** What the scores of the two networks may differ by, as a part of the largest; 1e-4 by default. */
  readonly scoreTolerance?: number;
  readonly onMap?: (map: ShiftedMap) => void;
}

/** Of the largest value; sixteen times what rounding changes. */
const LAST_PLACES = 2 ** -19;
const MARGIN = 10;
/** A method that turns over at nothing cannot be judged by less. */
const MOST_ALLOWED = 0.1;

/** What a shift does to a method's maps. */
export interface ShiftDeviation {
  readonly shift: string;
  /** max |M2 - M1| / max |M1| of each picture; infinite where M1 is zero everywhere and M2 is not. */
  readonly deviations: readonly number[];
  /** |M2 - M1| / |M1|, in the L2 norm, of each picture. */
  readonly relativeL2: readonly number[];
  readonly invariant: boolean;
}

export interface ShiftVerdict {
  /** Of the case. */
  readonly name: string;
  readonly method: string;
  readonly parameters: MethodParameters;
  readonly shifts: readonly ShiftDeviation[];
  /** The largest deviation, as of a shift, that a change of the pictures in their last places alone brings about. */
  readonly rounding: number;
  /** What a map was allowed to differ by, see `checkInputShift`. */
  readonly allowed: number;
  /** Whether no shift changes a map of any picture by more. */
  readonly invariant: boolean;
  readonly notes: readonly string[];
}

export interface InputShiftReport {
  readonly tolerance: number;
  /** The class explained in each picture. */
  readonly target: readonly number[];
  readonly shifts: readonly {
    readonly name: string;
    /** The largest |value| of the shift. */
    readonly largest: number;
    /** max |f2(x + shift) - f(x)| over the scores and pictures, as a part of max |f(x)|. */
    readonly scoreDifference: number;
  }[];
  readonly verdicts: readonly ShiftVerdict[];
}

/**
 * Input-shift invariance (Kindermans et al. 2017, arXiv:1711.00867): pictures are shifted, the network's first bias
 * makes up for it (`compensateShift`), so that both networks compute the same and have the same weights; a method that
 * explains the network gives equal maps. That the scores are equal is verified before anything is explained.
 *
 * A method is invariant if max |M2 - M1| <= allowed * max |M1| for every shift and picture. Sums of other numbers are
 * rounded otherwise, and a ReLU or a maximum that is undecided in the last place turns over, which in a deep network
 * changes a map by more than any rounding. How much is measured: pictures and baselines change by two millionths of the
 * largest value, and `allowed` is ten times what that does to the method's maps, at least the tolerance, at most 0.1.
 *
 * Throws `unsupported` as `compensateShift`, and where the scores of the two networks differ; else as `explain`.
 */
export async function checkInputShift(
  model: Model,
  batch: Tensor,
  cases: readonly ShiftCase[],
  options: InputShiftOptions = {},
): Promise<InputShiftReport> {
  const { tolerance = 1e-4, scoreTolerance = 1e-4, shifts = standardShifts(batch), signal } = options;
  const { onMap, onProgress } = options;
  if (cases.length === 0) throw new UnitscopeError('wrong-use', 'no method is checked; name at least one');
  const total = cases.length * (shifts.length + 2);
  let done = 0;
  const subject = { ...(options.score === undefined ? {} : { score: options.score }) };
  const advance = () => onProgress?.({ done: ++done, total });
  const made = (shift: string | undefined, name: string, explanation: Explanation) => {
    onMap?.({ shift, name, explanation });
    advance();
  };
  const control = signal === undefined ? {} : { signal };
  onProgress?.({ done, total });

  const originals: Explanation[] = [];
  let target = options.target;
  for (const { name, method } of cases) {
    const explanation = await explain(model, method, batch, {
      ...subject,
      ...control,
      ...(target === undefined ? {} : { target }),
    });
    // Every method explains the same classes of the same pictures, in both networks.
    target = explanation.target;
    originals.push(explanation);
    made(undefined, name, explanation);
  }
  const largest = Math.max(
    largestOf(batch.data),
    ...shifts.map(({ shift }) => largestOf(baselinePicture(shift, batch).data)),
  );
  const noise = lastPlaces([1, ...batch.dims.slice(1)], largest);
  const nudged = sum(batch, noise);
  const allowances: { rounding: number; allowed: number }[] = [];
  for (const [i, { shifted }] of cases.entries()) {
    // A baseline that is shifted along changes in its last places too: on a plain picture every maximum is undecided.
    const { map } = await explain(model, shifted(noise), nudged, {
      ...subject,
      ...control,
      ...(target === undefined ? {} : { target }),
    });
    const rounding = Math.max(...differencesOf(map, originals[i]!.map).map(({ deviation }) => deviation));
    const allowed = Math.max(tolerance, Math.min(MARGIN * rounding, MOST_ALLOWED));
    allowances.push({ rounding, allowed });
    advance();
  }
  const scores = await scoresOf(model, batch, signal);
  const deviations: ShiftDeviation[][] = cases.map(() => []);
  const records: InputShiftReport['shifts'][number][] = [];
  for (const { name: shiftName, shift: given } of shifts) {
    throwIfAborted(signal);
    const shift = baselinePicture(given, batch);
    const shifted = await model.loadVariant(await compensateShift(model, shift, control));
    try {
      const moved = sum(batch, shift);
      const scoreDifference = largestDifference(await scoresOf(shifted, moved, signal), scores);
      records.push({ name: shiftName, largest: largestOf(shift.data), scoreDifference });
      if (!(scoreDifference <= scoreTolerance)) {
        throw new UnitscopeError(
          'unsupported',
          `the scores differ by ${scoreDifference.toExponential(1)} after the shift "${shiftName}", which was to leave them alone; take a smaller shift`,
          { subject: shiftName },
        );
      }
      for (const [i, { name, shifted: methodFor }] of cases.entries()) {
        const explanation = await explain(shifted, methodFor(shift), moved, {
          ...subject,
          ...control,
          ...(target === undefined ? {} : { target }),
        });
        deviations[i]!.push(
          deviationOf(shiftName, explanation.map, originals[i]!.map, allowances[i]!.allowed),
        );
        made(shiftName, name, explanation);
      }
    } finally {
      await shifted.close();
    }
  }
  return {
    tolerance,
    target: originals[0]!.target,
    shifts: records,
    verdicts: cases.map(({ name, method }, i) => ({
      name,
      method: method.name,
      parameters: method.parameters ?? {},
      shifts: deviations[i]!,
      ...allowances[i]!,
      invariant: deviations[i]!.every(({ invariant }) => invariant),
      notes: originals[i]!.notes,
    })),
  };
}

/** Radius of the disc, as a part of the shorter side. */
const DISC = 0.3;

/**
 * The shifts of the paper: the whole range of the pictures' values down, everywhere, and by a picture: a disc in the
 * middle, as much up.
 *
 * @param batch [N, C, H, W]; of other dims the constant shift alone
 */
export function standardShifts({ dims, data }: Tensor): readonly InputShift[] {
  const range = rangeOf(data);
  const constant = { name: 'constant', shift: -range };
  const [, channels = 0, height = 0, width = 0] = dims;
  if (dims.length !== 4) return [constant];
  const picture = new Float32Array(channels * height * width);
  const radius = DISC * Math.min(height, width);
  for (let i = 0; i < picture.length; i++) {
    const [row, column] = [Math.floor(i / width) % height, i % width];
    const distance = Math.hypot(row - (height - 1) / 2, column - (width - 1) / 2);
    if (distance <= radius) picture[i] = range;
  }
  return [constant, { name: 'picture', shift: { dims: [1, channels, height, width], data: picture } }];
}

function deviationOf(shift: string, changed: Tensor, original: Tensor, allowed: number): ShiftDeviation {
  const found = differencesOf(changed, original);
  return {
    shift,
    deviations: found.map(({ deviation }) => deviation),
    relativeL2: found.map(({ relativeL2 }) => relativeL2),
    invariant: found.every(({ deviation }) => deviation <= allowed),
  };
}

/** Of each picture. */
function differencesOf(changed: Tensor, original: Tensor) {
  const size = sizeOf(original.dims.slice(1));
  return Array.from({ length: original.dims[0] ?? 0 }, (_, n) => {
    const [before, after] = [original, changed].map(({ data }) => data.subarray(n * size, (n + 1) * size));
    const difference = after!.map((value, i) => value - before![i]!);
    return {
      deviation: ratio(largestOf(difference), largestOf(before!)),
      relativeL2: ratio(normOf(difference), normOf(before!)),
    };
  });
}

function lastPlaces(dims: readonly number[], largest: number): Tensor {
  const random = new Random(0);
  const noise = zeros(dims);
  for (let i = 0; i < noise.data.length; i++)
    noise.data[i] = LAST_PLACES * largest * (2 * random.uniform() - 1);
  return noise;
}

const ratio = (part: number, whole: number) => (part === 0 ? 0 : part / whole);

/** The class scores before the softmax. */
async function scoresOf(model: Model, batch: Tensor, signal: AbortSignal | undefined): Promise<Float32Array> {
  const score = findScore(model.graph);
  if (score === undefined) throw new UnitscopeError('bad-file', 'the network has no outputs');
  const name = score.logits;
  const activations = await model.activations([name], batch, signal === undefined ? {} : { signal });
  return activations.get(name)!.data;
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  return ratio(largestOf(a.map((value, i) => value - b[i]!)), largestOf(b));
}

function largestOf(data: Float32Array): number {
  return data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

function normOf(data: Float32Array): number {
  return Math.sqrt(data.reduce((sum, value) => sum + value * value, 0));
}
