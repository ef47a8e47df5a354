import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Random, sliceBatch, type Tensor, UnitscopeError, zeros } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type BackendName,
  type GraphNodes,
  type GraphPriors,
  graphEmStep,
  graphEmStepSync,
  graphParents,
  updateGraph,
} from '../src/index.js';

const example = fileURLToPath(
  new URL('../../../../shared/spec/explanatory_graph_step.json', import.meta.url),
);
const there = existsSync(example);
if (!there) console.warn(`the explanatory graph's worked example is skipped: there is no ${example}`);

const doubles = (dims: readonly number[], values: ArrayLike<number>): Tensor<Float64Array> => ({
  dims,
  data: Float64Array.from(values),
});

function closeTo(actual: ArrayLike<number>, expected: readonly number[], relative = 1e-13): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(Math.abs(actual[i]! - value), `[${i}] ${actual[i]} for ${value}`).toBeLessThanOrEqual(
      relative * Math.max(Math.abs(value), 1),
    );
  });
}

const backends: readonly BackendName[] = ['cpu', 'reference'];

describe.skipIf(!there)('the worked example', () => {
  const read = () => JSON.parse(readFileSync(example, 'utf8'));

  it.each(backends)('of one step without parents, on %s', (backend) => {
    const golden = read();
    const maps: number[] = golden.feature_maps_inactive_is_minus1.flat(2);
    const from1: number[][] = golden.coord_1based;
    const nodes = {
      coord: doubles(
        [1, 2, 2],
        from1.flat().map((value) => value - 1),
      ),
      sigma: doubles([1, 2], golden.deform0),
    };
    // The maps are rounded to float32 here.
    const x = { dims: [2, 1, 8, 8], data: Float32Array.from(maps) };
    const { sums, position, score, tauOfImage } = graphEmStepSync(x, nodes, { backend });
    const perImage: { tau: number; score: number[] }[] = golden.per_image;
    const rounding = 2 ** -24;
    closeTo(
      tauOfImage.data,
      perImage.map(({ tau }) => tau),
    );
    closeTo(
      score.data,
      perImage.flatMap((image) => image.score),
      2 * rounding,
    );
    const column = (i: number) => [sums.data[i]!, sums.data[5 + i]!];
    closeTo(column(0), golden.sum_normP, 2 * rounding);
    closeTo(
      [1, 2, 6, 7].map((i) => sums.data[i]!),
      golden.sum_logder.flat(),
      2 * rounding,
    );
    closeTo(column(3), golden.sum_P, 2 * rounding);
    closeTo(column(4), golden.sum_posvar, 5 * rounding);
    const inferred: number[] = golden.inferred_positions.flat(2);
    inferred.forEach((value, i) => {
      const coord = from1.flat()[i % 4]!;
      const [ours, expected] = [position.data[i]! + 1 - coord, value - coord];
      // The innermost candidates of a symmetrical window are equal: there rounding chose the example's.
      const isTie = Math.abs(expected) < 0.2;
      const difference = isTie ? Math.abs(ours) - Math.abs(expected) : ours - expected;
      expect(Math.abs(difference)).toBeLessThanOrEqual(8 * rounding);
    });
    const after = updateGraph(nodes, sums, { iteration: 1, size: 8, density: golden.config.density });
    closeTo(
      after.coord.data,
      golden.coord_after.flat().map((value: number) => value - 1),
      8 * rounding,
    );
    closeTo(after.sigma.data, golden.deform_after);
  });

  it('of parents, in both modes', () => {
    const { parent_prior: golden } = read();
    const deviations: number[] = golden.parent_deviation_from_mean.flat();
    // These are float32 exactly.
    const parents = {
      index: { dims: [1, 1, 3], data: Int32Array.of(0, 1, 2) },
      deviation: { dims: [1, 1, 3, 2], data: Float32Array.from(deviations) },
      sigma: doubles([1, 3], golden.parent_sigma),
    };
    const exact = graphParents(parents, { scale: 1 });
    closeTo(exact.sigma.data, [golden.sigma]);
    closeTo(exact.offset.data, golden.offset_mu, 2 ** -24);
    // The example's ratio is that of the exponentials alone, without the heights of the Gaussians.
    const sigmas: number[] = golden.parent_sigma;
    const heights = sigmas.reduce((product, value) => product * value ** (-2 / 3), golden.sigma ** 2);
    closeTo([exact.weight.data[0]! / heights], [golden.lambda_exact_ratio], 2 ** -22);
    const released = graphParents(parents, { scale: 1, weight: 'released' });
    closeTo(released.weight.data, [golden.lambda_released_code], 2 ** -24);
  });
});

