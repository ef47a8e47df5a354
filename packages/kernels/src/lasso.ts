import { sizeOf, UnitscopeError } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { badInput } from './bad-input.js';
import { type KernelCall, run, runSync } from './call.js';
import {
  type AnyArray,
  type AnyTensor,
  type ArrayIn,
  DeviceBuffer,
  type Place,
  type PlaceOf,
  type TensorIn,
  type TensorOver,
} from './device-buffer.js';
import type { LassoParams } from './kernel-arguments.js';
import { requireDims } from './pooling.js';
import { lassoReference } from './reference/lasso.js';
import { outputLike, sumLike } from './storage.js';

/** Lassos over the same rows: which rows each is fitted to, and how it scales the features. */
export interface LassoProblems<P extends Place = 'host'> {
  /** `[problems, features]`: what each problem multiplies the features by. */
  readonly scale: TensorIn<P>;
  /** `[problems + 1]`, rising from 0: problem b has the members from `offsets[b]` to before `offsets[b + 1]`, at least one. */
  readonly offsets: ArrayIn<P, Int32Array>;
  /** Rows, those of the first problem first. One that stands there twice counts twice. */
  readonly member: ArrayIn<P, Int32Array>;
  /** `[problems]`: the weight of the penalty, finite and at least 0. */
  readonly lambda: ArrayIn<P, Float64Array>;
}

export interface LassoOptions<P extends Place = 'host'> extends KernelOptions {
  /** The gap at which a problem is solved. Default 1e-6; 0 goes on until nothing changes. */
  readonly tolerance?: number;
  /** The most sweeps over the coefficients of a problem. Default 1000. */
  readonly maxSweeps?: number;
  /** Arrays to write to instead of new ones, where those would lie. The descent starts from `coefficients`, else from 0. */
  readonly into?: {
    readonly coefficients?: TensorIn<P, Float64Array>;
    readonly intercept?: ArrayIn<P, Float64Array>;
    readonly sweeps?: ArrayIn<P, Int32Array>;
    readonly gap?: ArrayIn<P, Float64Array>;
  };
}

export interface LassoResult<P extends Place = 'host'> {
  /** `[problems, features]`: alpha, of the scaled features. */
  readonly coefficients: TensorIn<P, Float64Array>;
  /** `[problems]`. */
  readonly intercept: TensorIn<P, Float64Array>;
  /** `[problems]`: sweeps that were made. */
  readonly sweeps: TensorIn<P, Int32Array>;
  /** `[problems]`: the gap at the end; a problem is solved where it is at most the tolerance. */
  readonly gap: TensorIn<P, Float64Array>;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'lasso'>;
  readonly result: Omit<LassoResult<Place>, 'backend'>;
}

function requireLength(name: string, { length }: AnyArray<Int32Array | Float64Array>, wanted: number): void {
  if (length !== wanted)
    throw badInput(name, `${name} must have ${wanted} elements for the problems of scale, it has ${length}`);
}

/** What the native code checks for itself; the reference would read beyond its arrays. What lies on a device is not looked at. */
function requireProblems({ rows }: LassoParams, { offsets, member, lambda }: LassoProblems<Place>): void {
  if (!(offsets instanceof DeviceBuffer)) {
    const rising = offsets.every((offset, b) => (b === 0 ? offset === 0 : offset > offsets[b - 1]!));
    if (!rising || offsets.at(-1) !== member.length)
      throw badInput(
        'offsets',
        `offsets must rise from 0 to the number of members, ${member.length}, with at least one member for every problem`,
      );
  }
  if (!(member instanceof DeviceBuffer)) {
    const at = member.findIndex((row) => row < 0 || row >= rows);
    if (at >= 0)
      throw badInput('member', `member ${at} is row ${member[at]}, but rows are from 0 to ${rows - 1}`);
  }
  if (!(lambda instanceof DeviceBuffer)) {
    const at = lambda.findIndex((value) => !(value >= 0 && Number.isFinite(value)));
    if (at >= 0)
      throw badInput(
        'lambda',
        `lambda must be at least 0 and finite, that of problem ${at} is ${lambda[at]}`,
      );
  }
}

function paramsOf(
  x: AnyTensor,
  { scale, member }: LassoProblems<Place>,
  options: LassoOptions<Place>,
): LassoParams {
  const { tolerance = 1e-6, maxSweeps = 1000 } = options;
  const [rows = 0, features = 0] = x.dims;
  requireDims('x', x, [rows, features]);
  const [problems = 0] = scale.dims;
  requireDims('scale', scale, [problems, features]);
  if (!(tolerance >= 0 && Number.isFinite(tolerance)))
    throw new UnitscopeError('wrong-use', `tolerance must be at least 0 and finite, it is ${tolerance}`);
  if (!Number.isInteger(maxSweeps) || maxSweeps < 1 || maxSweeps >= 2 ** 31)
    throw new UnitscopeError('wrong-use', `maxSweeps must be an integer from 1, it is ${maxSweeps}`);
  return { rows, features, problems, members: member.length, tolerance, maxSweeps };
}

