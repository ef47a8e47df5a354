import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as kernels from '@unitscope/kernels';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { recordOf, unitscope } from './support/command.js';
import { TemporaryFolder } from './support/files.js';
import { expectRefusal } from './support/refusals.js';

const folder = new TemporaryFolder();

/** What the cases and back ends are made out to be; `undefined` leaves the real ones. */
const pretended = vi.hoisted(() => ({
  compare: undefined as (() => string | undefined) | undefined,
  isUnavailable: undefined as string | undefined,
}));

// A few cases of each kernel, so that these tests are quick; the real command runs them all in the last one.
vi.mock('@unitscope/kernels', async (importOriginal) => {
  const original = await importOriginal<typeof kernels>();
  const few = (cases: readonly kernels.KernelCase[]) => {
    const shorter = cases.filter(({ purpose }) => purpose === 'conformance').slice(0, 3);
    return [...shorter, { ...shorter[0]!, purpose: 'benchmark' }];
  };
  const entries = Object.entries(original.kernelCases).map(([kernel, cases]) => {
    const pretending = few(cases).map((each) => ({
      ...each,
      prepare: () => {
        const prepared = each.prepare();
        const compare = () => (kernel === 'unpool' ? pretended.compare?.() : undefined) ?? prepared.compare();
        return { ...prepared, compare };
      },
    }));
    return [kernel, pretending] as const;
  });
  return {
    ...original,
    kernelCases: Object.fromEntries(entries),
    listBackends: () =>
      original.listBackends().map((status) => {
        const isGone = pretended.isUnavailable === status.name || status.name === 'cuda';
        return isGone ? { ...status, available: false, kernels: [], reason: 'it was taken out' } : status;
      }),
  };
});

afterEach(() => {
  pretended.compare = undefined;
  pretended.isUnavailable = undefined;
  vi.unstubAllEnvs();
});