interface Layer {
  readonly x: Tensor;
  readonly nodes: GraphNodes;
  readonly priors: GraphPriors;
}

function makeLayer(images: number, channels: number, nodes: number, size: number, seed: number): Layer {
  const random = new Random(seed);
  const count = channels * nodes;
  const coord = Float64Array.from({ length: count * 2 }, () => random.uniform() * (size - 1));
  const sigma = Float64Array.from({ length: count }, () => 0.3 + random.uniform());
  return {
    x: random.normalTensor([images, channels, size, size]),
    nodes: { coord: doubles([channels, nodes, 2], coord), sigma: doubles([channels, nodes], sigma) },
    priors: {
      sigma: doubles(
        [channels, nodes],
        sigma.map((value) => value + 0.2),
      ),
      offset: random.normalTensor([images, channels, nodes, 2]),
      weight: {
        dims: [images, channels, nodes],
        data: Float32Array.from({ length: images * count }, () => 0.1 + random.uniform()),
      },
    },
  };
}

const layers = fc
  .record({
    images: fc.integer({ min: 1, max: 4 }),
    channels: fc.integer({ min: 1, max: 4 }),
    nodes: fc.integer({ min: 1, max: 6 }),
    size: fc.integer({ min: 4, max: 15 }),
    seed: fc.integer({ min: 0, max: 1000 }),
  })
  .map(({ images, channels, nodes, size, seed }) => makeLayer(images, channels, nodes, size, seed));

