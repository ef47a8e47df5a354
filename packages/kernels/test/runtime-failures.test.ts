import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tensor } from '@unitscope/tensor';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type OnnxRuntime, openRuntime } from '../src/runtime/index.js';
import { rejectionOf } from './support/errors.js';
import { elementwise, hasLibrary, library, power } from './support/onnxruntime.js';

const zeros = (...dims: number[]): Tensor => ({
  dims,
  data: new Float32Array(dims.reduce((size, dim) => size * dim, 1)),
});

describe('a library that cannot be used', () => {
  const folder = mkdtempSync(join(tmpdir(), 'unitscope-library-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  afterEach(() => vi.unstubAllEnvs());

  it('is not there', async () => {
    const path = join(folder, 'missing.so');
    const error = await rejectionOf(openRuntime({ library: path }));
    expect(error.code).toBe('backend');
    expect(error.message).toBe(`ONNX Runtime cannot be used: there is no file ${path} that can be read`);
  });

  it('is something else', async () => {
    const path = join(folder, 'text.so');
    writeFileSync(path, 'no library\n'.repeat(20));
    const error = await rejectionOf(openRuntime({ library: path }));
    expect(error.code).toBe('backend');
    expect(error.message).toContain('is not a library');
  });

  it.skipIf(!hasLibrary)('is cut short, and is taken when it has been mended', async () => {
    const path = join(folder, 'libonnxruntime.so.1');
    writeFileSync(path, readFileSync(library).subarray(0, 1_000_000));
    const error = await rejectionOf(openRuntime({ library: path }));
    expect(error.code).toBe('backend');
    expect(error.message).toContain('is cut short');
    copyFileSync(library, path);
    expect((await openRuntime({ library: path })).version).toBe('1.30.0');
  });

  it('is asked for with an impossible option', async () => {
    for (const threads of [0, -1, 1.5, Number.NaN, 5000]) {
      const error = await rejectionOf(openRuntime({ library, threads }));
      expect(error.code).toBe('wrong-use');
      expect(error.subject).toBe('threads');
    }
    vi.stubEnv('UNITSCOPE_BLOCK', '12');
    const error = await rejectionOf(openRuntime({ library }));
    expect(error.code).toBe('wrong-use');
    expect(error.message).toBe('UNITSCOPE_BLOCK is "12"; it must be 8 or 16, or unset');
  });
});

describe.skipIf(!hasLibrary)('failures of the binding to ONNX Runtime', () => {
  let runtime: OnnxRuntime;
  beforeAll(async () => {
    runtime = await openRuntime({ library, threads: 2 });
  });

  it('refuses what is no model', async () => {
    const model = elementwise('Neg', ['x']);
    for (const bytes of [new Uint8Array(0), new TextEncoder().encode('no model'), model.subarray(0, 40)]) {
      const error = await rejectionOf(runtime.load(bytes, { label: 'net.onnx' }));
      expect(error.code).toBe('bad-file');
      expect(error.message).toMatch(/^ONNX Runtime refuses net\.onnx: /);
    }
  });

  it('says which operator it does not know', async () => {
    const error = await rejectionOf(runtime.load(elementwise('Nonsense', ['x'])));
    expect(error.code).toBe('unsupported');
    expect(error.message).toContain('Nonsense');
  });

  it('names the input that does not fit', async () => {
    const session = await runtime.load(elementwise('Sub', ['a', 'b'], 'float32', [2, 3]));
    const a = zeros(2, 3);
    const cases: [Parameters<typeof session.run>[0], string][] = [
      [{ a }, 'the input "b" is missing'],
      [{ a, b: a, c: a }, 'no input "c"'],
      [
        { a, b: { dims: [2, 3], data: new Float64Array(6) } },
        'the input "b" is of type float32 and needs a Float32Array',
      ],
      [
        { a, b: { dims: [2, 4], data: new Float32Array(6) } },
        'the input "b" has dims [2, 4], which do not fit 6 elements',
      ],
      [{ a, b: zeros(3, 2) }, 'invalid dimensions for input: b'],
      [{ a, b: zeros(6) }, 'Invalid rank for input: b'],
    ];
    for (const [feeds, message] of cases) {
      const error = await rejectionOf(session.run(feeds));
      expect(error.message).toContain(message);
      expect(error.code).toBe('bad-input');
      expect(error.message).not.toContain('\n');
    }
    const gone = zeros(2, 3);
    structuredClone(gone.data, { transfer: [gone.data.buffer as ArrayBuffer] });
    expect((await rejectionOf(session.run({ a, b: gone }))).code).toBe('bad-input');
    expect((await rejectionOf(session.run({ a, b: a }, { outputs: ['z'] }))).message).toBe(
      'no output "z"; did you mean "y"?',
    );
    expect(await session.run({ a, b: a })).toEqual({ y: a });
    await session.release();
  });

  it('names the node that fails', async () => {
    const session = await runtime.load(power(1), { label: 'net.onnx' });
    const error = await rejectionOf(session.run({ x: zeros(2, 3) }));
    expect(error.code).toBe('backend');
    expect(error.message).toMatch(/^net\.onnx fails at node "MatMul" \(MatMul\): /);
    await session.release();
  });

  it('is of no use after its release', async () => {
    const session = await runtime.load(power(20));
    // What was asked for before is done before.
    const last = session.run({ x: zeros(64, 64) });
    const released = session.release();
    expect(session.release()).toBe(released);
    expect((await last)['y']).toEqual(zeros(64, 64));
    await released;
    for (const call of [() => session.run({ x: zeros(2, 2) }), () => session.endProfile()]) {
      const error = await rejectionOf(call());
      expect(error.code).toBe('backend');
      expect(error.message).toContain('has been released');
    }
  });

  it('makes no profile that was not asked for', async () => {
    const session = await runtime.load(power(1));
    expect((await rejectionOf(session.endProfile())).message).toContain('no profile was asked for');
    await session.release();
  });

  describe('an abort', () => {
    it('comes before the run', async () => {
      const session = await runtime.load(power(1));
      const reason = new Error('changed my mind');
      const error = await rejectionOf(session.run({ x: zeros(2, 2) }, { signal: AbortSignal.abort(reason) }));
      expect(error.code).toBe('aborted');
      expect(error.cause).toBe(reason);
      await session.release();
    });

    it('rejects at once and ends the run, which would take long', async () => {
      const session = await runtime.load(power(2000));
      const short = await runtime.load(power(1));
      const stop = new AbortController();
      const settled: string[] = [];
      const aborted = rejectionOf(session.run({ x: zeros(512, 512) }, { signal: stop.signal })).then(
        (error) => {
          settled.push(error.code);
        },
      );
      const next = short.run({ x: zeros(2, 2) }).then(() => settled.push('next'));
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(settled).toEqual([]);
      stop.abort();
      await Promise.resolve();
      await aborted;
      expect(settled).toEqual(['aborted']);
      await next;
      // The session can still be used, and listens to no signal any more.
      const results = short.run({ x: zeros(2, 2) }, { signal: stop.signal });
      expect((await rejectionOf(results)).code).toBe('aborted');
      const later = new AbortController();
      await short.run({ x: zeros(2, 2) }, { signal: later.signal });
      later.abort();
      await session.release();
      await short.release();
    });

    it('reaches a run that waits for another', async () => {
      const session = await runtime.load(power(60));
      const stop = new AbortController();
      const order: string[] = [];
      const first = session.run({ x: zeros(256, 256) }).then(() => order.push('first'));
      const second = rejectionOf(session.run({ x: zeros(256, 256) }, { signal: stop.signal })).then(() =>
        order.push('second'),
      );
      stop.abort();
      await Promise.all([first, second]);
      expect(order).toEqual(['second', 'first']);
      await session.release();
    });
  });
});
