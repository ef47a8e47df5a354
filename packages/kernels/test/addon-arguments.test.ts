// What a caller without types could pass to the addon. Every kernel is called as one of its cases calls it, with one
// argument spoilt at a time; the answer must be an error, and the process must live on.
import { describe, expect, it, vi } from 'vitest';
import { loadAddon } from '../src/addon.js';
import { kernelCases } from '../src/index.js';
import { KERNEL_NAMES, type KernelName } from '../src/kernel-arguments.js';

type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array | BigInt64Array;
type Call = Readonly<Record<string, unknown>>;

function isTypedArray(value: unknown): value is TypedArray {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

/** The array's elements in other memory, from its start. */
function copyInto(memory: ArrayBuffer | SharedArrayBuffer, array: TypedArray): TypedArray {
  const copy: unknown = Reflect.construct(array.constructor, [memory, 0, array.length]);
  if (!isTypedArray(copy)) throw new Error('a typed array was expected');
  new Uint8Array(memory).set(bytesOf(array));
  return copy;
}

function bytesOf(array: TypedArray): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function copyOf(call: Call): Call {
  return Object.fromEntries(
    Object.entries(call).map(([name, value]) => [
      name,
      isTypedArray(value) ? copyInto(new ArrayBuffer(value.byteLength), value) : value,
    ]),
  );
}

const { now } = loadAddon();

const SIZE =
  /^(params\.(planes|(out)?(H|h)eight|(out)?(W|w)idth)|batch|channels|images|units|cells|size|rows|features|problems|members)$/;

/** What the addon is given in one of the kernel's cases: a small one that fills the most arrays. */
function goodCallOf(kernel: KernelName): Call {
  const calls = kernelCases[kernel]
    .filter(({ purpose }) => purpose === 'conformance')
    .map(({ prepare }) => {
      const prepared = prepare();
      const spy = vi.spyOn(now, kernel).mockImplementation(() => {});
      try {
        prepared.runSync({ backend: 'cpu', threads: 1 });
        return spy.mock.calls[0]![0] as unknown;
      } finally {
        spy.mockRestore();
      }
    })
    .filter((call): call is Call => typeof call === 'object' && call !== null);
  const score = (call: Call): number => {
    const sizes = Object.values(call)
      .filter(isTypedArray)
      .map(({ length }) => length);
    const filled = sizes.filter((size) => size > 0).length;
    const total = sizes.reduce((sum, size) => sum + size, 0);
    return total > 5000 ? -total : filled * 10_000 + total;
  };
  return calls.reduce((best, call) => (score(call) > score(best) ? call : best));
}

const invoke = (kernel: KernelName, call: Call): unknown => Reflect.apply(now[kernel], undefined, [call]);

/** Every number of the call with the way to put another in its place, those of nested objects and pairs too. */
function numbersOf(value: unknown): { path: string; replace: (wrong: unknown) => unknown }[] {
  if (typeof value === 'number') return [{ path: '', replace: (wrong) => wrong }];
  if (typeof value !== 'object' || value === null || isTypedArray(value)) return [];
  return Object.entries(value).flatMap(([key, child]) =>
    numbersOf(child).map(({ path, replace }) => ({
      path: `${key}${path === '' ? '' : `.${path}`}`,
      replace: (wrong: unknown) =>
        Array.isArray(value)
          ? value.map((each: unknown, i) => (String(i) === key ? replace(wrong) : each))
          : { ...value, [key]: replace(wrong) },
    })),
  );
}

describe.each([...KERNEL_NAMES])('%s', (kernel) => {
  const good = goodCallOf(kernel);
  const arrays = Object.entries(good).filter((entry): entry is [string, TypedArray] =>
    isTypedArray(entry[1]),
  );
  const filled = arrays.filter(([, { length }]) => length > 0);
  const call = copyOf(good);
  invoke(kernel, call);
  const written = filled.filter(([name, before]) => {
    const after = call[name];
    return isTypedArray(after) && Buffer.compare(bytesOf(before), bytesOf(after)) !== 0;
  });

  it('takes the good call, and one in shared memory', () => {
    expect(written).not.toEqual([]);
    const shared = Object.fromEntries(
      arrays.map(([name, array]) => [name, copyInto(new SharedArrayBuffer(array.byteLength), array)]),
    );
    invoke(kernel, { ...good, ...shared });
    for (const [name] of written) expect(shared[name]).toEqual(call[name]);
  });

  describe.each(arrays)('the array %s', (name, array) => {
    const wrong = (value: unknown): void => {
      expect(() => invoke(kernel, { ...copyOf(good), [name]: value })).toThrow(name);
    };

    it('must be there and an array of its type', () => {
      wrong(undefined);
      wrong(null);
      wrong(array.length);
      wrong(Array.from(array));
      wrong(new DataView(new ArrayBuffer(array.byteLength)));
      wrong(array instanceof Float32Array ? new Uint32Array(array.length) : new Float32Array(array.length));
      wrong(new Uint16Array(array.length));
    });

    it('must have the length that the sizes say', () => {
      wrong(Reflect.construct(array.constructor, [array.length + 1]));
      if (array.length > 0) wrong(Reflect.construct(array.constructor, [array.length - 1]));
      if (array.length > 0) wrong(Reflect.construct(array.constructor, [0]));
    });

    it('must lie in memory that stays', () => {
      const memory = Reflect.construct(ArrayBuffer, [
        array.byteLength,
        { maxByteLength: array.byteLength + 8 },
      ]) as ArrayBuffer;
      wrong(Reflect.construct(array.constructor, [memory]));
      const gone = copyInto(new ArrayBuffer(array.byteLength), array);
      structuredClone(gone.buffer, { transfer: [gone.buffer as ArrayBuffer] });
      wrong(gone);
    });
  });

  it('writes to no memory that it also reads or writes otherwise', () => {
    for (const [output, target] of written) {
      for (const [other, array] of filled.filter(([name]) => name !== output)) {
        const memory = new ArrayBuffer(Math.max(target.byteLength, array.byteLength));
        const aliased = { [output]: copyInto(memory, target), [other]: copyInto(memory, array) };
        expect(() => invoke(kernel, { ...copyOf(good), ...aliased }), `${output} is ${other}`).toThrow(
          'overlap',
        );
      }
    }
  });

  describe.each(numbersOf(good))('the number $path', ({ path, replace }) => {
    const spoil = (value: unknown): unknown => {
      const spoilt = replace(value);
      return typeof spoilt === 'object' ? { ...good, ...copyOf(spoilt as Call) } : spoilt;
    };

    it.each([undefined, null, '1', {}, [1], 1n])('must be a number, not %s', (value) => {
      expect(() => Reflect.apply(now[kernel], undefined, [spoil(value)])).toThrow();
    });

    // A real number or a number of threads may be any of these, and a size none, since the arrays keep theirs.
    it.each([
      -1,
      0,
      0.5,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2 ** 31 - 1,
      2 ** 31,
      2 ** 32 + 1,
      2 ** 52,
      2 ** 53,
      2 ** 63,
      -(2 ** 63),
    ])('is checked when it is %d', (value) => {
      let error: unknown;
      try {
        Reflect.apply(now[kernel], undefined, [spoil(value)]);
      } catch (cause) {
        error = cause;
      }
      if (error !== undefined) expect(error).toMatchObject({ code: expect.any(String), message: /./ });
      if (SIZE.test(path)) expect(error).toBeInstanceOf(Error);
    });
  });
});
