import { cpus } from 'node:os';
import { type KernelCase, kernelCases, listBackends, type PreparedCase } from '@unitscope/kernels';
import { compareWithPeer } from './comparisons.js';
import { type Candidate, measure, timedSync } from './measure.js';
import { Peak } from './peak.js';
import { NO_PEER, Peer } from './peer.js';
import type { ComparisonRow } from './problems/problem.js';

export interface KernelBenchOptions {
  readonly threads: readonly number[];
  /** Only cases whose kernel or name contains this. */
  readonly only: string;
  readonly rounds: number;
  readonly peers: boolean;
}

/** One case on one back end: milliseconds, and how near they come to what the machine can do in the same rounds. */
export interface KernelBenchRow {
  readonly kernel: string;
  readonly name: string;
  readonly backend: 'cpu' | 'cuda';
  /** Of the CPU; 0 on a device. */
  readonly threads: number;
  readonly median: number;
  readonly min: number;
  readonly bytes: number;
  /** GB/s of the bytes that must move, by the fastest round. */
  readonly rate: number;
  /** GB/s of the fastest copy of as many bytes on as many threads, and our rate over it: 1 is the memory floor. */
  readonly copy?: number;
  readonly ofCopy?: number;
  /** GFLOP/s of the case's own operations and of multiplications and additions in registers. */
  readonly arithmetic?: {
    readonly flops: number;
    readonly rate: number;
    readonly peak32?: number;
    readonly peak64?: number;
  };
}

/** A case whose result is not the reference's; it is not timed. */
export interface KernelBenchFailure extends Pick<KernelBenchRow, 'kernel' | 'name' | 'backend'> {
  readonly difference: string;
}

export interface KernelBenchResult {
  readonly bench: 'kernels';
  readonly date: string;
  readonly machine: { readonly cpu: string; readonly isa: string; readonly cuda: string };
  readonly torch?: string;
  readonly rounds: number;
  readonly rows: readonly KernelBenchRow[];
  readonly failures: readonly KernelBenchFailure[];
  readonly comparisons: readonly ComparisonRow[];
}

/** A back end with as many threads. */
interface Place {
  readonly backend: 'cpu' | 'cuda';
  readonly threads: number;
}

/**
 * The kernels at the sizes of real networks, on every back end that is there: each checked against the reference, then
 * timed with reused buffers, in turn with a copy of as many bytes; then the operations torch has too, beside torch.
 *
 * CUDA is timed from host memory to host memory: the way over the bus is part of it.
 */
export async function benchKernels(
  { threads, only, rounds, peers }: KernelBenchOptions,
  log: (line: string) => void,
): Promise<KernelBenchResult> {
  const backends = listBackends();
  const cpu = backends.find(({ name }) => name === 'cpu');
  const cuda = backends.find(({ name }) => name === 'cuda');
  if (cpu?.available !== true) throw new Error(cpu?.reason);
  const targets: { backend: Place['backend']; places: readonly Place[] }[] = [
    { backend: 'cpu', places: threads.map((count) => ({ backend: 'cpu', threads: count })) },
  ];
  if (cuda?.available === true) targets.push({ backend: 'cuda', places: [{ backend: 'cuda', threads: 0 }] });
  else log(`cuda: not run: ${cuda?.reason}`);

  const peak = new Peak();
  const peer = peers ? Peer.find('torch_kernels') : undefined;
  if (peers && peer === undefined) log(`torch: not run: ${NO_PEER}`);
  try {
    const rows: KernelBenchRow[] = [];
    const failures: KernelBenchFailure[] = [];
    for (const each of Object.values<readonly KernelCase[]>(kernelCases).flat()) {
      if (each.purpose !== 'benchmark' || !`${each.kernel} ${each.name}`.includes(only)) continue;
      const prepared = each.prepare();
      for (const { backend, places } of targets) {
        if (backend === 'cuda' && !cuda?.kernels.includes(each.kernel)) continue;
        prepared.runSync({ backend });
        const difference = prepared.compare();
        if (difference !== undefined) {
          failures.push({ kernel: each.kernel, name: each.name, backend, difference });
          log(`${each.kernel} ${each.name} on ${backend}  WRONG: ${difference}`);
          continue;
        }
        for (const place of places) {
          const row = await benchCase(each, prepared, place, rounds, peak);
          rows.push(row);
          log(formatKernelRow(row));
        }
      }
    }
    const { rows: comparisons, torch } = await compareWithPeer({ threads, only, rounds }, peak, peer, log);
    return {
      bench: 'kernels',
      date: new Date().toISOString(),
      machine: {
        cpu: cpus()[0]?.model ?? 'unknown',
        isa: cpu.device,
        cuda: cuda?.available === true ? cuda.device : `not run: ${cuda?.reason}`,
      },
      ...(torch === undefined ? {} : { torch }),
      rounds,
      rows,
      failures,
      comparisons,
    };
  } finally {
    peak.close();
    peer?.close();
  }
}