describe('selftest', () => {
  it('prints the back ends and a line for every kernel', async () => {
    const { code, out, err } = await unitscope(['selftest']);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(
      /^cpu: (baseline|avx2|avx512)\ncuda: not available: it was taken out\nengine native: [^\n]+\nengine onnxruntime-node: onnxruntime-node [\d.]+; lowerings portable\n\nkernel +cpu +GB\/s\n/,
    );
    for (const kernel of kernels.KERNEL_NAMES) {
      expect(out).toMatch(new RegExp(`^${kernel} +3 right +\\d+\\.\\d$`, 'm'));
    }
  });

  it('prints the table alone with --quiet', async () => {
    const { code, out } = await unitscope(['selftest', '--quiet', '--threads', '1']);
    expect(code).toBe(0);
    // Header, kernels, and the end of the last line.
    expect(out.split('\n')).toHaveLength(kernels.KERNEL_NAMES.length + 2);
  });

  it('prints a record with --json', async () => {
    const record = await recordOf(['selftest', '--device', 'cpu']);
    expect(Object.keys(record)).toEqual(['unitscope', 'node', 'platform', 'backends', 'engines', 'kernels']);
    expect(record.backends).toEqual([
      { name: 'cpu', available: true, device: expect.stringMatching(/^\w+$/), reason: '' },
      { name: 'cuda', available: false, device: expect.anything(), reason: 'it was taken out' },
    ]);
    expect(record.kernels.map(({ kernel }: { kernel: string }) => kernel)).toEqual(kernels.KERNEL_NAMES);
    expect(record.kernels[0]).toEqual({
      kernel: 'maxPool',
      backend: 'cpu',
      cases: 3,
      failures: [],
      speed: { case: expect.any(String), ms: expect.any(Number), gigabytesPerSecond: expect.any(Number) },
    });
  });

  it.skipIf(process.platform !== 'linux')('says which engines can be used, and why one cannot', async () => {
    const { engines } = await recordOf(['selftest', '--device', 'cpu']);
    const node = {
      name: 'onnxruntime-node',
      available: true,
      versions: { 'onnxruntime-node': expect.any(String) },
      lowerings: ['portable'],
      reason: '',
    };
    expect(engines).toEqual([
      {
        name: 'native',
        available: true,
        versions: { onnxruntime: expect.any(String) },
        lowerings: expect.arrayContaining(['native', 'portable']),
        ...(engines[0].block === undefined ? {} : { block: expect.any(Number) }),
        reason: '',
      },
      node,
    ]);
    vi.stubEnv('UNITSCOPE_ONNXRUNTIME', folder.at('absent.so'));
    const without = await recordOf(['selftest', '--device', 'cpu']);
    expect(without.engines).toEqual([
      {
        name: 'native',
        available: false,
        versions: {},
        lowerings: [],
        reason: expect.stringContaining('absent.so'),
      },
      node,
    ]);
    const { code, out } = await unitscope(['selftest', '--device', 'cpu']);
    expect(code).toBe(0);
    expect(out).toMatch(/^engine native: not available: .*absent\.so.*$/m);
  });

  it('fails for a kernel that computes something else, and says where', async () => {
    pretended.compare = () => 'x[3] is 7, the reference says 8';
    const { code, out, err } = await unitscope(['selftest']);
    expect(code).toBe(1);
    expect(err).toMatch(/^unitscope: 3 of \d+ cases are wrong: [^\n]+\n$/);
    expect(out).toMatch(/^unpool +3 of 3 WRONG$/m);
    expect(out.match(/^unpool on cpu, .*: x\[3\] is 7, the reference says 8$/gm)).toHaveLength(3);
    expect(out).toMatch(/^maxPool +3 right/m);
  });

  it('counts a kernel that throws as wrong', async () => {
    pretended.compare = () => {
      throw new RangeError('out of memory');
    };
    const { code, out } = await unitscope(['selftest', '--json']);
    expect(code).toBe(1);
    const { kernels: reports } = JSON.parse(out);
    const { failures } = reports.find(({ kernel }: { kernel: string }) => kernel === 'unpool');
    expect(failures).toHaveLength(3);
    expect(failures[0].difference).toBe('out of memory');
  });

  it('ends where it is interrupted', async () => {
    const outcome = await unitscope(['selftest'], AbortSignal.abort());
    expect(outcome).toEqual({ code: 130, out: '', err: 'unitscope: interrupted\n' });
  });

  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['--device', 'tpu'], /'tpu' is invalid.* all, cpu, cuda/],
    [['--device', 'reference'], /'reference' is invalid/],
    [['--threads', '0'], /'0' is invalid. It must be a positive integer/],
    [['--threads', '100000'], /'100000' is invalid. It must be at most 1024/],
    [['model.onnx'], /too many arguments for 'selftest'/],
    [['--jsn'], /unknown option '--jsn' \(Did you mean --json\?\)/],
  ];
  it.each(wrong)('refuses %j', async (args, line) => {
    await expectRefusal(folder, ['selftest', ...args], 2, line);
  });

  it('fails with one line for a device that is not there', async () => {
    await expectRefusal(
      folder,
      ['selftest', '--device', 'cuda'],
      1,
      /nothing to test: cuda: it was taken out/,
    );
  });

  it('fails with every reason where nothing is there', async () => {
    pretended.isUnavailable = 'cpu';
    await expectRefusal(
      folder,
      ['selftest'],
      1,
      /nothing to test: cpu: it was taken out; cuda: it was taken out/,
    );
  });
});

describe('the real selftest', { timeout: 120_000 }, () => {
  const run = promisify(execFile);
  const command = fileURLToPath(new URL('../bin/unitscope.js', import.meta.url));

  it('finds every case right on the baseline instruction set', async () => {
    const { stdout, stderr } = await run(
      process.execPath,
      [command, 'selftest', '--device', 'cpu', '--json'],
      { env: { ...process.env, UNITSCOPE_ISA: 'baseline' } },
    );
    expect(stderr).toBe('');
    const { backends, kernels: reports } = JSON.parse(stdout);
    expect(backends[0]).toEqual({ name: 'cpu', available: true, device: 'baseline', reason: '' });
    for (const { failures, cases } of reports) {
      expect(failures).toEqual([]);
      expect(cases).toBeGreaterThan(10);
    }
  });

  it('says what is wrong with an instruction set that nobody has', async () => {
    const ended = run(process.execPath, [command, 'selftest'], {
      env: { ...process.env, UNITSCOPE_ISA: 'mmx', UNITSCOPE_CUDA_LIBRARY: folder.at('absent.so') },
    });
    await expect(ended).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^unitscope: there is nothing to test: cpu: UNITSCOPE_ISA asks for "mmx"[^\n]+\n$/,
      ),
    });
  });
});
