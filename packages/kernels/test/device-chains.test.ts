import { Random, sizeOf } from '@unitscope/tensor';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  iouCounts,
  maskBackward,
  maskForward,
  maxPool,
  maxPoolBackward,
  miGradient,
  miLoss,
  placeHalfPixel,
  TopQuantile,
  templateScores,
  toDevice,
  unpool,
} from '../src/index.js';
import { devices, expectSame, values } from './devices.js';

describe.each(devices)('a chain of kernels on %s gives the bits that calls from the host give', (backend) => {
  it('max-pooling and back', async () => {
    const sizes = fc.record({
      planes: fc.nat(3),
      height: fc.integer({ min: 1, max: 40 }),
      width: fc.integer({ min: 1, max: 40 }),
      kernel: fc.integer({ min: 1, max: 3 }),
      stride: fc.integer({ min: 1, max: 3 }),
      seed: fc.nat(1000),
    });
    await fc.assert(
      fc.asyncProperty(sizes, async ({ planes, height, width, kernel, stride, seed }) => {
        fc.pre(kernel <= Math.min(height, width));
        const window = { kernel, stride };
        const x = values([planes, height, width], seed);
        const pooled = await maxPool(x, window, { backend });
        const unpooled = await unpool(pooled.y, pooled.switches, [height, width], window, { backend });
        const backward = await maxPoolBackward(x, pooled.y, window, { backend });

        const onDevice = await toDevice(x, { backend });
        const { y, switches } = await maxPool(onDevice, window);
        await expectSame((await unpool(y, switches, [height, width], window)).x, unpooled.x);
        await expectSame((await maxPoolBackward(onDevice, y, window)).dx, backward.dx);
        await expectSame(y, pooled.y);
        await expectSame(switches, pooled.switches);
      }),
      { numRuns: 40 },
    );
  });

  it('masks forward and backward', async () => {
    const x = values([3, 4, 13, 13], 5);
    const beta = Float32Array.of(4, 2, 0, 7.5);
    for (const location of ['argmax', 'centroid'] as const) {
      const forward = await maskForward(x, { backend, beta, location });
      const backward = await maskBackward(forward.y, forward.mu, { backend, beta, x });
      const withoutX = await maskBackward(forward.y, forward.mu, { backend, beta });

      const onDevice = await toDevice(x, { backend });
      const { y, mu } = await maskForward(onDevice, { beta, location });
      await expectSame(y, forward.y);
      await expectSame(mu, forward.mu);
      await expectSame((await maskBackward(y, mu, { beta, x: onDevice })).dx, backward.dx);
      await expectSame((await maskBackward(y, mu, { beta, x })).dx, backward.dx);
      await expectSame((await maskBackward(y, mu, { beta })).dx, withoutX.dx);
    }
  });

  it('scores, loss and gradients of the filter loss', async () => {
    const x = values([4, 3, 9, 9], 7);
    const slopes = values([3], 8);
    const targets = { dims: [4, 3], data: Uint8Array.from({ length: 12 }, (_, i) => i % 2) };
    const logZ = { dims: [3, 82], data: Float32Array.from({ length: 246 }, (_, i) => 1 + (i % 5) / 8) };
    const onDevice = await toDevice(x, { backend });
    const there = {
      targets: await toDevice(targets, { backend }),
      slopes: await toDevice(slopes, { backend }),
      logZ: await toDevice(logZ, { backend }),
    };
    const scores = await templateScores(x, { backend });
    await expectSame((await templateScores(onDevice)).scores, scores.scores);
    await expectSame((await miLoss(onDevice)).loss, (await miLoss(x, { backend })).loss);
    await expectSame(
      (await miLoss(onDevice, { logZ: there.logZ })).loss,
      (await miLoss(x, { backend, logZ })).loss,
    );
    for (const mode of ['exact', 'frozen', 'one-template', 'released'] as const) {
      const fixed = mode === 'frozen' || mode === 'one-template';
      const expected = await miGradient(x, { backend, mode, targets, slopes, ...(fixed ? { logZ } : {}) });
      const { dx } = await miGradient(onDevice, {
        mode,
        targets: there.targets,
        slopes: there.slopes,
        ...(fixed ? { logZ: there.logZ } : {}),
      });
      await expectSame(dx, expected.dx);
    }
  });

  it('counts of units and labels, added to over batches', async () => {
    const placement = placeHalfPixel([7, 6], [28, 24]);
    const concepts = { categoryOf: Int32Array.of(-1, 0, 1, 1, -1, 0), categories: 2 };
    const thresholds = Float64Array.of(0.1, -0.5, 0.7);
    const random = new Random(3);
    const labels = (...dims: number[]) => ({
      dims,
      data: Int32Array.from({ length: sizeOf(dims) }, () => Math.floor(random.uniform() * 6)),
    });
    const batches = [1, 2].map((seed) => ({
      activations: values([2, 3, 7, 6], seed),
      pixelLabels: labels(2, 2, 28, 24),
      imageLabels: labels(2, 1),
    }));
    const [first, second] = batches as [(typeof batches)[number], (typeof batches)[number]];
    const { counts } = await iouCounts(first, thresholds, concepts, placement, { backend });
    await iouCounts(second, thresholds, concepts, placement, { backend, into: counts });

    const upload = async ({ activations, pixelLabels, imageLabels }: typeof first) => ({
      activations: await toDevice(activations, { backend }),
      pixelLabels: await toDevice(pixelLabels, { backend }),
      imageLabels,
    });
    const bounds = await toDevice({ dims: [3], data: thresholds }, { backend });
    const there = await iouCounts(await upload(first), bounds.data, concepts, placement);
    expect(there.backend).toBe(backend);
    await iouCounts(await upload(second), bounds.data, concepts, placement, { into: there.counts });
    for (const name of ['intersection', 'labelPixels', 'categoryArea', 'area'] as const) {
      await expectSame(there.counts[name], counts[name]);
    }

    const wrong = { ...first, pixelLabels: { ...first.pixelLabels, data: first.pixelLabels.data.slice() } };
    wrong.pixelLabels.data[9] = 6;
    const activations = await toDevice(first.activations, { backend });
    await expect(iouCounts({ ...wrong, activations }, thresholds, concepts, placement)).rejects.toMatchObject(
      {
        code: 'bad-input',
        message: expect.stringContaining('pixel label 6'),
      },
    );
  });

  it('a selection of the largest values', async () => {
    const options = { units: 3, fraction: 0.1, atMost: 1000 };
    const [host, device] = [new TopQuantile(options), new TopQuantile(options)];
    for (const seed of [1, 2, 3]) {
      const batch = values([2, 3, 50], seed);
      await host.add(batch, { backend });
      const onDevice = await toDevice(batch, { backend });
      expect(await device.add(onDevice)).toBe(backend);
      onDevice.data.free();
    }
    expect(device.toState()).toEqual(host.toState());
    const broken = values([1, 3, 2], 4);
    broken.data[4] = Number.NaN;
    await expect(device.add(await toDevice(broken, { backend }))).rejects.toMatchObject({
      code: 'bad-input',
    });
  });

  it('errors of what was checked on the host', async () => {
    const window = { kernel: 2, stride: 2 };
    const y = await toDevice(values([1, 2, 2], 1), { backend });
    const switches = { dims: [1, 2, 2], data: Uint8Array.of(0, 4, 0, 0) };
    await expect(unpool(y, switches, [4, 4], window)).rejects.toMatchObject({ code: 'bad-input' });
    const dy = await toDevice(values([2, 3, 3], 1), { backend });
    const mu = { dims: [2], data: Int32Array.of(0, 9) };
    await expect(maskBackward(dy, mu)).rejects.toMatchObject({ code: 'bad-input' });
  });
});

describe('what lies in a device and cannot be checked there', () => {
  const window = { kernel: 2, stride: 2 };
  const y = { dims: [1, 2, 2], data: Float32Array.of(1, 2, 3, 4) };
  const switches = { dims: [1, 2, 2], data: Uint8Array.of(0, 4, 3, 200) };

  it('is checked by the CPU all the same', async () => {
    const bad = await toDevice(switches, { backend: 'cpu' });
    await expect(unpool(y, bad, [4, 4], window)).rejects.toMatchObject({ code: 'bad-input' });
  });

  it.skipIf(!devices.includes('cuda'))('is ignored by CUDA where it is wrong', async () => {
    const bad = await toDevice(switches, { backend: 'cuda' });
    const { x } = await unpool(y, bad, [4, 4], window);
    expect([...x.data]).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0]);
    const mu = await toDevice({ dims: [2], data: Int32Array.of(4, 9) }, { backend: 'cuda' });
    const { dx } = await maskBackward({ dims: [2, 3, 3], data: new Float32Array(18).fill(1) }, mu);
    expect(dx.data[4]).toBe(1);
    expect([...dx.data.subarray(9)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0]);
  });
});
