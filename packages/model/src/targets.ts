import type { Objective } from '@unitscope/autodiff';
import type { Dim } from '@unitscope/onnx';
import { UnitscopeError } from '@unitscope/tensor';

/** A unit of a layer at one position of its map. */
export interface UnitPlace {
  readonly channel: number;
  /** Row and column, 0-based. */
  readonly position: readonly [number, number];
}

export type OneTarget = 'top1' | number | UnitPlace;

/** What to explain, in every sample or in each of them. */
export type PullbackTarget = OneTarget | readonly OneTarget[];

/** What the compiled graph takes for "the class of the highest score". */
const TOP = -1;

/**
 * The run-time input of the objective: one int64 per sample, a class, a channel, or a flat index into [C, H, W].
 *
 * @param dims of the objective's value, the batch axis first
 */
export function resolveTargets(
  target: PullbackTarget | undefined,
  objective: Objective,
  dims: readonly Dim[],
  count: number,
): BigInt64Array<ArrayBuffer> {
  const given = target ?? (objective.kind === 'class' ? 'top1' : undefined);
  if (given === undefined) {
    throw new UnitscopeError(
      'wrong-use',
      `say which unit of ${explainedValue(objective)} to explain, by its number`,
    );
  }
  const one = (single: OneTarget) => BigInt(resolveOne(single, objective, dims));
  if (!isList(given)) return new BigInt64Array(count).fill(one(given));
  if (given.length !== count) {
    throw new UnitscopeError(
      'wrong-use',
      `${given.length} targets are given for ${count} samples; give one for each`,
    );
  }
  return BigInt64Array.from(given, one);
}

function resolveOne(target: OneTarget, objective: Objective, dims: readonly Dim[]): number {
  const [channels = 1, height = 1, width = 1] = dims.slice(1).map(Number);
  const value = explainedValue(objective);
  if (objective.kind === 'class') {
    if (target === 'top1') return TOP;
    if (typeof target !== 'number') {
      throw new UnitscopeError('wrong-use', 'a class has no position; give its number');
    }
    return numbered(target, channels, 'class', 'classes', 'the network');
  }
  if (target === 'top1') {
    throw new UnitscopeError('wrong-use', `top1 is for classes; give the number of a unit of ${value}`);
  }
  const channel = typeof target === 'number' ? target : target.channel;
  const unit = numbered(channel, channels, 'unit', 'units', value);
  const given = objective.kind === 'unit' && objective.position === 'given';
  if (!given) {
    if (typeof target === 'number') return unit;
    throw new UnitscopeError('wrong-use', "a position needs the objective's position to be `given`");
  }
  if (typeof target !== 'number') {
    const [row, column] = target.position;
    const inside = Number.isInteger(row) && Number.isInteger(column) && row >= 0 && column >= 0;
    if (inside && row < height && column < width) return (unit * height + row) * width + column;
    throw new UnitscopeError(
      'not-found',
      `no position [${row}, ${column}] in ${value}; its map is [${height}, ${width}], counted from 0`,
    );
  }
  if (height * width === 1) return unit;
  throw new UnitscopeError(
    'wrong-use',
    `unit ${unit} of ${value} has a map: give a position [row, column] too`,
  );
}

function numbered(given: number, count: number, kind: string, kinds: string, owner: string): number {
  if (Number.isInteger(given) && given >= 0 && given < count) return given;
  throw new UnitscopeError('not-found', `no ${kind} ${given}; ${owner} has the ${kinds} 0 to ${count - 1}`, {
    subject: String(given),
  });
}

function explainedValue(objective: Objective): string {
  return objective.kind === 'linear' ? objective.values.join(', ') : objective.value;
}

function isList(target: PullbackTarget): target is readonly OneTarget[] {
  return Array.isArray(target);
}
