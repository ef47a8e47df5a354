import { fileURLToPath } from 'node:url';
import { zeros } from '@unitscope/tensor';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { addonPlaces } from '../src/addon-places.js';
import { listBackends, maxPool, maxPoolSync } from '../src/index.js';

const x = zeros([1, 4, 4]);
const window = { kernel: 2, stride: 2 } as const;

describe('the choice of a back end', () => {
  it('is in the result', async () => {
    expect((await maxPool(x, window)).backend).toBe('cpu');
    expect((await maxPool(x, window, { backend: 'cpu' })).backend).toBe('cpu');
    expect(maxPoolSync(x, window, { backend: 'reference' }).backend).toBe('reference');
  });

  it('names the alternatives to a name that is none', () => {
    // @ts-expect-error: what a caller without types could pass
    expect(() => maxPoolSync(x, window, { backend: 'cud' })).toThrow('did you mean "cuda"?');
  });

  const cuda = listBackends().find(({ name }) => name === 'cuda');

  it.skipIf(cuda?.available)('never falls back from a device asked for by name', async () => {
    await expect(maxPool(x, window, { backend: 'cuda' })).rejects.toMatchObject({
      code: 'backend',
      message: expect.stringMatching(/maxPool cannot run on "cuda": cuda: .+\. Usable here: cpu, reference$/),
    });
  });
});

describe('a missing addon', () => {
  beforeEach(() => vi.stubEnv('UNITSCOPE_ADDON', ''));

  afterEach(() => {
    vi.unstubAllEnvs();
    vi.resetModules();
  });

  it('says what was tried and how to mend it', async () => {
    vi.stubEnv('UNITSCOPE_ADDON', '/nowhere/unitscope.node');
    vi.resetModules();
    const fresh = await import('../src/index.js');
    await expect(fresh.maxPool(x, window)).rejects.toMatchObject({
      code: 'backend',
      message: expect.stringMatching(/UNITSCOPE_ADDON.*Tried: \/nowhere\/unitscope\.node is not there/),
    });
    expect(fresh.maxPoolSync(x, window, { backend: 'reference' }).backend).toBe('reference');
    expect(fresh.listBackends().map(({ available }) => available)).toEqual([false, false, true]);
  });

  it("is looked for in the checkout's own build, then in the platform package", () => {
    const { places, remedy } = addonPlaces();
    expect(places).toEqual([
      fileURLToPath(new URL('../../../native/build/Release/unitscope.node', import.meta.url)),
      `@unitscope/kernels-${process.platform}-${process.arch}`,
    ]);
    expect(remedy).toContain('npm run setup');
  });

  it('does not take a file that is something else', async () => {
    vi.stubEnv('UNITSCOPE_ADDON', new URL('../package.json', import.meta.url).pathname);
    vi.resetModules();
    const { maxPool: fresh } = await import('../src/index.js');
    await expect(fresh(x, window)).rejects.toThrow('has binary interface undefined, 3 is needed');
  });
});
