import { cpus } from 'node:os';
import { type KernelCase, kernelCases, listBackends, type PreparedCase } from '@unitscope/kernels';
import { compareWithPeer } from './comparisons.js';
import { DeviceRoof } from './device-roof.js';
import { type Candidate, measure, type Timing, timedSync } from './measure.js';
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
  /**
   * GB/s of the fastest copy of as many bytes on as many threads, on a device of a kernel that only moves them, and our rate
   * over it: 1 is the memory floor.
   */
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

/** The rows of a case, or how its result differs from the reference's. */
interface Measured {
  readonly rows: readonly KernelBenchRow[];
  readonly difference?: string;
}

/**
 * The kernels at the sizes of real networks, on every back end that is there: each checked against the reference, then
 * timed with reused buffers, in turn with a copy of as many bytes; then the operations torch has too, beside torch.
 *
 * On CUDA the case's arrays lie in the device's memory throughout, so that the bus is no part of it; a call and the wait for
 * it are.
 */
export async function benchKernels(
  { threads, only, rounds, peers }: KernelBenchOptions,
  log: (line: string) => void,
): Promise<KernelBenchResult> {
  const backends = listBackends();
  const cpu = backends.find(({ name }) => name === 'cpu');
  const cuda = backends.find(({ name }) => name === 'cuda');
  if (cpu?.available !== true) throw new Error(cpu?.reason);
  const withCuda = cuda?.available === true;
  if (!withCuda) log(`cuda: not run: ${cuda?.reason}`);

  const peak = new Peak();
  const peer = peers ? Peer.find('torch_kernels') : undefined;
  if (peers && peer === undefined) log(`torch: not run: ${NO_PEER}`);
  try {
    const rows: KernelBenchRow[] = [];
    const failures: KernelBenchFailure[] = [];
    for (const each of Object.values<readonly KernelCase[]>(kernelCases).flat()) {
      if (each.purpose !== 'benchmark' || !`${each.kernel} ${each.name}`.includes(only)) continue;
      const take = (backend: KernelBenchRow['backend'], measured: Measured) => {
        for (const row of measured.rows) log(formatKernelRow(row));
        rows.push(...measured.rows);
        const { difference } = measured;
        if (difference === undefined) return;
        failures.push({ kernel: each.kernel, name: each.name, backend, difference });
        log(`${each.kernel} ${each.name} on ${backend}  WRONG: ${difference}`);
      };
      take('cpu', await benchOnCpu(each, threads, rounds, peak));
      if (withCuda && cuda.kernels.includes(each.kernel))
        take('cuda', await benchOnDevice(each, 'cuda', rounds));
    }
    const { rows: comparisons, torch } = await compareWithPeer({ threads, only, rounds }, peak, peer, log);
    return {
      bench: 'kernels',
      date: new Date().toISOString(),
      machine: {
        cpu: cpus()[0]?.model ?? 'unknown',
        isa: cpu.device,
        cuda: withCuda ? cuda.device : `not run: ${cuda?.reason}`,
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

/** Times a case on each number of threads, in turn with what the machine can do at best. */
async function benchOnCpu(
  each: KernelCase,
  threads: readonly number[],
  rounds: number,
  peak: Peak,
): Promise<Measured> {
  const prepared = each.prepare();
  prepared.runSync({ backend: 'cpu' });
  const difference = prepared.compare();
  if (difference !== undefined) return { rows: [], difference };
  const { bytes, flops } = prepared;
  const rows: KernelBenchRow[] = [];
  for (const count of threads) {
    const options = { backend: 'cpu', threads: count } as const;
    const candidates: Candidate[] = [
      { name: 'ours', run: async () => timedSync(() => prepared.runSync(options)) },
      { name: 'copy', run: () => peak.copy(bytes, count) },
    ];
    if (flops !== undefined) {
      for (const bits of [32, 64] as const) {
        const time = async () => flops / (await peak.arithmetic(bits, count)) / 1e6;
        candidates.push({ name: `fma${bits}`, run: time });
      }
    }
    rows.push(rowOf(each, prepared, options, await measure(candidates, rounds, 0)));
  }
  return { rows };
}

/** Times a case whose arrays lie in the device's memory, in turn with a kernel that only moves as much. */
async function benchOnDevice(each: KernelCase, backend: 'cuda', rounds: number): Promise<Measured> {
  const prepared = each.prepare();
  const { bytes } = prepared;
  const resident = await prepared.resident(backend);
  try {
    resident.runSync({});
    await resident.collect();
    const difference = prepared.compare();
    if (difference !== undefined) return { rows: [], difference };
    const roof = new DeviceRoof(backend, bytes);
    try {
      const candidates: Candidate[] = [
        { name: 'ours', run: async () => timedSync(() => resident.runSync({})) },
        { name: 'copy', run: async () => (roof.pass() * bytes) / roof.bytes },
      ];
      const timings = await measure(candidates, rounds, 0);
      return { rows: [rowOf(each, prepared, { backend, threads: 0 }, timings)] };
    } finally {
      roof.free();
    }
  } finally {
    resident.free();
  }
}

function rowOf(
  { kernel, name }: KernelCase,
  { bytes, flops }: PreparedCase,
  place: Pick<KernelBenchRow, 'backend' | 'threads'>,
  measured: readonly Timing[],
): KernelBenchRow {
  const timings = new Map(measured.map((timing) => [timing.name, timing]));
  const { median, min } = timings.get('ours')!;
  const copy = timings.get('copy')!.min;
  const [peak32, peak64] = ['fma32', 'fma64'].map((name) => timings.get(name)?.min);
  const perSecond = (amount: number, ms: number) => amount / ms / 1e6;
  return {
    kernel,
    name,
    ...place,
    median,
    min,
    bytes,
    rate: perSecond(bytes, min),
    copy: perSecond(bytes, copy),
    ofCopy: copy / min,
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
  const where = backend === 'cpu' ? `${threads} threads` : backend;
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