function prepare(
  x: AnyTensor,
  y: AnyTensor,
  given: LassoProblems<Place>,
  options: LassoOptions<Place>,
): Prepared {
  const params = paramsOf(x, given, options);
  const { rows, features, problems } = params;
  requireDims('y', y, [rows]);
  requireLength('offsets', given.offsets, problems + 1);
  requireLength('lambda', given.lambda, problems);
  requireProblems(params, given);
  const { into } = options;
  const dims = [problems, features];
  if (into?.coefficients !== undefined) requireDims('coefficients', into.coefficients, dims);
  const coefficients = sumLike(x.data, 'coefficients', into?.coefficients?.data, Float64Array, sizeOf(dims));
  const intercept = outputLike(x.data, 'intercept', into?.intercept, Float64Array, problems);
  const sweeps = outputLike(x.data, 'sweeps', into?.sweeps, Int32Array, problems);
  const gap = outputLike(x.data, 'gap', into?.gap, Float64Array, problems);
  const { scale, offsets, member, lambda } = given;
  return {
    call: {
      kernel: 'lasso',
      arguments: {
        ...params,
        x: x.data,
        y: y.data,
        scale: scale.data,
        offsets,
        member,
        lambda,
        coefficients,
        intercept,
        sweeps,
        gap,
      },
      runReference: (host) => {
        const found = lassoReference(host);
        host.coefficients.set(found.coefficients);
        host.intercept.set(found.intercept);
        host.sweeps.set(found.sweeps);
        host.gap.set(found.gap);
      },
    },
    result: {
      coefficients: { dims, data: coefficients },
      intercept: { dims: [problems], data: intercept },
      sweeps: { dims: [problems], data: sweeps },
      gap: { dims: [problems], data: gap },
    },
  };
}

/**
 * Many lassos (Tibshirani 1996) over the same rows, each with members of its own among them and a scale of its own for the
 * features. For a problem with n members i, scale s and penalty lambda, over alpha and an intercept c without penalty:
 *
 *   minimise 1/n sum_i (sum_d alpha_d s_d x_id + c - y_i)^2 + lambda |alpha|_1
 *
 * scikit-learn's `Lasso` minimises half of it, so its `alpha` is lambda / 2. By cyclic coordinate descent (Friedman, Hastie
 * and Tibshirani 2010) until the duality gap, in units of the variance of y over the members, is at most `tolerance`: the
 * objective is then at most tolerance times that variance above its optimum. Without penalty the gap is the largest
 * correlation of a feature with the residual, in units of y's. native/include/unitscope/lasso.h has the formulas.
 *
 * The arithmetic is in double; the number of threads does not change a bit. The coefficient of a feature that is the same for
 * all members is 0. Numbers that are not finite make all of their problem's coefficients, intercept and gap NaN, with no
 * sweeps. Problems that lie on a device are not checked there: one that is wrong has NaN too.
 *
 * Throws `bad-input` for tensors that do not fit, offsets that do not rise, members that are no rows and penalties that are
 * negative or not finite; `wrong-use` for options that can never work. The arrays must not be transferred or written to until
 * the promise is settled.
 *
 * @param x `[rows, features]`
 * @param y `[rows]`
 */
export function lasso<S extends AnyArray>(
  x: TensorOver<S>,
  y: AnyTensor,
  problems: LassoProblems<Place>,
  options?: LassoOptions<PlaceOf<S>>,
): Promise<LassoResult<PlaceOf<S>>>;
export async function lasso(
  x: AnyTensor,
  y: AnyTensor,
  problems: LassoProblems<Place>,
  options: LassoOptions<Place> = {},
): Promise<LassoResult<Place>> {
  const { call, result } = prepare(x, y, problems, options);
  return { ...result, backend: await run(call, options) };
}

/** As `lasso`, on the calling thread: for small work. */
export function lassoSync<S extends AnyArray>(
  x: TensorOver<S>,
  y: AnyTensor,
  problems: LassoProblems<Place>,
  options?: LassoOptions<PlaceOf<S>>,
): LassoResult<PlaceOf<S>>;
export function lassoSync(
  x: AnyTensor,
  y: AnyTensor,
  problems: LassoProblems<Place>,
  options: LassoOptions<Place> = {},
): LassoResult<Place> {
  const { call, result } = prepare(x, y, problems, options);
  return { ...result, backend: runSync(call, options) };
}
