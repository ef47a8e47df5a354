import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { maxPool, maxPoolBackward, type PoolWindow, unpool } from '../src/index.js';

const folder = fileURLToPath(new URL('../../../../shared/goldens/ops/', import.meta.url));
const there = existsSync(`${folder}manifest.json`);
if (!there) console.warn(`golden tests are skipped: ${folder}manifest.json is missing`);

interface Manifest {
  readonly cases: readonly {
    readonly name: string;
    readonly op: string;
    readonly kernel: number | [number, number];
    readonly stride: number | [number, number];
    readonly pad: number | [number, number];
    readonly ceil: boolean;
  }[];
  readonly tensors: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly number[];
    readonly file: string;
  }[];
}

const manifest: Manifest = there
  ? JSON.parse(readFileSync(`${folder}manifest.json`, 'utf8'))
  : { cases: [], tensors: [] };

function read(name: string): { dims: readonly number[]; data: Float32Array } {
  const entry = manifest.tensors.find((tensor) => tensor.name === name);
  if (entry === undefined) throw new Error(`the goldens hold no ${name}`);
  const { buffer } = Uint8Array.from(readFileSync(folder + entry.file));
  const arrays = { float32: Float32Array, float64: Float64Array, int32: Int32Array };
  const Elements = arrays[entry.dtype as keyof typeof arrays];
  return { dims: entry.shape, data: Float32Array.from(new Elements(buffer)) };
}

describe.skipIf(!there)('goldens', () => {
  const cases = manifest.cases.filter(({ op }) => op === 'MaxPool');

  it('holds six poolings', () => {
    expect(cases.map(({ name }) => name)).toEqual([0, 1, 2, 3, 4, 5].map((i) => `maxpool${i}`));
  });

  it.each(cases)('$name', async ({ name, kernel, stride, pad, ceil }) => {
    const window: PoolWindow = { kernel, stride, padding: pad, ceilMode: ceil };
    const x = read(`${name}.x`);
    const [height = 0, width = 0] = x.dims.slice(-2);
    const { y, switches } = await maxPool(x, window);
    expect(y).toEqual({ dims: read(`${name}.y`).dims, data: read(`${name}.y`).data });

    const [kernelWidth, strides, pads] = [kernel, stride, pad].map((value) =>
      typeof value === 'number' ? [value, value] : value,
    ) as [[number, number], [number, number], [number, number]];
    const [outHeight = 0, outWidth = 0] = y.dims.slice(-2);
    const indices = Float32Array.from(switches.data, (cell, i) => {
      const row =
        (Math.floor(i / outWidth) % outHeight) * strides[0] - pads[0] + Math.floor(cell / kernelWidth[1]);
      return row * width + (i % outWidth) * strides[1] - pads[1] + (cell % kernelWidth[1]);
    });
    expect(indices).toEqual(read(`${name}.indices_hw`).data);

    const { dx } = await maxPoolBackward(x, read(`${name}.gy`), window);
    expectClose(dx.data, read(`${name}.gx`).data);
    const unpooled = await unpool(read(`${name}.unpool_in`), switches, [height, width], window);
    expectClose(unpooled.x.data, read(`${name}.unpool_scatter_add`).data);
  });
});

/** At most nine terms per sum, rounded once more when the golden was made float32. */
function expectClose(actual: Float32Array, expected: Float32Array): void {
  expect(actual.length).toBe(expected.length);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const worst = actual.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
  expect(worst).toBeLessThanOrEqual(9 * 2 ** -24 * largest);
}
