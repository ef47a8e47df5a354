import type { KernelName } from '@unitscope/kernels';
import type { Tensor, TensorData } from '@unitscope/tensor';
import type { Timing } from '../measure.js';

/** One operation at one size, done by us and by a peer. */
export interface Problem {
  readonly kernel: KernelName;
  readonly name: string;
  /** What torch_kernels.py calls it. */
  readonly operation: string;
  readonly goal?: Goal;
  readonly prepare: () => PreparedProblem;
}

export interface PreparedProblem {
  /** Bytes that must move: inputs read once, outputs written once. */
  readonly bytes: number;
  /** What the peer is told and given. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly inputs: Readonly<Record<string, Tensor<TensorData>>>;
  readonly run: (threads: number) => void;
  /** What the last run computed, by the names the peer gives its bounds. */
  readonly outputs: () => Readonly<Record<string, TensorData>>;
}

/** Fastest and usual times of one problem, measured in turn. */
export interface ComparisonRow {
  readonly kernel: KernelName;
  readonly name: string;
  readonly threads: number;
  readonly bytes: number;
  readonly ours: Timing;
  /** A copy that moves as many bytes. */
  readonly copy: Timing;
  /** One read of as many bytes. */
  readonly read: Timing;
  readonly peer?: Timing;
  /** Where our result is not what the peer's allows; undefined where it is, and where there is no peer. */
  readonly difference?: string;
  readonly goal?: GoalResult;
}

/** A promise about speed, by the fastest rounds. */
export interface Goal {
  readonly text: string;
  readonly atLeast?: number;
  readonly atMost?: number;
  /** Only on so many threads. */
  readonly threads?: number;
  /** Undefined where what it is measured against was not there. */
  readonly value: (row: ComparisonRow) => number | undefined;
}

export interface GoalResult {
  readonly text: string;
  readonly value: number;
  readonly met: boolean;
}

/** The goal as it came out, if it is one of this row. */
export function judge(goal: Goal | undefined, row: ComparisonRow): GoalResult | undefined {
  if (goal === undefined || (goal.threads !== undefined && goal.threads !== row.threads)) return undefined;
  const value = goal.value(row);
  if (value === undefined) return undefined;
  const { text, atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY } = goal;
  return { text, value, met: value >= atLeast && value <= atMost };
}

/** At least this fraction of the rate of a copy. */
export function ofCopy(fraction: number): Goal {
  return {
    text: `at least ${fraction} of the copy rate`,
    atLeast: fraction,
    value: ({ ours, copy }) => copy.min / ours.min,
  };
}
