import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { sizeOf, type Tensor, UnitscopeError, zeros } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadAddon } from '../src/addon.js';
import { makeValues } from '../src/cases/case.js';
import {
  betaOfReleasedSlope,
  type MaskLocation,
  maskBackward,
  maskBackwardSync,
  maskForward,
  maskForwardSync,
  templateBank,
} from '../src/index.js';
import { maskBackwardReference } from '../src/reference/mask-backward.js';
import { maskForwardReference } from '../src/reference/mask-forward.js';

const shared = fileURLToPath(new URL('../../../../shared/', import.meta.url));
const EPSILON = 2 ** -24;

/** Every operation rounds once, on terms no larger than 1 + beta * distance / n < 9 times the value. */
function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  scale: (i: number) => number,
): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const allowed = 6 * 9 * EPSILON * scale(i);
    if (!(Math.abs(actual[i]! - expected[i]!) <= allowed)) {
      expect.fail(`[${i}] is ${actual[i]}, not ${expected[i]}; rounding allows ${allowed}`);
    }
  }
}

interface Manifest {
  readonly tau: number;
  readonly tensors: readonly { name: string; dtype: string; shape: number[]; file: string }[];
}

for (const name of ['icnn_n9', 'icnn_n14']) {
  const folder = `${shared}goldens/${name}/`;
  const there = existsSync(`${folder}manifest.json`);
  if (!there) console.warn(`golden tests are skipped: ${folder}manifest.json is missing`);

  describe.skipIf(!there)(`golden ${name}`, () => {
    const manifest: Manifest = there
      ? JSON.parse(readFileSync(`${folder}manifest.json`, 'utf8'))
      : { tau: 0, tensors: [] };
    const read = (tensor: string) => {
      const entry = manifest.tensors.find((each) => each.name === tensor);
      if (entry === undefined) throw new Error(`the golden holds no ${tensor}`);
      const { buffer } = Uint8Array.from(readFileSync(folder + entry.file));
      const arrays = { float32: Float32Array, float64: Float64Array, int32: Int32Array };
      return { dims: entry.shape, data: new arrays[entry.dtype as keyof typeof arrays](buffer) };
    };
    const floats = (tensor: string): Tensor => {
      const { dims, data } = read(tensor);
      return { dims, data: Float32Array.from(data) };
    };

    it('has the templates', () => {
      const expected = read('templates_pos');
      const { dims, data } = templateBank(expected.dims[1]!);
      expect(dims).toEqual(expected.dims);
      expectClose(data, expected.data, () => manifest.tau);
    });

    it('has the parts, the masks of both heights and the gradient', async () => {
      const x = floats('x');
      const tau = await maskForward(x, { height: 'tau' });
      expect(tau.mu.dims).toEqual(read('argmax_index').dims);
      expect(tau.mu.data).toEqual(read('argmax_index').data);
      expect(tau.mu.data[0]).toBe(0);
      expectClose(tau.y.data, read('masked_relu_tau').data, (i) => manifest.tau * x.data[i]!);
      const unit = await maskForward(x);
      expectClose(unit.y.data, read('masked_relu_unit').data, (i) => x.data[i]!);
      const dy = read('upstream_grad');
      const { dx } = await maskBackward({ dims: dy.dims, data: Float32Array.from(dy.data) }, tau.mu, {
        height: 'tau',
        x,
      });
      const vjp = read('masked_relu_tau_vjp').data;
      expectClose(dx.data, vjp, (i) => manifest.tau * Math.abs(dy.data[i]!));
      expect(dx.data.some((value, i) => value === 0 && x.data[i]! > 0)).toBe(true);
    });

    it('has the centroids and masks of the released code', async () => {
      const x = floats('x');
      const size = x.dims[3]!;
      const { y, mu } = await maskForward(x, { location: 'centroid', beta: betaOfReleasedSlope(2, size) });
      const along = (cell: number) => -1 + (2 * cell) / (size - 1);
      const rows = Float64Array.from(mu.data, (cell) => along(Math.floor(cell / size)));
      expectClose(rows, read('adashen_mu_x').data, () => 1);
      const columns = Float64Array.from(mu.data, (cell) => along(cell % size));
      expectClose(columns, read('adashen_mu_y').data, () => 1);
      expectClose(y.data, read('adashen_masked').data, (i) => x.data[i]!);
    });
  });
}

const workedFile = `${shared}spec/icnn_templates_mask_n4.json`;
const worked = existsSync(workedFile);
if (!worked) console.warn(`the worked example is skipped: ${workedFile} is missing`);

