import type { Graph } from '@unitscope/onnx';
import { describe, expect, it } from 'vitest';
import { GraphWriter } from '../src/standalone/graph-writer.js';
import { standaloneNoise, writeNoise } from '../src/standalone/noise.js';
import { referenceNoise } from './support/noise-reference.js';
import { runOn } from './support/runtimes.js';

/** A file that draws sample `target[0]`. */
function noiseFile(seed: number, dims: readonly number[], samples = 25): Graph {
  const writer = new GraphWriter('noise', 18);
  writer.reserve('noise');
  const index = writer.input({ name: 'index', type: 'int64', dims: [1] });
  const draw = writeNoise(writer, { seed, samples, dims });
  writer.output(draw(writer, writer.node('Squeeze', [index])), {
    name: 'noise',
    type: 'float32',
    dims: [1, ...dims],
  });
  return { ...writer.build(), irVersion: 8 };
}

const drawn = async (
  seed: number,
  sample: number,
  dims: readonly number[],
  runtime: 'node' | 'web' = 'node',
) => (await runOn(runtime, noiseFile(seed, dims), { index: [BigInt(sample)] }))['noise']!;

const DIMS = [3, 200, 221];
const COUNT = 3 * 200 * 221;

describe('the noise of a file', () => {
  it.each([
    [0, 0, [2, 3, 4]],
    [1, 24, [3, 5, 7]],
    [2 ** 32 - 1, 7, [1, 1, 1]],
    [123456789, 24, DIMS],
  ])(
    'of seed %i, sample %i, dims %j is the one that is said, on every runtime',
    async (seed, sample, dims) => {
      const expected = referenceNoise(
        seed,
        sample,
        dims.reduce((product, size) => product * size, 1),
      );
      const [onNode, onWeb] = [await drawn(seed, sample, dims), await drawn(seed, sample, dims, 'web')];
      expect(onNode.dims).toEqual([1, ...dims]);
      let [worst, apart] = [0, 0];
      for (const [i, value] of expected.entries()) {
        worst = Math.max(worst, Math.abs(onNode.data[i]! - value));
        apart = Math.max(apart, Math.abs(onNode.data[i]! - onWeb.data[i]!));
      }
      // The angle is rounded to float32 before its cosine is taken: 2⁻²³ of up to 2π, times a radius of up to 5.8.
      expect(worst).toBeLessThan(3e-6);
      expect(apart).toBeLessThan(1e-6);
    },
  );

  it.each([
    [0, 3, [2, 3, 4]],
    [2 ** 32 - 1, 2, [3, 5, 7]],
    [77, 4, [1, 1, 1]],
  ])('is what standaloneNoise says: seed %i, %i samples of %j', (seed, samples, dims) => {
    const count = dims.reduce((product, size) => product * size, 1);
    const { dims: all, data } = standaloneNoise({ seed, samples, dims });
    expect(all).toEqual([samples, ...dims]);
    for (let sample = 0; sample < samples; sample++) {
      const expected = Float32Array.from(referenceNoise(seed, sample, count));
      expect(data.slice(sample * count, (sample + 1) * count)).toEqual(expected);
    }
  });

  it.each([0, 1, 2 ** 32 - 1])('of seed %i has the moments of the normal distribution', async (seed) => {
    const { data } = await drawn(seed, 3, DIMS);
    const moment = (power: number) => data.reduce((sum, value) => sum + value ** power, 0) / COUNT;
    // Four standard errors of each moment: sqrt of its variance, E[x^2p] - E[x^p]^2, over the count.
    for (const [power, expected, variance] of [
      [1, 0, 1],
      [2, 1, 2],
      [3, 0, 15],
      [4, 3, 96],
      [6, 15, 10395 - 225],
    ] as const) {
      expect(Math.abs(moment(power) - expected), `moment ${power}`).toBeLessThan(
        4 * Math.sqrt(variance / COUNT),
      );
    }
    // Kolmogorov and Smirnov: the largest distance of the two distribution functions, at the level 0.1 %.
    const sorted = Float64Array.from(data).sort();
    const largest = sorted.reduce(
      (most, x, i) => Math.max(most, Math.abs(cumulative(x) - (i + 0.5) / COUNT)),
      0,
    );
    expect(largest).toBeLessThan(1.95 / Math.sqrt(COUNT));
  });

  it('has no correlation between neighbours, rows, halves, samples and seeds', async () => {
    const [{ data }, next, other] = [
      await drawn(5, 0, DIMS),
      await drawn(5, 1, DIMS),
      await drawn(6, 0, DIMS),
    ];
    const limit = 4 / Math.sqrt(COUNT);
    for (const lag of [1, 2, 221, COUNT / 3, COUNT / 2]) {
      let sum = 0;
      for (let i = 0; i + lag < COUNT; i++) sum += data[i]! * data[i + lag]!;
      expect(Math.abs(sum / (COUNT - lag)), `lag ${lag}`).toBeLessThan(4 / Math.sqrt(COUNT - lag));
    }
    for (const { data: others } of [next, other]) {
      const product = data.reduce((sum, value, i) => sum + value * others[i]!, 0) / COUNT;
      expect(Math.abs(product)).toBeLessThan(limit);
      const squares =
        data.reduce((sum, value, i) => sum + (value ** 2 - 1) * (others[i]! ** 2 - 1), 0) / COUNT;
      expect(Math.abs(squares)).toBeLessThan(2 * limit);
    }
  });

  it('costs the file no bytes for its numbers', () => {
    const constants = [...noiseFile(0, DIMS).initializers.values()];
    expect(constants.reduce((sum, { data }) => sum + data.length, 0)).toBeLessThan(40);
  });

  it('refuses more numbers than its counter tells apart', () => {
    const source = { seed: 0, samples: 2000, dims: [3, 1000, 1000] };
    for (const draw of [() => noiseFile(0, source.dims, source.samples), () => standaloneNoise(source)]) {
      expect(draw).toThrow(/2000 samples of 3000000 numbers.*fewer samples/);
    }
  });
});

/** The standard normal distribution function, by its series around 0 within 1e-12 for |x| < 6. */
function cumulative(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; n < 200; n++) {
    term *= (x * x) / (2 * n + 1);
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}
