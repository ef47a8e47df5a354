import { describe, expect, it } from 'vitest';
import { KERNEL_NAMES, kernelCases, listBackends } from '../src/index.js';

const backends = listBackends();
for (const { name, available, reason } of backends) {
  if (!available) console.warn(`conformance tests skip the back end ${name}: ${reason}`);
}

it('has the CPU back end with every kernel', () => {
  const cpu = backends.find(({ name }) => name === 'cpu');
  expect(cpu?.reason).toBe('');
  expect(cpu?.kernels).toEqual([...KERNEL_NAMES]);
});

it.skipIf(!process.env['UNITSCOPE_CUDA_LIBRARY'])('has the CUDA library that the environment names', () => {
  const cuda = backends.find(({ name }) => name === 'cuda');
  expect(cuda?.reason).toBe('');
  expect(cuda?.kernels).toEqual([...KERNEL_NAMES]);
});

for (const kernel of KERNEL_NAMES) {
  const cases = kernelCases[kernel].filter(({ purpose }) => purpose === 'conformance');
  for (const { name: backend, kernels } of backends) {
    if (backend === 'reference') continue;
    describe.skipIf(!kernels.includes(kernel))(`${kernel} on ${backend}`, () => {
      it.each(cases)('$name', async ({ prepare }) => {
        const inParallel = prepare();
        expect(await inParallel.run({ backend })).toBe(backend);
        expect(inParallel.compare()).toBeUndefined();
        const alone = prepare();
        expect(alone.runSync({ backend, threads: 1 })).toBe(backend);
        expect(alone.compare()).toBeUndefined();
      });
    });
  }
}
