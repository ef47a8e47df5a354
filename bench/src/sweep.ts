import { cpus } from 'node:os';
import { listBackends } from '@unitscope/kernels';
import { fitPowerLaw, type PowerLaw } from './fit.js';
import { measure, timedSync } from './measure.js';
import { type Sweep, sweeps } from './sweeps.js';

export interface SweepOptions {
  readonly threads: number;
  readonly only: string;
  readonly rounds: number;
}

export interface SweepRow {
  readonly kernel: string;
  /** The size that varies, and what stays. */
  readonly parameter: string;
  readonly fixed: string;
  readonly points: readonly { readonly value: number; readonly median: number; readonly min: number }[];
  /** The exponent by which the work grows, and what was fitted to the fastest rounds. */
  readonly predicted: number;
  readonly fitted: PowerLaw;
}

export interface SweepResult {
  readonly bench: 'sweep';
  readonly date: string;
  readonly machine: { readonly cpu: string; readonly isa: string; readonly threads: number };
  readonly rounds: number;
  readonly rows: readonly SweepRow[];
}

/** How the time of each kernel grows with each of its sizes. The sizes of a sweep take turns within a round. */
export async function benchSweeps(
  { threads, only, rounds }: SweepOptions,
  log: (line: string) => void,
): Promise<SweepResult> {
  const rows: SweepRow[] = [];
  for (const sweep of sweeps) {
    if (!`${sweep.kernel} over ${sweep.parameter}`.includes(only)) continue;
    const row = await sweepOne(sweep, threads, rounds);
    rows.push(row);
    log(formatSweep(row));
  }
  return {
    bench: 'sweep',
    date: new Date().toISOString(),
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown',
      isa: listBackends().find(({ name }) => name === 'cpu')?.device ?? '',
      threads,
    },
    rounds,
    rows,
  };
}

async function sweepOne(sweep: Sweep, threads: number, rounds: number): Promise<SweepRow> {
  const { kernel, parameter, fixed, predicted, values, prepare } = sweep;
  const candidates = values.map((value) => {
    const run = prepare(value);
    return { name: `${value}`, run: async () => timedSync(() => run({ backend: 'cpu', threads })) };
  });
  const timings = await measure(candidates, rounds, 0);
  const points = timings.map(({ name, median, min }) => ({ value: Number(name), median, min }));
  const fitted = fitPowerLaw(points.map(({ value, min }) => [value, min]));
  return { kernel, parameter, fixed, points, predicted, fitted };
}

function formatSweep({ kernel, parameter, fixed, points, predicted, fitted }: SweepRow): string {
  const times = points.map(({ value, min }) => `${value}: ${min.toFixed(min < 10 ? 2 : 1)} ms`);
  return (
    `${kernel} over ${parameter} (${fixed}): exponent ${fitted.exponent.toFixed(2)} +- ${fitted.error.toFixed(2)}, ` +
    `the work grows with ${predicted}\n  ${times.join('  ')}`
  );
}
