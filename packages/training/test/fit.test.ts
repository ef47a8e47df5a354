import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UnitscopeError } from '@unitscope/tensor';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  adam,
  arraySamples,
  checkpointPath,
  chooseSamples,
  type FitOptions,
  fit,
  metricsPath,
  sgd,
  Trainer,
  type TrainerOptions,
} from '../src/index.js';
import { smallNetwork } from './support/networks.js';
import { corners } from './support/toy.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'unitscope-fit-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const samples = corners(44);
const validation = corners(20, 7);
const common = { batchSize: 8, seed: 5, augmentation: { mirror: true, shift: 1 }, validation };

async function withTrainer<T>(
  task: (trainer: Trainer) => Promise<T>,
  options: Partial<TrainerOptions> = {},
): Promise<T> {
  const trainer = await Trainer.create(smallNetwork(), { learningRate: 0.02, seed: 2, ...options });
  try {
    return await task(trainer);
  } finally {
    await trainer.close();
  }
}

const run = (options: FitOptions, trainerOptions: Partial<TrainerOptions> = {}) =>
  withTrainer(async (trainer) => {
    const result = await fit(trainer, samples, options);
    return { ...result, hash: trainer.hash() };
  }, trainerOptions);

describe('fit', () => {
  it('learns, and says how far it is', async () => {
    const steps: number[] = [];
    const result = await run({
      ...common,
      // Mirrored, upper left is upper right.
      augmentation: { shift: 1 },
      epochs: 8,
      onStep: ({ step, total }) => {
        expect(total).toBe(48);
        steps.push(step);
      },
    });
    expect(steps).toEqual(Array.from({ length: 48 }, (_, i) => i + 1));
    expect(result.epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const [first, last] = [result.epochs[0]!, result.epochs.at(-1)!];
    expect(last.training.samples).toBe(44);
    expect(last.training.loss).toBeLessThan(first.training.loss);
    expect(last.validation?.loss).toBeLessThan(first.validation!.loss);
  });

  it.each([
    ['sgd', sgd({ momentum: 0.9, weightDecay: 1e-3 })],
    ['adam', adam()],
  ])('with %s, two epochs and two more are four, byte by byte', async (_, optimizer) => {
    const straight = await run({ ...common, epochs: 4, folder: join(folder, 'straight') }, { optimizer });
    const half = join(folder, 'half');
    await run({ ...common, epochs: 2, folder: half }, { optimizer });
    const resumed = await run({ ...common, epochs: 4, folder: half, resume: true }, { optimizer });
    expect(resumed.hash).toBe(straight.hash);
    expect(resumed.epochs).toEqual(straight.epochs);
    for (const path of [metricsPath, checkpointPath]) {
      const [bytes, wanted] = [await readFile(path(half)), await readFile(path(join(folder, 'straight')))];
      expect(bytes.equals(wanted)).toBe(true);
    }
  });

  it('goes on from the middle of an epoch after it has been stopped', async () => {
    const straight = await run({ ...common, epochs: 3, folder: join(folder, 'straight') });
    const stopped = join(folder, 'stopped');
    const stop = new AbortController();
    const first = run({
      ...common,
      epochs: 3,
      folder: stopped,
      checkpointSteps: 4,
      signal: stop.signal,
      onStep: ({ step }) => {
        if (step === 9) stop.abort();
      },
    });
    await expect(first).rejects.toThrow(UnitscopeError);
    const steps: number[] = [];
    const resumed = await run({
      ...common,
      epochs: 3,
      folder: stopped,
      checkpointSteps: 4,
      resume: true,
      onStep: ({ step }) => steps.push(step),
    });
    expect(steps[0]).toBe(9);
    expect(resumed.hash).toBe(straight.hash);
    expect(resumed.epochs).toEqual(straight.epochs);
  });

  it('refuses the checkpoint of another run, saying what differs, and one that nobody asked to resume', async () => {
    const options = { ...common, epochs: 1, folder };
    await run(options);
    await expect(run(options)).rejects.toThrow(/checkpoint.npz is there already; resume it/);
    await expect(run({ ...options, resume: true, seed: 6 })).rejects.toThrow(/shuffle was 5, not 6/);
    await expect(run({ ...options, resume: true }, { learningRate: 0.1 })).rejects.toThrow(/schedule/);
    await writeFile(checkpointPath(folder), 'nonsense');
    await expect(run({ ...options, resume: true })).rejects.toThrow(/checkpoint\.npz/);
  });

  it('stops when the validation gets no better, and gives the best epoch', async () => {
    const noise = arraySamples(
      new Float32Array(20 * 192),
      [3, 8, 8],
      validation.labels,
      validation.categories,
    );
    const hashes: string[] = [];
    const result = await withTrainer(async (trainer) => {
      const found = await fit(trainer, samples, {
        ...{ epochs: 30, batchSize: 8, validation: noise, earlyStop: { patience: 3, metric: 'loss' } },
        onEpoch: () => hashes.push(trainer.hash()),
      });
      return { ...found, hash: trainer.hash() };
    });
    const losses = result.epochs.map((record) => record.validation!.loss);
    const best = losses.indexOf(Math.min(...losses));
    expect(result.stoppedEarly).toBe(true);
    expect(result.epochs).toHaveLength(best + 4);
    expect(result.epoch).toBe(best + 1);
    expect(result.hash).toBe(hashes[best]);
  });

  it('follows the schedule, and weighs categories', async () => {
    const few = chooseSamples(samples, [0, 4, 8, 12, 16, 20, 1, 2, 3]);
    const rates: number[] = [];
    await withTrainer(
      (trainer) =>
        fit(trainer, few, {
          ...{ epochs: 3, batchSize: 9, balance: true },
          onEpoch: ({ learningRate }) => rates.push(learningRate),
        }),
      { learningRate: { kind: 'logspace', from: 1e-2, to: 1e-4, epochs: 3 } },
    );
    rates.forEach((rate, i) => {
      expect(rate).toBeCloseTo(10 ** -(2 + i), 12);
    });
  });

  it('names what cannot be meant', async () => {
    await expect(run({ ...common, epochs: 0 })).rejects.toThrow(/epochs must be a positive integer/);
    await expect(run({ epochs: 1, earlyStop: { patience: 1 } })).rejects.toThrow(/needs a validation/);
    const two = corners(8, 1, 2);
    const wrong = withTrainer((trainer) => fit(trainer, two, { epochs: 1 }));
    await expect(wrong).rejects.toThrow(/4 scores, for 4 categories, the data 2: upper left, lower left/);
    expect(() => chooseSamples(samples, [0, 1])).toThrow(
      /no samples of the categories upper right, lower right/,
    );
  });
});
