import { groupBy } from '../group-by.js';
import type { KernelBenchResult, KernelBenchRow } from '../kernels.js';
import { type CopyRate, plotCopyRates } from './copy-rate.js';
import { plotRoofline } from './roofline.js';

/** The plots of a result, by the names of their files; none where nothing of the kind was measured. */
export function plotKernels({ machine, date, rows }: KernelBenchResult): Record<string, string> {
  const plots: Record<string, string> = {};
  const onCpu = rows.filter(({ backend }) => backend === 'cpu');
  const threads = Math.max(...onCpu.map((row) => row.threads));
  const where = `${machine.cpu}, ${machine.isa}, ${date.slice(0, 10)}`;

  const largest = groupBy(
    onCpu.filter((row) => row.threads === threads && row.arithmetic !== undefined),
    ({ kernel }) => kernel,
  );
  const computing = [...largest.values()].map((cases) =>
    cases.reduce((most, row) => (row.arithmetic!.flops > most.arithmetic!.flops ? row : most)),
  );
  if (computing.length > 0) {
    const most = (value: (row: KernelBenchRow) => number | undefined) =>
      Math.max(...computing.map((row) => value(row) ?? 0));
    plots['roofline.svg'] = plotRoofline(
      `Kernels that compute: ${where}, threads ${threads}`,
      computing.map(({ kernel, bytes, arithmetic }) => ({
        name: kernel,
        bytes,
        flops: arithmetic!.flops,
        rate: arithmetic!.rate,
      })),
      {
        // Of the largest working set, which lies in no cache.
        copy: onCpu.reduce((a, b) => (b.threads === threads && b.bytes > a.bytes ? b : a)).copy ?? 0,
        peak32: most((row) => row.arithmetic?.peak32),
        peak64: most((row) => row.arithmetic?.peak64),
      },
    );
  }

  const moving = new Map<string, CopyRate & { readonly ofCopy: Map<number, number> }>();
  for (const { kernel, name, threads: count, ofCopy, arithmetic } of onCpu) {
    if (arithmetic !== undefined || ofCopy === undefined) continue;
    const key = `${kernel} ${name}`;
    const rate = moving.get(key) ?? { kernel, name, ofCopy: new Map<number, number>() };
    rate.ofCopy.set(count, ofCopy);
    moving.set(key, rate);
  }
  if (moving.size > 0)
    plots['copy-rate.svg'] = plotCopyRates(`Kernels that move data: ${where}`, [...moving.values()]);
  return plots;
}
