import { cpus } from 'node:os';
import { kernelCases, listBackends } from '@unitscope/kernels';
import { copyBandwidth } from './copy-bandwidth.js';
import { medianOf } from './measure.js';

export interface KernelBenchOptions {
  readonly threads: readonly number[];
  /** Only cases whose kernel or name contains this. */
  readonly only: string;
  readonly rounds: number;
}

export interface KernelBenchRow {
  readonly kernel: string;
  readonly name: string;
  readonly threads: number;
  readonly median: number;
  readonly min: number;
  /** GB/s of the bytes that must move, by the fastest round. */
  readonly rate: number;
  /** That rate over the measured copy rate of as many threads: 1 is the memory floor. */
  readonly ofCopy: number;
}

/** The kernels at the sizes of real networks, on the CPU: checked against the reference, then timed with reused buffers. */
export async function benchKernels(
  { threads, only, rounds }: KernelBenchOptions,
  log: (line: string) => void,
) {
  const cpu = listBackends().find(({ name }) => name === 'cpu');
  if (cpu?.available !== true) throw new Error(cpu?.reason);
  const copy: Record<number, number> = {};
  for (const count of threads) {
    copy[count] = await copyBandwidth(count);
    log(`copy on ${count} threads: ${copy[count].toFixed(1)} GB/s`);
  }
  const rows: KernelBenchRow[] = [];
  for (const { kernel, name, purpose, prepare } of Object.values(kernelCases).flat()) {
    if (purpose !== 'benchmark' || !`${kernel} ${name}`.includes(only)) continue;
    const prepared = prepare();
    // The first run finds the pages; it is also the one that is checked.
    prepared.runSync({ backend: 'cpu' });
    const difference = prepared.compare();
    if (difference !== undefined) throw new Error(`${kernel} ${name}: ${difference}`);
    for (const count of threads) {
      const times = Array.from({ length: rounds }, () => {
        const start = performance.now();
        prepared.runSync({ backend: 'cpu', threads: count });
        return performance.now() - start;
      });
      const min = Math.min(...times);
      const rate = prepared.bytes / min / 1e6;
      const row = {
        kernel,
        name,
        threads: count,
        median: medianOf(times),
        min,
        rate,
        ofCopy: rate / copy[count]!,
      };
      rows.push(row);
      log(formatKernelRow(row));
    }
  }
  const machine = { cpu: cpus()[0]?.model ?? 'unknown', isa: cpu.device, copy };
  return { bench: 'kernels', date: new Date().toISOString(), machine, rounds, rows };
}

function formatKernelRow({ kernel, name, threads, median, min, rate, ofCopy }: KernelBenchRow): string {
  const times = `median ${median.toFixed(2).padStart(6)} ms  min ${min.toFixed(2).padStart(6)} ms`;
  return `${kernel.padEnd(15)} ${name.padEnd(56)} ${threads} threads  ${times}  ${rate.toFixed(1).padStart(5)} GB/s  ${ofCopy.toFixed(2)} of copy`;
}
