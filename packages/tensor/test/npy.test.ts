import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it, vi } from 'vitest';
import {
  readNpy,
  readNpz,
  type TensorData,
  UnitscopeError,
  writeFileAtomic,
  writeNpy,
  writeNpz,
} from '../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'unitscope-npy-'));
afterAll(() => rmSync(folder, { recursive: true }));

const arrays: readonly TensorData[] = [
  new Float32Array([1.5, -0, Number.NaN]),
  new Float64Array([1e300, 2, 3]),
  new Int8Array([-128, 0, 127]),
  new Uint8Array([0, 1, 255]),
  new Int16Array([-5, 6, 7]),
  new Uint16Array([5, 6, 65535]),
  new Int32Array([-1, 2, 3]),
  new Uint32Array([1, 2, 4294967295]),
  new BigInt64Array([-1n, 2n, 9007199254740993n]),
  new BigUint64Array([1n, 2n, 18446744073709551615n]),
];

function numpyIsThere(): boolean {
  try {
    execFileSync('python3', ['-c', 'import numpy'], { stdio: 'ignore' });
    return true;
  } catch {
    console.warn('SKIPPED: python3 with numpy is not there, .npy files are not compared with numpy');
    return false;
  }
}

describe('.npy', () => {
  it.each(arrays.map((data) => [data.constructor.name, data] as const))('keeps %s', (_, data) => {
    expect(readNpy(writeNpy({ dims: [1, 3], data }))).toEqual({ dims: [1, 3], data });
  });

  it.each([[[]], [[0]], [[1]], [[2, 0, 3]]])('keeps dims %j', (dims) => {
    const data = new Float32Array(dims.reduce((product, size) => product * size, 1));
    expect(readNpy(writeNpy({ dims, data }))).toEqual({ dims, data });
  });

  it('starts its data at a multiple of 64 bytes', () => {
    const bytes = writeNpy({ dims: [1], data: new Float32Array([1]) });
    expect((bytes.length - 4) % 64).toBe(0);
  });

  it('throws typed errors only, whatever the bytes', () => {
    const good = writeNpy({ dims: [2, 2], data: new Float32Array(4) });
    fc.assert(
      fc.property(fc.nat(good.length), fc.nat(good.length - 1), fc.nat(255), (length, at, byte) => {
        const bytes = good.slice(0, length);
        if (at < bytes.length) bytes[at] = byte;
        try {
          readNpy(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(UnitscopeError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('reads a Buffer, which is a view of a larger one', () => {
    const bytes = Buffer.from(writeNpy({ dims: [2], data: Float32Array.from([3, 4]) }));
    expect(readNpy(bytes)).toEqual({ dims: [2], data: Float32Array.from([3, 4]) });
  });

  it('never allocates from a claimed size', () => {
    const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }";
    const bytes = new Uint8Array(10 + header.length);
    bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]);
    bytes.set(new TextEncoder().encode(header), 10);
    expect(() => readNpy(bytes, 'x.npy')).toThrow('x.npy is not a usable .npy file');
  });

  it.skipIf(!numpyIsThere())('is what numpy reads and writes', () => {
    const path = join(folder, 'ours.npy');
    writeFileSync(path, writeNpy({ dims: [2, 3], data: Float32Array.from([1, 2, 3, 4, 5, 6]) }));
    const program =
      'import sys, numpy as n; a = n.load(sys.argv[1]); sys.stdout.buffer.write((a.T * 2).copy().tobytes())';
    const doubled = execFileSync('python3', ['-c', program, path]);
    expect([...new Float32Array(new Uint8Array(doubled).buffer)]).toEqual([2, 8, 4, 10, 6, 12]);
    const back = execFileSync('python3', [
      '-c',
      'import io, sys, numpy as n; f = io.BytesIO(); n.save(f, n.arange(6, dtype="i8").reshape(2, 3)); sys.stdout.buffer.write(f.getvalue())',
    ]);
    expect(readNpy(new Uint8Array(back))).toEqual({
      dims: [2, 3],
      data: BigInt64Array.from([0n, 1n, 2n, 3n, 4n, 5n]),
    });
  });
});

describe('.npz', () => {
  it('keeps every array by name', () => {
    const archive = new Map(arrays.map((data, i) => [`array${i}`, { dims: [3], data }] as const));
    expect(readNpz(writeNpz(archive))).toEqual(archive);
  });

  it('is the same file for the same arrays, whatever the hour', () => {
    const archive = new Map([['a', { dims: [2], data: Float32Array.of(1, 2) }]]);
    vi.useFakeTimers({ now: new Date(2030, 5, 17, 12) });
    const later = writeNpz(archive);
    vi.useRealTimers();
    expect(later).toEqual(writeNpz(archive));
  });

  it('refuses what is not one', () => {
    expect(() => readNpz(new Uint8Array([1, 2, 3]), 'x.npz')).toThrow('x.npz is not a usable .npz file');
  });
});

describe('writeFileAtomic', () => {
  it('leaves nothing behind when the place cannot be written', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(writeFileAtomic(join(folder, 'file', 'below.txt'), 'x')).rejects.toThrow('cannot write');
    expect(readdirSync(folder).filter((name) => name.includes('.part'))).toEqual([]);
  });

  it.skipIf(process.platform !== 'linux')('gives up where no folder can be made', async () => {
    await expect(writeFileAtomic('/proc/unitscope/file.txt', 'x')).rejects.toThrow('cannot write');
  });

  it('makes folders that are missing', async () => {
    await writeFileAtomic(join(folder, 'a', 'b', 'c.txt'), 'x');
    expect(readdirSync(join(folder, 'a', 'b'))).toEqual(['c.txt']);
  });
});