describe('a step of any layer', () => {
  it('gives the same bits in batches, and on any number of threads', () => {
    fc.assert(
      fc.property(layers, fc.integer({ min: 0, max: 4 }), ({ x, nodes, priors }, threads) => {
        const [images = 0] = x.dims;
        const whole = graphEmStepSync(x, nodes, { priors, threads: 1 });
        const sums = { dims: whole.sums.dims, data: new Float64Array(whole.sums.data.length) };
        for (let image = 0; image < images; image++) {
          const part = {
            sigma: priors.sigma,
            offset: sliceBatch(priors.offset, image, image + 1),
            weight: sliceBatch(priors.weight, image, image + 1),
          };
          const one = graphEmStepSync(sliceBatch(x, image, image + 1), nodes, {
            priors: part,
            threads,
            into: { sums },
          });
          expect(one.position.data).toEqual(sliceBatch(whole.position, image, image + 1).data);
          expect(one.score.data).toEqual(sliceBatch(whole.score, image, image + 1).data);
        }
        expect(sums.data).toEqual(whole.sums.data);
      }),
      { numRuns: 60 },
    );
  });

  it('does not see parents that say nothing', () => {
    fc.assert(
      fc.property(layers, ({ x, nodes }) => {
        const [images = 0, channels = 0, size = 0] = x.dims;
        const count = nodes.sigma.data.length / channels;
        const silent = {
          sigma: doubles([channels, count], new Float64Array(channels * count).fill(0.15 * size)),
          offset: zeros([images, channels, count, 2]),
          weight: {
            dims: [images, channels, count],
            data: new Float32Array(images * channels * count).fill(1),
          },
        };
        expect(graphEmStepSync(x, nodes, { priors: silent })).toEqual(graphEmStepSync(x, nodes));
      }),
      { numRuns: 60 },
    );
  });

  it('follows maps that are moved by whole cells', () => {
    const size = 24;
    const { nodes } = makeLayer(1, 1, 5, 8, 3);
    const [x, moved] = [zeros([1, 1, size, size]), zeros([1, 1, size, size])];
    const random = new Random(5);
    for (let row = 4; row < 14; row++) {
      for (let column = 4; column < 14; column++) {
        const value = random.normal();
        x.data[row * size + column] = value;
        moved.data[(row + 3) * size + column + 5] = value;
      }
    }
    // Quarters of cells, so that the shifted coordinates are exact.
    const at = (down: number, across: number) =>
      nodes.coord.data.map((value, i) => Math.round(4 * value) / 4 + 5 + (i % 2 === 0 ? down : across));
    const step = (map: Tensor, coord: Float64Array) =>
      graphEmStepSync(map, { ...nodes, coord: { ...nodes.coord, data: coord } });
    const [still, shifted] = [step(x, at(0, 0)), step(moved, at(3, 5))];
    expect(shifted.sums).toEqual(still.sums);
    expect(shifted.score).toEqual(still.score);
    shifted.position.data.forEach((value, i) => {
      expect(value).toBeCloseTo(still.position.data[i]! + (i % 2 === 0 ? 3 : 5), 5);
    });
  });

  it('is NaN for nodes that see NaN, and for no other', () => {
    const { x, nodes } = makeLayer(1, 2, 1, 8, 1);
    nodes.coord.data.set([2, 2, 2, 2]);
    x.data[2 * 8 + 2] = Number.NaN;
    const { score, sums } = graphEmStepSync(x, nodes);
    expect(Array.from(score.data, Number.isNaN)).toEqual([true, false]);
    expect(Array.from(sums.data, Number.isNaN)).toEqual([...Array(5).fill(true), ...Array(5).fill(false)]);
  });

  it('moves a node to where its filter is active', () => {
    let nodes: GraphNodes = { coord: doubles([1, 1, 2], [5, 5]), sigma: doubles([1, 1], [2]) };
    const x = zeros([1, 1, 14, 14]);
    x.data[6 * 14 + 4] = 3;
    for (let iteration = 1; iteration <= 30; iteration++) {
      const { sums } = graphEmStepSync(x, nodes);
      nodes = updateGraph(nodes, sums, { iteration, size: 14 });
    }
    expect(nodes.coord.data[0]).toBeGreaterThan(5.5);
    expect(nodes.coord.data[0]).toBeLessThan(6.5);
    expect(nodes.coord.data[1]).toBeGreaterThan(3.5);
    expect(nodes.coord.data[1]).toBeLessThan(4.5);
  });

  it('leaves a node that nothing activates where it is, with the least deviation', () => {
    const nodes = { coord: doubles([1, 1, 2], [3, 4]), sigma: doubles([1, 1], [1]) };
    const { sums } = graphEmStepSync(zeros([2, 1, 8, 8]), nodes);
    const after = updateGraph(nodes, sums, { iteration: 2, size: 8 });
    expect(Array.from(after.coord.data)).toEqual([3, 4]);
    closeTo(after.sigma.data, [0.1 * 8]);
  });
});

describe('the parents of any node', () => {
  it('multiply to the Gaussian that the prior says', () => {
    const cases = fc.record({
      parents: fc.integer({ min: 1, max: 15 }),
      scale: fc.constantFrom(1, 2, 0.5),
      seed: fc.integer({ min: 0, max: 1000 }),
    });
    fc.assert(
      fc.property(cases, ({ parents, scale, seed }) => {
        const random = new Random(seed);
        const deviation = random.normalTensor([1, 1, parents, 2]);
        const sigma = Float64Array.from({ length: parents }, () => 0.5 + 2 * random.uniform());
        const index = { dims: [1, 1, parents], data: Int32Array.from(sigma, (_, i) => i) };
        const prior = graphParents({ index, deviation, sigma: doubles([1, parents], sigma) }, { scale });
        const [y, x] = [random.normal(), random.normal()];
        const logNormal = (down: number, across: number, spread: number) =>
          -(down ** 2 + across ** 2) / (2 * spread ** 2) - Math.log(2 * Math.PI * spread ** 2);
        const product = sigma.reduce((sum, spread, i) => {
          const [down, across] = deviation.data.subarray(2 * i, 2 * i + 2);
          return sum + logNormal(y - scale * down!, x - scale * across!, scale * spread) / parents;
        }, 0);
        const [down, across] = prior.offset.data;
        const found =
          Math.log(prior.weight.data[0]!) + logNormal(y - down!, x - across!, prior.sigma.data[0]!);
        // The offsets and the weight are rounded to float32; offsets are below 10, s above 0.2.
        expect(Math.abs(found - product)).toBeLessThanOrEqual(1e-4);
      }),
      { numRuns: 200 },
    );
  });
});

