import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Tensor } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { type BackendName, miGradientSync, miLossSync, templateScoresSync } from '../src/index.js';

const shared = fileURLToPath(new URL('../../../../shared/', import.meta.url));
const there = existsSync(`${shared}goldens/icnn_n9/manifest.json`) && existsSync(`${shared}spec`);
if (!there)
  console.warn(`golden tests of the filter loss are skipped: ${shared} lacks goldens/icnn_n9 or spec`);

interface Manifest {
  readonly beta: number;
  readonly tau: number;
  readonly tensors: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly number[];
    readonly file: string;
  }[];
}

function open(folder: string): { manifest: Manifest; read: (name: string) => Tensor<Float64Array> } {
  const manifest: Manifest = JSON.parse(readFileSync(`${folder}/manifest.json`, 'utf8'));
  const read = (name: string) => {
    const entry = manifest.tensors.find((tensor) => tensor.name === name);
    if (entry === undefined) throw new Error(`the goldens hold no ${name}`);
    const { buffer } = Uint8Array.from(readFileSync(`${folder}/${entry.file}`));
    const data =
      entry.dtype === 'float64' ? new Float64Array(buffer) : Float64Array.from(new Float32Array(buffer));
    return { dims: entry.shape, data };
  };
  return { manifest, read };
}

/** Rounded to float32 once here and once in the golden, but for `slack`. */
function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, slack: number): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const bound = 2 ** -23 * Math.abs(expected[i]!) + slack;
    expect(Math.abs(actual[i]! - expected[i]!), `[${i}] ${actual[i]} for ${expected[i]}`).toBeLessThanOrEqual(
      bound,
    );
  }
}

const backends: readonly BackendName[] = ['cpu', 'reference'];

describe.skipIf(!there)('goldens of the filter loss', () => {
  const cases = ['icnn_n9', 'icnn_n14'].flatMap((name) =>
    ['', '_x50'].flatMap((suffix) => backends.map((backend) => ({ name, suffix, backend }))),
  );

  it.each(cases)('$name$suffix on $backend', ({ name, suffix, backend }) => {
    const { manifest, read } = open(`${shared}goldens/${name}`);
    const { dims, data } = read('x');
    const [batch = 0, channels = 0, n = 0] = dims;
    // 50 times a float32 is not always one; the exact product is within its rounding.
    const factor = suffix === '' ? 1 : 50;
    const x = { dims, data: Float32Array.from(data, (value) => value * factor) };
    const options = { backend, tau: manifest.tau, beta: manifest.beta };
    const rounding = suffix === '' ? 0 : 2 ** -24;
    const scores = read(`mi_scores${suffix}`).data;
    const templates = n * n + 1;
    const largest = scores.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const { scores: found } = templateScoresSync(x, options);
    // The goldens' scores are [channels, batch, templates].
    const ordered = Float64Array.from(scores, (_, i) => {
      const [channel, image] = [Math.floor(i / templates / batch), Math.floor(i / templates) % batch];
      return found.data[(image * channels + channel) * templates + (i % templates)]!;
    });
    const bound = 2 ** -23 + rounding * 4;
    scores.forEach((score, i) => {
      expect(Math.abs(ordered[i]! - score)).toBeLessThanOrEqual(bound * largest);
    });

    // Rounding x by e changes scores by up to e * largest, and the logarithms, losses and gradients by as much.
    const slack = rounding * largest;
    const loss = read(`mi_loss_per_filter${suffix}`).data;
    miLossSync(x, options).loss.data.forEach((value, channel) => {
      expect(Math.abs(value - loss[channel]!)).toBeLessThanOrEqual(
        2 ** -23 * Math.abs(loss[channel]!) + slack,
      );
    });
    // The x50 gradients are of maps that differ from ours by that rounding, times r_T's slope in the scores.
    const closeTo = (actual: Float32Array, expected: Float64Array) => {
      const top = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const room = suffix === '' ? 2 ** -40 * top : 1e-5 * top;
      expectClose(actual, expected, room);
    };
    closeTo(
      miGradientSync(x, { ...options, mode: 'exact' }).dx.data,
      read(`mi_loss_grad_exact${suffix}`).data,
    );
    // Printed without the minus that descent needs.
    const printed = read(`mi_grad_paper_formula${suffix}`).data.map((value) => -value);
    closeTo(miGradientSync(x, { ...options, mode: 'frozen' }).dx.data, printed);
  });
});

describe.skipIf(!there)('worked examples', () => {
  const readExample = (name: string) => JSON.parse(readFileSync(`${shared}spec/${name}.json`, 'utf8'));
  const flat = (values: unknown): number[] => (Array.isArray(values) ? values.flat(4) : []);
  const mapsOf = (values: unknown): Tensor => ({ dims: [6, 1, 4, 4], data: Float32Array.from(flat(values)) });
  const targetsOf = (values: readonly boolean[]): Tensor<Uint8Array> => ({
    dims: [6, 1],
    data: Uint8Array.from(values, Number),
  });
  // The examples are computed from float64 maps, which are rounded here: a few roundings of terms that nearly cancel.
  const near = (actual: Float32Array, expected: readonly number[], relative = 2e-6) => {
    const top = Math.max(...expected.map(Math.abs));
    expect(actual.length).toBe(expected.length);
    actual.forEach((value, i) => {
      expect(Math.abs(value - expected[i]!)).toBeLessThanOrEqual(relative * top);
    });
  };

  it.each(backends)('of the loss and three gradients on %s', (backend) => {
    const example = readExample('icnn_mi_loss_n4');
    const x = mapsOf(example.X);
    const targets = targetsOf(example.is_target);
    const options = { backend, tau: example.tau, beta: example.beta, alpha: example.alpha };
    near(miLossSync(x, options).loss.data, [example.loss]);
    near(
      miGradientSync(x, { ...options, mode: 'exact' }).dx.data,
      flat(example.grad_exact_all_of_Z_differentiated),
    );
    near(miGradientSync(x, { ...options, mode: 'frozen' }).dx.data, flat(example.grad_frozen_Z));
    near(
      miGradientSync(x, { ...options, mode: 'one-template', targets }).dx.data,
      flat(example.grad_single_template_frozen_Z),
    );
    const half = example.alpha_half_case;
    near(miLossSync(x, { ...options, alpha: half.alpha }).loss.data, [half.loss]);
    near(
      miGradientSync(x, { ...options, alpha: half.alpha, mode: 'frozen' }).dx.data,
      flat(half.grad_frozen_Z),
    );
  });

  it.each(backends)('of the released code on %s', (backend) => {
    const example = readExample('icnn_released_code_gradient_n4');
    const { dx } = miGradientSync(mapsOf(example.X), {
      backend,
      mode: 'released',
      targets: targetsOf(example.is_target),
      magnitude: (1e-5 * example.mag) / example.epoch,
      positiveWeight: example.w_pos,
      negativeWeight: example.w_neg,
    });
    // Dividing by a mean of strengths that nearly cancel enlarges the rounding of the maps by this.
    const strengths: readonly number[] = example.strength_pos_normalised;
    const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
    const condition = sum(strengths.map(Math.abs)) / Math.abs(sum(strengths));
    near(dx.data, flat(example.gradient_added_to_dzdx), 2 ** -23 * condition);
  });
});
