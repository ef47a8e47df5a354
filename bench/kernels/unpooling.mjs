// node bench/kernels/unpooling.mjs [--threads 1,2] [--only TEXT]
// The unpooling kernels at the sizes of real networks: checked first, then timed with reused buffers.
import { parseArgs } from 'node:util';
import { kernelCases, listBackends } from '@unitscope/kernels';
import { copyBandwidth } from './copy-bandwidth.mjs';

const REPEATS = 15;

const { values: options } = parseArgs({
  options: { threads: { type: 'string', default: '1,2' }, only: { type: 'string', default: '' } },
});

const cpu = listBackends().find(({ name }) => name === 'cpu');
if (!cpu?.available) throw new Error(cpu?.reason);
console.log(`cpu: ${cpu.device}`);

const threadCounts = options.threads.split(',').map(Number);
const bandwidths = new Map();
for (const threads of threadCounts) {
  bandwidths.set(threads, await copyBandwidth(threads));
  console.log(`copy on ${threads} threads: ${bandwidths.get(threads).toFixed(1)} GB/s`);
}

for (const { kernel, name, purpose, prepare } of Object.values(kernelCases).flat()) {
  if (purpose !== 'benchmark' || !`${kernel} ${name}`.includes(options.only)) continue;
  const prepared = prepare();
  for (const threads of threadCounts) {
    const times = [];
    for (let i = 0; i <= REPEATS; i++) {
      const start = performance.now();
      prepared.runSync({ backend: 'cpu', threads });
      // The first run finds the pages; it is also the one that is checked.
      if (i > 0) times.push(performance.now() - start);
      else if (threads === threadCounts[0]) {
        const difference = prepared.compare();
        if (difference !== undefined) throw new Error(`${kernel} ${name}: ${difference}`);
      }
    }
    times.sort((a, b) => a - b);
    const [least] = times;
    const rate = prepared.bytes / least / 1e6;
    console.log(
      `${kernel.padEnd(15)} ${name.padEnd(56)} ${threads} threads  median ${times[REPEATS >> 1].toFixed(2)} ms  ` +
        `min ${least.toFixed(2)} ms  ${rate.toFixed(1)} GB/s  ${(rate / bandwidths.get(threads)).toFixed(2)} of copy`,
    );
  }
}
