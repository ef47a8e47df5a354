import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Random, sizeOf, type Tensor, UnitscopeError, zeros } from '@unitscope/tensor';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadAddon } from '../src/addon.js';
import {
  DeviceBuffer,
  type DeviceName,
  listBackends,
  maxPool,
  maxPoolSync,
  type PoolWindow,
  toDevice,
  toDeviceSync,
  toHost,
  toHostSync,
  unpool,
  unpoolSync,
} from '../src/index.js';

const backends = listBackends();
const devices = (['cpu', 'cuda'] as const satisfies DeviceName[]).filter((name) => {
  const found = backends.find((backend) => backend.name === name);
  if (found?.available !== true) console.warn(`device tests skip the back end ${name}: ${found?.reason}`);
  return found?.available === true;
});

function values(dims: readonly number[], seed = 1): Tensor {
  const random = new Random(seed);
  return { dims, data: Float32Array.from({ length: sizeOf(dims) }, () => random.normal()) };
}

async function errorOf(action: () => unknown): Promise<UnitscopeError> {
  try {
    await action();
  } catch (error) {
    if (error instanceof UnitscopeError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const window: PoolWindow = { kernel: 3, stride: 2, padding: 1 };

describe.each(devices)('memory of %s', (backend) => {
  it.each([
    new Float32Array([1.5, -0, Number.NaN]),
    new Float64Array([Math.PI, 1e300]),
    new Uint8Array([0, 255]),
    new Int32Array([-(2 ** 31), 7]),
    new BigInt64Array([-(2n ** 63n), 5n]),
  ])('gives back what it was given: %o', async (data) => {
    const tensor = { dims: [data.length], data };
    const onDevice = await toDevice(tensor, { backend });
    expect(onDevice.data).toMatchObject({ backend, length: data.length, byteLength: data.byteLength });
    expect(await toHost(onDevice)).toEqual(tensor);
    expect(toHostSync(toDeviceSync(tensor, { backend }))).toEqual(tensor);
  });

  it('gives back arrays of any size, in buffers that are used again', async () => {
    await fc.assert(
      fc.asyncProperty(fc.float32Array({ maxLength: 5000 }), fc.nat(3), async (data, padding) => {
        // Starts that are not aligned to a vector.
        const shifted = new Float32Array(data.length + padding).subarray(padding);
        shifted.set(data);
        using buffer = new DeviceBuffer(backend, Float32Array, data.length);
        const onDevice = await toDevice({ dims: [data.length, 1], data: shifted }, { backend, into: buffer });
        expect(onDevice.data).toBe(buffer);
        expect(onDevice.dims).toEqual([data.length, 1]);
        const back = new Float32Array(data.length).fill(-1);
        expect((await toHost(onDevice, { into: back })).data).toBe(back);
        expect(back).toEqual(data);
      }),
    );
  });

  it('is freed once, and then no longer used', async () => {
    const x = toDeviceSync(values([4, 4]), { backend });
    expect(x.data.freed).toBe(false);
    x.data.free();
    x.data.free();
    expect(x.data.freed).toBe(true);
    for (const use of [
      () => toHost(x),
      () => toHostSync(x),
      () => toDevice(values([4, 4]), { backend, into: x.data }),
      () => maxPool(x, window),
      () => maxPoolSync(x, window),
      () => maxPool(zeros([4, 4]), window, { into: {} }).then(() => maxPool(x, window)),
    ]) {
      const error = await errorOf(use);
      expect(error.code).toBe('wrong-use');
      expect(error.message).toContain('has been freed');
    }
  });

  it('is freed by using', () => {
    let kept: DeviceBuffer;
    {
      using buffer = new DeviceBuffer(backend, Float32Array, 3);
      kept = buffer;
      expect(kept.freed).toBe(false);
    }
    expect(kept.freed).toBe(true);
  });

  it('lives until the kernels that use it are done', async () => {
    const host = values([16, 31, 33]);
    const expected = maxPoolSync(host, window, { backend });
    const runs = Array.from({ length: 8 }, async () => {
      const x = toDeviceSync(host, { backend });
      const pooled = maxPool(x, window);
      x.data.free();
      const { y } = await pooled;
      const back = toHost(y);
      y.data.free();
      return back;
    });
    for (const { data } of await Promise.all(runs)) expect(data).toEqual(expected.y.data);
  });

  it('rejects what does not fit', async () => {
    const tensor = values([2, 3]);
    const onDevice = toDeviceSync(tensor, { backend });
    const small = new DeviceBuffer(backend, Float32Array, 5);
    const bytes = new DeviceBuffer(backend, Uint8Array, 6);
    const cases: [() => unknown, string, string][] = [
      [() => toDevice(tensor, { backend, into: small }), 'bad-input', '6 elements cannot be copied to 5'],
      [() => toDevice({ dims: [7], data: tensor.data }, { backend }), 'bad-input', 'dims [7] and 6 elements'],
      [() => toHost({ dims: [7], data: onDevice.data }), 'bad-input', 'dims [7] and 6 elements'],
      [() => toHost(onDevice, { into: new Float32Array(7) }), 'bad-input', 'copied to 7 elements'],
      // @ts-expect-error: what a caller without types could pass
      [() => toDevice(tensor, { backend, into: bytes }), 'wrong-use', 'must be a Uint8Array'],
      // @ts-expect-error: what a caller without types could pass
      [() => toHost(onDevice, { into: new Int32Array(6) }), 'wrong-use', 'must be a Float32Array'],
      // @ts-expect-error: what a caller without types could pass
      [() => toDevice({ dims: [2], data: [1, 2] }, { backend }), 'bad-input', 'must be Float32Array'],
      // @ts-expect-error: what a caller without types could pass
      [() => new DeviceBuffer(backend, Int16Array, 2), 'wrong-use', 'no element type "Int16Array"'],
      [() => new DeviceBuffer(backend, Float32Array, 1.5), 'wrong-use', 'length must be'],
      [() => new DeviceBuffer(backend, Float32Array, -1), 'wrong-use', 'length must be'],
      // @ts-expect-error: the reference has no memory
      [() => toDevice(tensor, { backend: 'reference' }), 'wrong-use', 'no back end with memory "reference"'],
    ];
    for (const [action, code, message] of cases) {
      const error = await errorOf(action);
      expect(error.message).toContain(message);
      expect(error.code).toBe(code);
    }
  });

  it('that there is not enough of is an error of the back end, and of that call alone', async () => {
    const error = await errorOf(() => new DeviceBuffer(backend, Float64Array, 2 ** 50));
    expect(error.code).toBe('backend');
    expect(error.message).toMatch(new RegExp(`^a DeviceBuffer of ${2 ** 50} elements on ${backend}: .+`));
    expect(maxPoolSync(values([4, 4]), window, { backend }).backend).toBe(backend);
  });
});

describe.each(devices)('calls with buffers on %s', (backend) => {
  const x = values([2, 3, 12, 11]);
  const onDevice = toDeviceSync(x, { backend });

  it('run where the buffers are and leave their results there', async () => {
    const { y, switches, backend: ran } = await maxPool(onDevice, window);
    expect(ran).toBe(backend);
    expect(y.data).toBeInstanceOf(DeviceBuffer);
    expect(switches.data.backend).toBe(backend);
    expect((await maxPool(onDevice, window, { backend })).backend).toBe(backend);
  });

  it('do not run elsewhere', async () => {
    const other = backend === 'cpu' ? 'cuda' : 'cpu';
    const elsewhere = await errorOf(() => maxPool(onDevice, window, { backend: other }));
    expect(elsewhere.code).toBe('wrong-use');
    expect(elsewhere.message).toContain(`cannot run on "${other}" with DeviceBuffers on ${backend}`);
    const reference = await errorOf(() => maxPool(onDevice, window, { backend: 'reference' }));
    expect(reference.code).toBe('wrong-use');
    expect(reference.message).toContain('the reference takes typed arrays and x is a DeviceBuffer');
  });

  it('take typed arrays as further inputs, and buffers as further inputs of typed arrays', async () => {
    const pooled = maxPoolSync(x, window);
    const size = [12, 11] as const;
    const expected = unpoolSync(pooled.y, pooled.switches, size, window).x.data;
    const y = toDeviceSync(pooled.y, { backend });
    const switches = toDeviceSync(pooled.switches, { backend });
    const onHost = await unpool(pooled.y, switches, size, window);
    expect(onHost.backend).toBe(backend);
    expect(onHost.x.data).toEqual(expected);
    const there = await unpool(y, pooled.switches, size, window);
    expect((await toHost(there.x)).data).toEqual(expected);
    expect(toHostSync(unpoolSync(y, switches, size, window).x).data).toEqual(expected);
  });

  it('write to the buffers they are given', async () => {
    const { y } = maxPoolSync(x, window);
    const into = {
      y: new DeviceBuffer(backend, Float32Array, y.data.length),
      switches: new DeviceBuffer(backend, Uint8Array, y.data.length),
    };
    const result = await maxPool(onDevice, window, { into });
    expect(result.y.data).toBe(into.y);
    expect(result.switches.data).toBe(into.switches);
    expect((await toHost(result.y)).data).toEqual(y.data);
  });

  it('reject buffers that do not fit', async () => {
    const size = sizeOf(maxPoolSync(x, window).y.dims);
    const cases: [() => unknown, string, string][] = [
      [
        () => maxPool({ dims: [2, 3, 12, 10], data: onDevice.data }, window),
        'bad-input',
        'x must have dims [2, 3, 12, 10], it has [2, 3, 12, 10] and 792 elements',
      ],
      [
        () => maxPool(onDevice, window, { into: { y: new DeviceBuffer(backend, Float32Array, size + 1) } }),
        'bad-input',
        `y to write to must have ${size} elements, it has ${size + 1}`,
      ],
      [
        // @ts-expect-error: results lie where the first tensor does
        () => maxPool(onDevice, window, { into: { y: new Float32Array(size) } }),
        'wrong-use',
        `y to write to must be a DeviceBuffer on ${backend}`,
      ],
      [
        // @ts-expect-error: results lie where the first tensor does
        () => maxPool(x, window, { into: { y: new DeviceBuffer(backend, Float32Array, size) } }),
        'wrong-use',
        'y to write to must be a typed array, as the first tensor is',
      ],
      [
        // @ts-expect-error: what a caller without types could pass
        () => maxPool(toDeviceSync({ dims: [4, 4], data: new Int32Array(16) }, { backend }), window),
        'wrong-use',
        'x must be a DeviceBuffer of Float32Array, it is one of Int32Array',
      ],
      [
        () => maxPool(onDevice, { kernel: 1 }, { into: { y: onDevice.data } }),
        'wrong-use',
        'x and y overlap in memory',
      ],
    ];
    for (const [action, code, message] of cases) {
      const error = await errorOf(action);
      expect(error.message).toContain(message);
      expect(error.code).toBe(code);
    }
  });

  it('do not disturb each other', async () => {
    const windows = Array.from({ length: 24 }, (_, i): PoolWindow => ({ kernel: 1 + (i % 4) }));
    const together = await Promise.all(
      windows.map(async (one) => (await toHost((await maxPool(onDevice, one, { threads: 2 })).y)).data),
    );
    windows.forEach((one, i) => {
      expect(together[i]).toEqual(maxPoolSync(x, one, { threads: 1 }).y.data);
    });
  });
});

describe.skipIf(devices.length < 2)('buffers of two back ends', () => {
  it('are not mixed', async () => {
    const x = toDeviceSync(zeros([4, 4]), { backend: 'cpu' });
    const { y, switches } = maxPoolSync(zeros([4, 4]), window);
    const mixed = await errorOf(() =>
      unpool(
        toDeviceSync(y, { backend: 'cuda' }),
        toDeviceSync(switches, { backend: 'cpu' }),
        [4, 4],
        window,
      ),
    );
    expect(mixed.code).toBe('wrong-use');
    expect(mixed.message).toContain('y lies on cuda, switches on cpu; move one of them');
    const into = await errorOf(() => toDevice(zeros([4, 4]), { backend: 'cuda', into: x.data }));
    expect(into.message).toContain('lies on cpu, not on cuda');
  });
});

const params = {
  planes: 1,
  height: 2,
  width: 2,
  outHeight: 1,
  outWidth: 1,
  kernel: [2, 2],
  stride: [1, 1],
  padBegin: [0, 0],
  padEnd: [0, 0],
  dilation: [1, 1],
};

describe('the addon itself', () => {
  const { now, memory } = loadAddon();
  const arrays = { x: new Float32Array(4), y: new Float32Array(1), switches: new Uint8Array(1) };
  const good = { backend: 0, threads: 1, params, ...arrays };
  const call = (args: object) => Reflect.apply(now.maxPool, undefined, [args]);

  it('takes no other object for memory', () => {
    for (const x of [{}, { handle: 3 }, { handle: {} }, { handle: null }, null]) {
      expect(() => call({ ...good, x })).toThrow('x must be a Float32Array or a DeviceBuffer');
    }
    expect(() => Reflect.apply(memory.free, undefined, [{ memory: { handle: {} } }])).toThrow(
      'memory must be a DeviceBuffer',
    );
  });

  it('looks at type, length and back end', () => {
    const x = new DeviceBuffer('cpu', Float32Array, 4);
    expect(() => call({ ...good, x })).not.toThrow();
    expect(() => call({ ...good, x: new DeviceBuffer('cpu', Int32Array, 4) })).toThrow(
      'it is one of Int32Array',
    );
    expect(() => call({ ...good, x: new DeviceBuffer('cpu', Float32Array, 5) })).toThrow(
      'x must have 4 elements, it has 5',
    );
    expect(() => call({ ...good, x, backend: 1 })).toThrow(
      'memory of the back end cpu cannot be used on cuda',
    );
    x.free();
    expect(() => call({ ...good, x })).toThrow('x is a DeviceBuffer that has been freed');
  });

  it('allocates only what is a type, a number and a back end', () => {
    const allocate = (request: object) => Reflect.apply(memory.allocate, undefined, [request]);
    const request = { backend: 0, type: 'Float32Array', count: 1 };
    expect(() => allocate(request)).not.toThrow();
    expect(() => allocate({ ...request, type: 'Int16Array' })).toThrow('type must be Uint8Array');
    expect(() => allocate({ ...request, type: 3 })).toThrow('type must be');
    expect(() => allocate({ ...request, count: -1 })).toThrow('count must be an integer');
    expect(() => allocate({ ...request, backend: 2 })).toThrow('backend must be an integer');
  });
});

describe('memory that nobody frees', () => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  // Above the size from which malloc gives memory back to the system as soon as it is freed.
  const size = 40;
  const data = new Uint8Array(size * 2 ** 20).fill(1);
  const make = () => toDeviceSync({ dims: [data.length], data }, { backend: 'cpu' });
  const resident = () => process.memoryUsage().rss / 2 ** 20;

  it('is freed when its buffer is collected', async () => {
    const before = resident();
    let all: ReturnType<typeof make>[] = [make(), make(), make(), make()];
    expect(resident() - before).toBeGreaterThan(3.5 * size);
    all[0]?.data.free();
    all[1]?.data.free();
    expect(resident() - before).toBeLessThan(2.5 * size);
    // Finalisers run in a turn of their own.
    for (let i = 0; i < 4; i++) {
      collect();
      await turn();
    }
    expect(resident() - before).toBeGreaterThan(1.5 * size);
    expect(all[2]?.data.freed).toBe(false);
    all = [];
    for (let i = 0; i < 4; i++) {
      collect();
      await turn();
    }
    expect(resident() - before).toBeLessThan(0.5 * size);
  });

  it('is known to the collector, which comes in time by itself', async () => {
    const before = resident();
    let most = 0;
    for (let i = 0; i < 14; i++) {
      make();
      most = Math.max(most, resident() - before);
      await turn();
    }
    expect(most).toBeLessThan(8 * size);
  });
});