describe('wrong arguments of the graph', () => {
  const { x, nodes, priors } = makeLayer(2, 3, 4, 8, 7);
  const parents = {
    index: { dims: [1, 2, 2], data: Int32Array.of(0, 1, 2, 0) },
    deviation: zeros([1, 3, 1, 2]),
    sigma: doubles([3, 1], [1, 1, 1]),
  };
  const spoiled = (data: Float64Array, value: number) => data.map((old, i) => (i === 1 ? value : old));

  it.each([
    ['no images', () => graphEmStepSync(zeros([3, 8, 8]), nodes), 'bad-input: x must be [images'],
    ['maps without cells', () => graphEmStepSync(zeros([2, 3, 0, 8]), nodes), 'bad-input: x must be'],
    [
      'coordinates of other filters',
      () => graphEmStepSync(zeros([2, 2, 8, 8]), nodes),
      'bad-input: coord must have dims [2, 4, 2]',
    ],
    [
      'a deviation of 0',
      () => graphEmStepSync(x, { ...nodes, sigma: doubles([3, 4], spoiled(nodes.sigma.data, 0)) }),
      'bad-input: sigma must be above 0',
    ],
    [
      'a prior deviation of NaN',
      () => {
        const sigma = doubles([3, 4], spoiled(priors.sigma.data, Number.NaN));
        return graphEmStepSync(x, nodes, { priors: { ...priors, sigma } });
      },
      'bad-input: priors.sigma must be above 0',
    ],
    [
      'offsets of other images',
      () => graphEmStepSync(x, nodes, { priors: { ...priors, offset: zeros([1, 3, 4, 2]) } }),
      'bad-input: priors.offset must have dims [2, 3, 4, 2]',
    ],
    [
      'a range too wide',
      () => graphEmStepSync(x, nodes, { range: 33 }),
      'unsupported: graphEmStep: a search',
    ],
    ['no smoothing', () => graphEmStepSync(x, nodes, { smoothing: 0 }), 'wrong-use: graphEmStep: smoothing'],
    ['tau -1', () => graphEmStepSync(x, nodes, { tau: -1 }), 'wrong-use: graphEmStep: smoothing'],
    [
      'scores too short',
      () => graphEmStepSync(x, nodes, { into: { score: new Float32Array(3) } }),
      'bad-input: score to write to must have 24',
    ],
    [
      'sums of other nodes',
      () => graphEmStepSync(x, nodes, { into: { sums: doubles([3, 4], new Float64Array(12)) } }),
      'bad-input: sums must have dims [3, 4, 5]',
    ],
    [
      'iteration 0',
      () => updateGraph(nodes, doubles([3, 4, 5], new Float64Array(60)), { iteration: 0, size: 8 }),
      'wrong-use: iteration must be',
    ],
    [
      'a parent that is none',
      () => graphParents({ ...parents, index: { dims: [1, 1, 1], data: Int32Array.of(3) } }, { scale: 1 }),
      'bad-input: parent 3 is none of the 3',
    ],
    [
      'a node without parents',
      () => graphParents({ ...parents, index: { dims: [1, 4, 0], data: new Int32Array(0) } }, { scale: 1 }),
      'bad-input: every node must have a parent',
    ],
    ['scale 0', () => graphParents(parents, { scale: 0 }), 'wrong-use: scale must be above 0'],
    [
      'no such weight',
      // @ts-expect-error: what a caller without types could pass
      () => graphParents(parents, { scale: 1, weight: 'exakt' }),
      'did you mean "exact"?',
    ],
  ])('%s', (_, action, message) => {
    try {
      action();
    } catch (error) {
      if (!(error instanceof UnitscopeError)) throw error;
      expect(`${error.code}: ${error.message}`).toContain(message);
      return;
    }
    throw new Error('nothing was thrown');
  });

  it('rejects the promise as well', async () => {
    await expect(graphEmStep(x, nodes, { range: -1 })).rejects.toMatchObject({ code: 'wrong-use' });
  });
});
