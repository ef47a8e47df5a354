import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { releaseData, type Tensor, type TensorData } from '@unitscope/tensor';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type OnnxRuntime, openRuntime, RUNTIME_VERSION } from '../src/runtime/index.js';
import { rejectionOf } from './support/errors.js';
import { elementwise, hasLibrary, heavy, heavyDims, library, power, shiftBy } from './support/onnxruntime.js';

const matrix = (size: number, value: (row: number, column: number) => number): Tensor => ({
  dims: [size, size],
  data: Float32Array.from({ length: size * size }, (_, i) => value(Math.floor(i / size), i % size)),
});

describe.skipIf(!hasLibrary)('ONNX Runtime through the binding', () => {
  let runtime: OnnxRuntime;
  beforeAll(async () => {
    runtime = await openRuntime({ library, threads: 2 });
  });

  it('is opened once for all who ask, and knows its layout', async () => {
    expect(runtime.version).toBe(RUNTIME_VERSION);
    expect(runtime.threads).toBe(2);
    expect([8, 16, undefined]).toContain(runtime.block);
    expect(await openRuntime({ library, threads: 1 })).toBe(runtime);
  });

  it('says what a network takes and gives', async () => {
    const session = await runtime.load(elementwise('Sub', ['a', 'b'], 'int64'));
    expect(session.inputs).toEqual([
      { name: 'a', type: 'int64' },
      { name: 'b', type: 'int64' },
    ]);
    expect(session.outputs).toEqual([{ name: 'y' }]);
    await session.release();
  });

  it('computes what the operator says, for any sizes in any order', async () => {
    const session = await runtime.load(elementwise('Sub', ['a', 'b']));
    const sizes = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 3000 })), {
      minLength: 1,
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer(), async (list, seed) => {
        for (const [index, dims] of list.entries()) {
          const length = dims[0] * dims[1];
          const a = Float32Array.from({ length }, (_, i) => ((i * 7 + seed) % 1000) / 8);
          const b = Float32Array.from({ length }, (_, i) => ((i * 13 + index) % 500) / 4);
          const { y } = await session.run({ a: { dims, data: a }, b: { dims, data: b } });
          expect(y!.dims).toEqual([...dims]);
          expect(y!.data).toEqual(a.map((value, i) => value - b[i]!));
        }
      }),
      { numRuns: 15 },
    );
    await session.release();
  });

  const arrays: readonly [Parameters<typeof elementwise>[2], TensorData][] = [
    ['float32', Float32Array.of(1.5, -0, 3, Number.NaN)],
    ['float64', Float64Array.of(1.5, -2.25, 1e300, 4)],
    ['int8', Int8Array.of(-128, 127, 0, 1)],
    ['uint8', Uint8Array.of(0, 255, 7, 8)],
    ['int16', Int16Array.of(-32768, 32767, 0, 1)],
    ['uint16', Uint16Array.of(0, 65535, 7, 8)],
    ['int32', Int32Array.of(-(2 ** 31), 2 ** 31 - 1, 0, 1)],
    ['uint32', Uint32Array.of(0, 2 ** 32 - 1, 7, 8)],
    ['int64', BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n, 0n, 1n)],
    ['uint64', BigUint64Array.of(0n, 2n ** 64n - 1n, 7n, 8n)],
    ['bool', Uint8Array.of(0, 1, 1, 0)],
    ['float16', Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0)],
    ['bfloat16', Uint16Array.of(0x3f80, 0xc000, 0x7f7f, 0)],
  ];
  it.each(arrays)('carries %s both ways', async (type, data) => {
    const session = await runtime.load(elementwise('Identity', ['x'], type));
    expect(session.inputs[0]!.type).toBe(type);
    for (let times = 0; times < 2; times++) {
      const { y } = await session.run({ x: { dims: [2, 2], data } });
      expect(y).toEqual({ dims: [2, 2], data });
      expect(y!.data.constructor).toBe(data.constructor);
    }
    await session.release();
  });

  it('leaves the caller its arrays, views and shared memory too', async () => {
    const session = await runtime.load(elementwise('Neg', ['x']));
    const whole = Float32Array.of(9, 1, 2, 9);
    const { y } = await session.run({ x: { dims: [1, 2], data: whole.subarray(1, 3) } });
    expect(y!.data).toEqual(Float32Array.of(-1, -2));
    expect(whole).toEqual(Float32Array.of(9, 1, 2, 9));
    const shared = new Float32Array(new SharedArrayBuffer(8));
    shared.set([3, 4]);
    expect((await session.run({ x: { dims: [2, 1], data: shared } }))['y']!.data).toEqual(
      Float32Array.of(-3, -4),
    );
    await session.release();
  });

  it('gives results that later runs do not touch', async () => {
    const session = await runtime.load(elementwise('Neg', ['x']));
    const results: Tensor<TensorData>[] = [];
    for (let i = 0; i < 20; i++) {
      results.push(
        (await session.run({ x: { dims: [1, 2000], data: new Float32Array(2000).fill(i) } }))['y']!,
      );
    }
    for (const [i, { data }] of results.entries()) expect(data).toEqual(new Float32Array(2000).fill(-i));
    await session.release();
  });

  it('gives only the outputs that are asked for', async () => {
    const session = await runtime.load(elementwise('Neg', ['x']));
    const x = { dims: [1, 1], data: Float32Array.of(1) };
    expect(await session.run({ x }, { outputs: ['y'] })).toEqual({
      y: { dims: [1, 1], data: Float32Array.of(-1) },
    });
    expect(await session.run({ x }, { outputs: [] })).toEqual({});
    await session.release();
  });

  it('runs many sessions at once', async () => {
    const sessions = await Promise.all([1, 2, 3].map((products) => runtime.load(power(products))));
    const results = await Promise.all(
      [2, 3].flatMap((base) =>
        sessions.map((session) => session.run({ x: matrix(40, (i, j) => (i === j ? base : 0)) })),
      ),
    );
    const powers = [4, 8, 16, 9, 27, 81];
    for (const [index, { y }] of results.entries()) {
      expect(y!.data).toEqual(matrix(40, (i, j) => (i === j ? powers[index]! : 0)).data);
    }
    await Promise.all(sessions.map((session) => session.release()));
  });

  it('lets the event loop turn while it runs', async () => {
    const session = await runtime.load(power(40));
    let turns = 0;
    let running = true;
    const turn = () => {
      turns++;
      if (running) setImmediate(turn);
    };
    setImmediate(turn);
    await session.run({ x: matrix(256, () => 0) });
    running = false;
    expect(turns).toBeGreaterThan(10);
    await session.release();
  });

  it('reads weights of other files', async () => {
    const { bytes: model, externalData } = shiftBy(Float32Array.of(10, 20, 30));
    const session = await runtime.load(model, { externalData });
    // What was read may change.
    model.fill(0);
    for (const { data } of externalData) data.fill(0);
    const { y } = await session.run({ x: { dims: [3], data: Float32Array.of(1, 2, 3) } });
    expect(y!.data).toEqual(Float32Array.of(11, 22, 33));
    await session.release();
    const error = await rejectionOf(runtime.load(shiftBy(Float32Array.of(1)).bytes, { label: 'net.onnx' }));
    expect(error.code).toBe('bad-file');
  });

  it('writes a profile that names the nodes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'unitscope-profile-'));
    try {
      const session = await runtime.load(elementwise('Neg', ['x']), { profile: join(folder, 'run') });
      await session.run({ x: { dims: [1, 1], data: Float32Array.of(1) } });
      const path = await session.endProfile();
      expect(path.startsWith(join(folder, 'run'))).toBe(true);
      expect(readFileSync(path, 'utf8')).toContain('Neg');
      expect((await rejectionOf(session.endProfile())).message).toContain('it has ended');
      await session.release();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('holds no memory of sessions that were released', async () => {
    const model = heavy(4, 0.5);
    const x = { dims: heavyDims, data: new Float32Array(1 << 18).fill(1) };
    const cycle = async () => {
      const session = await runtime.load(model);
      const { y } = await session.run({ x });
      expect(y!.data).toEqual(new Float32Array(4).fill(2 ** 17));
      await session.release();
    };
    for (let i = 0; i < 10; i++) await cycle();
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 50; i++) await cycle();
    // 200 MB of weights came and went.
    expect(process.memoryUsage.rss() - before).toBeLessThan(100e6);
  });

  it('takes the memory of results back when they are collected', async () => {
    const session = await runtime.load(elementwise('Neg', ['x']));
    const x = { dims: [10, 1e6], data: new Float32Array(1e7) };
    for (let i = 0; i < 10; i++) await session.run({ x });
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 60; i++) await session.run({ x });
    // 2.4 GB of results were given.
    expect(process.memoryUsage.rss() - before).toBeLessThan(600e6);
    await session.release();
  });

  it('uses the memory of a result again as soon as it is released', async () => {
    const session = await runtime.load(elementwise('Neg', ['x']));
    const size = 123_456;
    const x = { dims: [1, size], data: new Float32Array(size).fill(1) };
    await session.run({ x });
    const { y } = await session.run({ x });
    y!.data.fill(42);
    releaseData(y!.data);
    expect(y!.data.length).toBe(0);
    // It goes back on a later turn of the event loop.
    await nextTurn();
    await nextTurn();
    const again = new Float32Array(session.lendMemory(4 * size));
    expect(again).toEqual(new Float32Array(size).fill(42));
    releaseData(again);
    expect(session.lendMemory(0).byteLength).toBe(0);
    expect(() => session.lendMemory(2 ** 52)).toThrow(
      expect.objectContaining({ code: 'backend', message: expect.stringContaining('memory') }),
    );
    await session.release();
    expect(() => session.lendMemory(4)).toThrow(expect.objectContaining({ code: 'backend' }));
  });
});