/** Whether everything was right; how fast it was is another matter. */
export function allCorrect({ failures, comparisons }: KernelBenchResult): boolean {
  return failures.length === 0 && comparisons.every(({ difference }) => difference === undefined);
}

async function benchCase(
  { kernel, name }: KernelCase,
  prepared: PreparedCase,
  place: Place,
  rounds: number,
  peak: Peak,
): Promise<KernelBenchRow> {
  const { bytes, flops } = prepared;
  const candidates: Candidate[] = [
    { name: 'ours', run: async () => timedSync(() => prepared.runSync(place)) },
  ];
  if (place.backend === 'cpu') {
    const { threads } = place;
    candidates.push({ name: 'copy', run: () => peak.copy(bytes, threads) });
    if (flops !== undefined) {
      for (const bits of [32, 64] as const) {
        const time = async () => flops / (await peak.arithmetic(bits, threads)) / 1e6;
        candidates.push({ name: `fma${bits}`, run: time });
      }
    }
  }
  const timings = new Map((await measure(candidates, rounds, 0)).map((timing) => [timing.name, timing]));
  const { median, min } = timings.get('ours')!;
  const [copy, peak32, peak64] = ['copy', 'fma32', 'fma64'].map((name) => timings.get(name)?.min);
  const perSecond = (amount: number, ms: number) => amount / ms / 1e6;
  return {
    kernel,
    name,
    ...place,
    median,
    min,
    bytes,
    rate: perSecond(bytes, min),
    ...(copy === undefined ? {} : { copy: perSecond(bytes, copy), ofCopy: copy / min }),
    ...(flops === undefined
      ? {}
      : {
          arithmetic: {
            flops,
            rate: perSecond(flops, min),
            ...(peak32 === undefined ? {} : { peak32: perSecond(flops, peak32) }),
            ...(peak64 === undefined ? {} : { peak64: perSecond(flops, peak64) }),
          },
        }),
  };
}

function formatKernelRow(row: KernelBenchRow): string {
  const { kernel, name, backend, threads, median, min, rate, ofCopy, arithmetic } = row;
  const where = backend === 'cpu' ? `${threads} threads` : 'cuda, with the bus';
  const parts = [
    `${kernel.padEnd(15)} ${name.padEnd(56)} ${where}`,
    `median ${median.toFixed(2).padStart(7)} ms  min ${min.toFixed(2).padStart(7)} ms`,
    `${rate.toFixed(1).padStart(5)} GB/s${ofCopy === undefined ? '' : `, ${ofCopy.toFixed(2)} of copy`}`,
  ];
  if (arithmetic !== undefined) {
    const { rate: speed, peak32, peak64 } = arithmetic;
    const of = [peak32, peak64].map((peak) => (peak === undefined ? '-' : (speed / peak).toFixed(2)));
    parts.push(`${speed.toFixed(1)} GFLOP/s, ${of[0]} of float32 peak, ${of[1]} of float64 peak`);
  }
  return parts.join('  ');
}
