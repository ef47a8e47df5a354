import { describe, expect, it } from 'vitest';
import type { KernelCase } from '../src/cases/case.js';
import { KERNEL_NAMES, kernelCases } from '../src/index.js';
import { devices } from './devices.js';

/** Of the conformance cases of each kernel: benchmark cases are made the same way and take too long. */
const PER_KERNEL = 10;

/** As many from all over the list. */
function spread<T>(list: readonly T[], count: number): T[] {
  return Array.from({ length: count }, (_, i) => list[Math.floor((i * list.length) / count)]!);
}

/** Its selection is kept on the host, so results are there without being fetched. */
const WRITES_TO_HOST = ['topQuantile'];

describe.each(devices)('cases with their arrays on %s', { timeout: 60_000 }, (backend) => {
  it.each(KERNEL_NAMES)('%s', async (kernel) => {
    const all: readonly KernelCase[] = kernelCases[kernel];
    const conformance = all.filter(({ purpose }) => purpose === 'conformance');
    let untouched = 0;
    for (const [i, { name, prepare }] of spread(conformance, PER_KERNEL).entries()) {
      const prepared = prepare();
      const resident = await prepared.resident(backend);
      // The back end follows from where the arrays lie.
      expect(i % 2 === 0 ? await resident.run({}) : resident.runSync({})).toBe(backend);
      if (prepared.compare() !== undefined) untouched++;
      await resident.collect();
      expect({ name, difference: prepared.compare() }).toEqual({ name, difference: undefined });
      resident.free();
      await expect(resident.run({})).rejects.toMatchObject({ code: 'wrong-use' });
    }
    if (WRITES_TO_HOST.includes(kernel)) expect(untouched).toBe(0);
    else expect(untouched).toBeGreaterThan(PER_KERNEL / 2);
  });
});