describe.skipIf(!worked)('the worked example of 4 x 4', () => {
  const example = worked ? JSON.parse(readFileSync(workedFile, 'utf8')) : {};
  const flat = (nested: number[][] | number[][][]): number[] => nested.flat(2);
  const mapOf = (rows: number[][]): Tensor => ({
    dims: [1, rows.length, rows.length],
    data: Float32Array.from(rows.flat()),
  });

  it('has the templates, exactly', () => {
    expect([...templateBank(4).data]).toEqual(flat(example.positive_templates_row_major_mu));
  });

  it.each([
    ['tau', 'masked_paper_eq9', 'grad_x_paper'],
    [1, 'masked_unit_scale', 'grad_x_unit_scale'],
  ] as const)('has mask and gradient of height %s', (height, masked, gradient) => {
    const x = mapOf(example.x);
    const { y, mu } = maskForwardSync(x, { height });
    expect(mu.data[0]).toBe(example.mu_hat[0] * 4 + example.mu_hat[1]);
    expectClose(y.data, flat(example[masked]), () => 2.5);
    const { dx } = maskBackwardSync(mapOf(example.upstream_grad), mu, { height });
    expectClose(dx.data, flat(example[gradient]), () => 1);
  });

  it('has the centroid of the released code and its mask', () => {
    const { mu, y } = maskForwardSync(mapOf(example.x), {
      location: 'centroid',
      beta: betaOfReleasedSlope(2, 4),
    });
    const released = example.released_code;
    expect(mu.data[0]).toBe((released.centroid_row_1based - 1) * 4 + released.centroid_col_1based - 1);
    expectClose(y.data, flat(released.masked), () => 2.5);
  });

  it('gives a tie to the first in row-major order', () => {
    const [row, column] = example.tie_example.row_major_first;
    expect(maskForwardSync(mapOf(example.tie_example.x)).mu.data[0]).toBe(row * 3 + column);
  });
});

const maps = fc.record({
  dims: fc
    .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 40 }))
    .map(([batch, channels, size]) => [batch, channels, size, size]),
  kind: fc.constantFrom('normal', 'ties', 'nan', 'zeros'),
  beta: fc.float({ min: 0, max: 16, noNaN: true }),
  height: fc.float({ min: Math.fround(1e-3), max: 10, noNaN: true }),
  location: fc.constantFrom<MaskLocation>('argmax', 'centroid'),
  threads: fc.integer({ min: 0, max: 5 }),
  seed: fc.integer({ min: 0, max: 1000 }),
});

