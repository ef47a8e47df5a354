import { Random, type Tensor } from '@unitscope/tensor';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeNodes, makePriors } from '../src/cases/graph-em-step.js';
import {
  adamStep,
  argmaxMaps,
  cosineSimilarity,
  graphEmStep,
  lasso,
  mapMoments,
  matmul,
  matmulSync,
  sgdStep,
  toDevice,
} from '../src/index.js';
import { devices, expectSame, values } from './devices.js';

const RUNS = { numRuns: 40 };

const size = (max: number, min = 0) => fc.integer({ min, max });
const seed = fc.nat(1000);

const SUMMED = ['sums', 'position', 'score', 'tauOfImage'] as const;

describe.each(devices)('arrays on %s give the bits that calls from the host give', (backend) => {
  it('places and moments of maps', async () => {
    const sizes = fc.record({ maps: size(5), height: size(20, 1), width: size(40, 1), seed });
    await fc.assert(
      fc.asyncProperty(sizes, async ({ maps, height, width, seed }) => {
        // Whole numbers, so that there are ties.
        const x = {
          dims: [maps, height, width],
          data: values([maps, height, width], seed).data.map(Math.round),
        };
        const there = await toDevice(x, { backend });
        for (const ties of ['row-major', 'column-major'] as const) {
          const expected = await argmaxMaps(x, { backend, ties });
          const actual = await argmaxMaps(there, { ties });
          expect(actual.backend).toBe(backend);
          await expectSame(actual.index, expected.index);
          await expectSame(actual.value, expected.value);
        }
        for (const rectified of [true, false]) {
          const expected = await mapMoments(x, { backend, rectified });
          await expectSame((await mapMoments(there, { rectified })).moments, expected.moments);
        }
      }),
      RUNS,
    );
  });

  it('a product, one that is added to it, and the cosines of its rows', async () => {
    const flags = { transposeA: fc.boolean(), transposeB: fc.boolean() };
    const sizes = fc.record({ m: size(40), n: size(40), k: size(300), seed, ...flags });
    await fc.assert(
      fc.asyncProperty(sizes, async ({ m, n, k, seed, ...layout }) => {
        const a = values(layout.transposeA ? [k, m] : [m, k], seed);
        const b = values(layout.transposeB ? [n, k] : [k, n], seed + 1);
        const others = values([7, n], seed + 2);
        const added = { ...layout, accumulate: true };
        const once = await matmul(a, b, { backend, ...layout });
        const twice = await matmul(a, b, { backend, ...added, into: { c: once.c.data.slice() } });
        const cosines = await cosineSimilarity(twice.c, others, { backend });

        const [left, right] = [await toDevice(a, { backend }), await toDevice(b, { backend })];
        const { c } = await matmul(left, right, layout);
        await expectSame(c, once.c);
        // A second matrix may come from the host.
        await matmul(left, b, { ...added, into: { c: c.data } });
        await expectSame(c, twice.c);
        await expectSame((await cosineSimilarity(c, others)).c, cosines.c);
      }),
      RUNS,
    );
  });

  it('steps of an explanatory graph, added to over batches', async () => {
    const sizes = fc.record({
      images: size(3),
      channels: size(3),
      height: size(9, 1),
      width: size(9, 1),
      nodes: size(5),
      whole: fc.boolean(),
      parents: fc.boolean(),
      seed,
    });
    await fc.assert(
      fc.asyncProperty(sizes, async ({ seed, ...sizes }) => {
        const { images, channels, height, width, parents } = sizes;
        const problem = { ...sizes, values: 'normal', purpose: 'conformance' } as const;
        const random = new Random(seed);
        const nodes = makeNodes(problem, random);
        const priors = makePriors(problem, random);
        const given = { range: 2, smoothing: 0.5 };
        const batches = [1, 2].map((batch) => values([images, channels, height, width], seed + batch));
        const there = {
          nodes: {
            coord: await toDevice(nodes.coord, { backend }),
            sigma: await toDevice(nodes.sigma, { backend }),
          },
          priors: {
            sigma: await toDevice(priors.sigma, { backend }),
            offset: await toDevice(priors.offset, { backend }),
            weight: await toDevice(priors.weight, { backend }),
          },
        };
        const [first, second] = batches as [Tensor, Tensor];
        const options = { ...given, ...(parents ? { priors } : {}) };
        const before = await graphEmStep(first, nodes, { backend, ...options });
        const sums = { dims: before.sums.dims, data: before.sums.data.slice() };
        const after = await graphEmStep(second, nodes, { backend, ...options, into: { sums } });

        const resident = { ...given, ...(parents ? { priors: there.priors } : {}) };
        const one = await graphEmStep(await toDevice(first, { backend }), there.nodes, resident);
        for (const name of SUMMED) await expectSame(one[name], before[name]);
        const into = { sums: one.sums };
        const two = await graphEmStep(await toDevice(second, { backend }), nodes, { ...options, into });
        expect(two.sums.data).toBe(one.sums.data);
        for (const name of SUMMED) await expectSame(two[name], after[name]);
      }),
      RUNS,
    );
  });

  const upload = async (data: Float32Array) =>
    (await toDevice({ dims: [data.length], data }, { backend })).data;
  const flat = (data: Float32Array) => ({ dims: [data.length], data });

  it('steps of gradient descent, in place', async () => {
    const sizes = fc.record({
      count: size(70),
      momentum: fc.constantFrom(0, 0.9),
      nesterov: fc.boolean(),
      weightDecay: fc.constantFrom(0, 0.01),
      velocityOnHost: fc.boolean(),
      seed,
    });
    await fc.assert(
      fc.asyncProperty(sizes, async ({ count, velocityOnHost, seed, ...rest }) => {
        const [gradient, weights] = [values([count], seed).data, values([count], seed + 1).data];
        const velocity = values([count], seed + 2).data;
        const options = { ...rest, learningRate: 0.1, nesterov: rest.nesterov && rest.momentum > 0 };
        // One that lies on the host is copied to the device and back.
        const apart = velocity.slice();
        const there = {
          gradient: await upload(gradient),
          weights: await upload(weights),
          velocity: await upload(velocity),
        };
        const given = velocityOnHost ? { ...there, velocity: apart } : there;
        for (let step = 0; step < 3; step++) {
          await sgdStep({ gradient, weights, velocity }, { ...options, backend });
          expect((await sgdStep(given, options)).backend).toBe(backend);
        }
        await expectSame({ dims: [count], data: there.weights }, flat(weights));
        if (velocityOnHost) expect(apart).toEqual(velocity);
        else await expectSame({ dims: [count], data: there.velocity }, flat(velocity));
      }),
      RUNS,
    );
  });

  it('steps of Adam, in place', async () => {
    const sizes = fc.record({
      count: size(70),
      weightDecay: fc.constantFrom(0, 0.01),
      decoupled: fc.boolean(),
      seed,
    });
    await fc.assert(
      fc.asyncProperty(sizes, async ({ count, seed, ...options }) => {
        const [gradient, weights] = [values([count], seed).data, values([count], seed + 1).data];
        const mean = values([count], seed + 2).data;
        const square = values([count], seed + 3).data.map((value) => value * value);
        const there = {
          gradient: await upload(gradient),
          weights: await upload(weights),
          mean: await upload(mean),
          square: await upload(square),
        };
        for (let step = 1; step <= 3; step++) {
          await adamStep({ gradient, weights, mean, square }, { ...options, step, backend });
          expect((await adamStep(there, { ...options, step })).backend).toBe(backend);
        }
        await expectSame({ dims: [count], data: there.weights }, flat(weights));
        await expectSame({ dims: [count], data: there.mean }, flat(mean));
        await expectSame({ dims: [count], data: there.square }, flat(square));
      }),
      RUNS,
    );
  });

  it('lassos, and going on from where they ended', async () => {
    const sizes = fc.record({ rows: size(20, 1), features: size(9), counts: fc.array(size(25, 1)), seed });
    await fc.assert(
      fc.asyncProperty(sizes, async ({ rows, features, counts, seed }) => {
        const random = new Random(seed);
        const [x, y] = [values([rows, features], seed), values([rows], seed + 1)];
        const scale = values([counts.length, features], seed + 2);
        const offsets = Int32Array.from([0, ...counts]);
        for (let b = 1; b < offsets.length; b++) offsets[b] = offsets[b]! + offsets[b - 1]!;
        const member = Int32Array.from({ length: offsets.at(-1)! }, () => random.integer(0, rows - 1));
        const lambda = Float64Array.from(counts, () => random.uniform() * 0.1);
        const problems = { scale, offsets, member, lambda };
        const first = { backend, maxSweeps: 4 } as const;
        const host = await lasso(x, y, problems, first);
        const there = {
          scale: await toDevice(scale, { backend }),
          // A list may come from the host.
          offsets,
          member: (await toDevice({ dims: [member.length], data: member }, { backend })).data,
          lambda: (await toDevice({ dims: [lambda.length], data: lambda }, { backend })).data,
        };
        const onDevice = await toDevice(x, { backend });
        const resident = await lasso(onDevice, y, there, { maxSweeps: 4 });
        expect(resident.backend).toBe(backend);
        for (const name of ['coefficients', 'intercept', 'sweeps', 'gap'] as const)
          await expectSame(resident[name], host[name]);
        const { coefficients } = await lasso(x, y, problems, {
          backend,
          into: { coefficients: host.coefficients },
        });
        await lasso(onDevice, y, there, { into: { coefficients: resident.coefficients } });
        await expectSame(resident.coefficients, coefficients);
      }),
      RUNS,
    );
  });

  it('errors of what was checked on the host', async () => {
    const there = await toDevice(values([2, 2], 1), { backend });
    const c = new Float32Array(4);
    // JavaScript can do what the types forbid.
    const onHost = { accumulate: true, into: { c } };
    expect(() => Reflect.apply(matmulSync, undefined, [there, there, onHost])).toThrow(
      `c to write to must be a DeviceBuffer on ${backend}`,
    );
    const x = await toDevice(values([1, 1, 3, 3], 1), { backend });
    const nodes = {
      coord: { dims: [1, 1, 2], data: new Float64Array(2) },
      sigma: { dims: [1, 1], data: Float64Array.of(0) },
    };
    await expect(graphEmStep(x, nodes)).rejects.toMatchObject({ code: 'bad-input', subject: 'sigma' });
    const weights = await upload(new Float32Array(3));
    const gradient = await upload(new Float32Array(2));
    await expect(sgdStep({ gradient, weights }, { learningRate: 1 })).rejects.toMatchObject({
      code: 'bad-input',
      subject: 'gradient',
    });
  });
});