describe('any maps', () => {
  it('have the parts and the masks of the definition', () => {
    fc.assert(
      fc.property(maps, ({ dims, kind, beta, height, location, threads, seed }) => {
        const x = { dims, data: makeValues(kind, sizeOf(dims), seed) };
        const [batch = 0, channels = 0, size = 0] = dims;
        const slopes = new Float32Array(channels).fill(beta);
        const expected = maskForwardReference({ batch, channels, size, height }, location, x.data, slopes);
        const { y, mu } = maskForwardSync(x, { beta, height, location, threads });
        expect(mu.data).toEqual(expected.mu);
        expected.y.forEach((value, i) => {
          const near = Math.abs(y.data[i]! - value) <= 5 * EPSILON * expected.magnitude[i]!;
          if (!near && !(Number.isNaN(value) && Number.isNaN(y.data[i]))) expect(y.data[i]).toBe(value);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('give the templates of the bank when all cells are 1', () => {
    fc.assert(
      fc.property(maps, ({ dims, beta, height, seed }) => {
        const size = dims[2]!;
        const mu = Int32Array.of(seed % size ** 2);
        const ones = { dims: [1, size, size], data: new Float32Array(size * size).fill(1) };
        const { dx } = maskBackwardSync(ones, { dims: [1], data: mu }, { beta, height });
        // A large bank costs more than it tells.
        if (size > 12) return;
        const bank = templateBank(size, { beta, height }).data;
        const template = bank.subarray(mu[0]! * size * size, (mu[0]! + 1) * size * size);
        expect(dx.data).toEqual(template.map((value) => Math.max(value, 0)));
      }),
      { numRuns: 200 },
    );
  });

  it('are masked to themselves, in place of their parts, when the mask never falls', () => {
    fc.assert(
      fc.property(maps, ({ dims, seed, location, threads }) => {
        const data = makeValues('normal', sizeOf(dims), seed).map(Math.abs);
        expect(maskForwardSync({ dims, data }, { beta: 0, location, threads }).y.data).toEqual(data);
      }),
      { numRuns: 100 },
    );
  });

  it('have the gradient that central differences give', () => {
    fc.assert(
      fc.property(maps, ({ dims, beta, height, seed }) => {
        const size = dims[2]!;
        const params = { batch: 1, channels: 1, size, height };
        const slope = Float32Array.of(beta);
        const x = Float64Array.from(makeValues('normal', size * size, seed));
        const dy = Float64Array.from(makeValues('normal', size * size, seed + 1));
        const { mu } = maskForwardReference(params, 'argmax', x, slope);
        const { dx } = maskBackwardReference(params, dy, x, slope, mu);
        const cell = seed % x.length;
        // Smaller than the distance of a value from 0 and from another one, all but surely.
        const step = 1e-7;
        const objective = (shift: number) => {
          const moved = x.slice();
          moved[cell] = moved[cell]! + shift;
          const { y } = maskForwardReference(params, 'argmax', moved, slope);
          return y.reduce((total, value, i) => total + value * dy[i]!, 0);
        };
        expect((objective(step) - objective(-step)) / (2 * step)).toBeCloseTo(dx[cell]!, 4);
      }),
      { numRuns: 100, seed: 7 },
    );
  });
});

describe('wrong arguments', () => {
  const x = zeros([2, 3, 4, 4]);
  const mu: Tensor<Int32Array> = { dims: [2, 3], data: new Int32Array(6) };
  const errorOf = (action: () => unknown): UnitscopeError => {
    try {
      action();
    } catch (error) {
      if (error instanceof UnitscopeError) return error;
      throw error;
    }
    throw new Error('nothing was thrown');
  };

  it.each([
    ['maps that are not square', () => maskForwardSync(zeros([2, 3, 4, 5])), 'bad-input', 'square maps'],
    ['no channels axis', () => maskForwardSync(zeros([4, 4])), 'bad-input', 'square maps'],
    ['maps without cells', () => maskForwardSync(zeros([2, 3, 0, 0])), 'bad-input', 'square maps'],
    ['a negative beta', () => maskForwardSync(x, { beta: -1 }), 'wrong-use', 'beta must be'],
    [
      'NaN as one beta',
      () => maskForwardSync(x, { beta: new Float32Array([4, Number.NaN, 4]) }),
      'wrong-use',
      'beta must be',
    ],
    [
      'betas of other channels',
      () => maskForwardSync(x, { beta: new Float32Array(2) }),
      'bad-input',
      'have 3 elements',
    ],
    ['no height', () => maskForwardSync(x, { height: 0 }), 'wrong-use', 'height must be'],
    [
      'a short result',
      () => maskForwardSync(x, { into: { mu: new Int32Array(5) } }),
      'bad-input',
      'mu to write to',
    ],
    ['a result in place', () => maskForwardSync(x, { into: { y: x.data } }), 'wrong-use', 'x and y overlap'],
    [
      'mu of other maps',
      () => maskBackwardSync(x, { dims: [6], data: mu.data }),
      'bad-input',
      'mu must have dims [2, 3]',
    ],
    [
      'mu that is no cell',
      () => maskBackwardSync(x, { dims: [2, 3], data: mu.data.map(() => 16) }),
      'bad-input',
      'mu[0] is 16',
    ],
    [
      'x of other dims',
      () => maskBackwardSync(x, mu, { x: zeros([2, 3, 16]) }),
      'bad-input',
      'x must have dims',
    ],
    ['a bank without templates', () => templateBank(0), 'wrong-use', 'size must be'],
    [
      'a bank of a falling beta',
      () => templateBank(3, { beta: Number.POSITIVE_INFINITY }),
      'wrong-use',
      'beta must be',
    ],
  ] as const)('%s', (_, action, code, message) => {
    const error = errorOf(action);
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });

  it('names the locations there are', () => {
    // @ts-expect-error: what a caller without types could pass
    expect(errorOf(() => maskForwardSync(x, { location: 'argmin' })).message).toContain('argmax');
  });

  it('are refused by the addon itself', () => {
    const { maskForward: kernel } = loadAddon().now;
    const good = {
      ...{ backend: 0, threads: 1, batch: 1, channels: 1, size: 2, height: 1, location: 0 },
      ...{ x: new Float32Array(4), beta: Float32Array.of(4), y: new Float32Array(4), mu: new Int32Array(1) },
    };
    expect(() => kernel(good)).not.toThrow();
    expect(() => kernel({ ...good, height: Number.NaN })).toThrow('height must be finite');
    expect(() => kernel({ ...good, beta: Float32Array.of(-4) })).toThrow('beta must be finite');
    expect(() => kernel({ ...good, location: 2 })).toThrow('location must be an integer from 0 to 1');
    expect(() => Reflect.apply(kernel, undefined, [{ ...good, mu: new Float32Array(1) }])).toThrow(
      'mu must be a Int32Array',
    );
    expect(() => Reflect.apply(kernel, undefined, [{ ...good, height: '1' }])).toThrow(
      'height must be a number',
    );
  });
});
