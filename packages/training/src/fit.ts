import { throwIfAborted, UnitscopeError } from '@unitscope/tensor';
import type { Augmentation } from './augmentation.js';
import { balancedWeights, streamBatches } from './batches.js';
import { type Best, type Checkpoint, checkpointPath, readCheckpoint, writeCheckpoint } from './checkpoint.js';
import { type Evaluation, evaluateSamples, Tally } from './evaluate.js';
import { type EpochRecord, readMetrics, writeMetrics } from './metrics-log.js';
import type { Samples } from './samples.js';
import { shuffled } from './seeds.js';
import type { StepResult, Trainer } from './trainer.js';

export interface EarlyStop {
  /** Epochs without a better value after which training ends. */
  readonly patience: number;
  /** What is watched, of the validation: its `loss` (the default), `accuracy` or `balancedAccuracy`. */
  readonly metric?: 'loss' | 'accuracy' | 'balancedAccuracy';
}

export interface FitOptions {
  readonly epochs: number;
  /** 32 by default. */
  readonly batchSize?: number;
  /** Of the order of samples and of what is varied in them; 0 by default. */
  readonly seed?: number;
  readonly augmentation?: Augmentation;
  /** Lets every category count the same in the loss. */
  readonly balance?: boolean;
  readonly validation?: Samples;
  /** Ends when the validation no longer gets better, and goes back to the best epoch. */
  readonly earlyStop?: EarlyStop;
  /** The folder for `checkpoint.npz` and `metrics.jsonl`. */
  readonly folder?: string;
  /** A checkpoint also after every so many steps; after every epoch in any case. */
  readonly checkpointSteps?: number;
  /** Goes on from the checkpoint of the folder where there is one; without, one that is there is refused. */
  readonly resume?: boolean;
  readonly onStep?: (progress: FitProgress) => void;
  readonly onEpoch?: (record: EpochRecord) => void;
  readonly signal?: AbortSignal;
}

export interface FitProgress extends Omit<StepResult, 'scores'> {
  /** Of the step, from 1. */
  readonly epoch: number;
  /** Steps of a whole run. */
  readonly total: number;
}

export interface FitResult {
  readonly epochs: readonly EpochRecord[];
  /** The epoch the network is of: the last, or the best one where training was to stop early. */
  readonly epoch: number;
  readonly stoppedEarly: boolean;
}

/**
 * Trains over epochs. Everything random comes of seeds and numbers of epochs, steps and samples, so a run that is stopped
 * at a checkpoint and goes on comes to the same bits as one that was not, on the same engine and threads.
 *
 * Throws `bad-input` where training diverges or a picture is broken (naming it), `wrong-use` for options that cannot be
 * and for a folder with a checkpoint of another run, `aborted` within a step; the last checkpoint then stays.
 */
export async function fit(trainer: Trainer, samples: Samples, options: FitOptions): Promise<FitResult> {
  requireSense(trainer, samples, options);
  const { epochs, batchSize = 32, seed = 0, folder, validation, earlyStop, signal } = options;
  const { augmentation = {}, checkpointSteps = Number.POSITIVE_INFINITY } = options;
  const identity = JSON.stringify(identityOf(trainer, samples, options));
  const count = samples.labels.length;
  const batches = Math.ceil(count / batchSize);
  const weights = options.balance === true ? balancedWeights(samples) : undefined;
  const saved = await savedPoint(folder, identity, options.resume === true);
  const records = saved === undefined || folder === undefined ? [] : await readMetrics(folder, saved.epoch);
  if (saved !== undefined) trainer.restore(saved.state);
  let best: Best | undefined = saved?.best;
  let batch = saved?.batch ?? 0;
  let tally = new Tally(samples.categories.length);
  if (saved !== undefined) tally.restore(saved.tally);
  const isOver = () =>
    earlyStop !== undefined && best !== undefined && records.length - best.epoch >= earlyStop.patience;

  while (records.length < epochs && !isOver()) {
    const epoch = records.length;
    const order = shuffled(count, seed, epoch);
    const stream = streamBatches(samples, {
      ...{ batchSize, order, first: batch, augmentation, seed, epoch, signal },
      ...(weights === undefined ? {} : { weights }),
    });
    let learningRate = 0;
    for await (const loaded of stream) {
      const result = await trainer.step(loaded, { epoch: epoch + batch / batches, signal });
      tally.add(trainer.loss, result.scores.data, loaded.labels);
      batch++;
      const { step, loss } = result;
      learningRate = result.learningRate;
      options.onStep?.({ step, loss, learningRate, epoch: epoch + 1, total: epochs * batches });
      if (folder !== undefined && step % checkpointSteps === 0 && batch < batches) {
        const state = trainer.state();
        await writeCheckpoint(folder, { identity, epoch, batch, tally: tally.toState(), state, best });
      }
    }
    const found =
      validation === undefined
        ? undefined
        : await evaluateSamples(trainer, validation, { batchSize, signal });
    const record: EpochRecord = {
      ...{ epoch: epoch + 1, step: trainer.steps, learningRate, training: tally.result() },
      ...(found === undefined ? {} : { validation: found }),
    };
    records.push(record);
    best = betterOf(best, record.epoch, found, earlyStop, trainer);
    batch = 0;
    tally = new Tally(samples.categories.length);
    if (folder !== undefined) {
      // The log first: a checkpoint must find the epochs before it.
      await writeMetrics(folder, records);
      const point = { identity, epoch: record.epoch, batch, tally: tally.toState(), best };
      await writeCheckpoint(folder, { ...point, state: trainer.state() });
    }
    options.onEpoch?.(record);
    throwIfAborted(signal);
  }
  if (best !== undefined) trainer.restore(best.state);
  return { epochs: records, epoch: best?.epoch ?? records.length, stoppedEarly: records.length < epochs };
}

function betterOf(
  best: Best | undefined,
  epoch: number,
  found: Evaluation | undefined,
  earlyStop: EarlyStop | undefined,
  trainer: Trainer,
): Best | undefined {
  if (earlyStop === undefined || found === undefined) return undefined;
  const { metric = 'loss' } = earlyStop;
  const value = metric === 'loss' ? -found.loss : found[metric];
  return best !== undefined && best.value >= value ? best : { epoch, value, state: trainer.state() };
}

async function savedPoint(
  folder: string | undefined,
  identity: string,
  resume: boolean,
): Promise<Checkpoint | undefined> {
  const saved = folder === undefined ? undefined : await readCheckpoint(folder);
  if (saved === undefined || folder === undefined) return undefined;
  const path = checkpointPath(folder);
  const refuse = (why: string) => new UnitscopeError('wrong-use', `${path} ${why}`, { subject: path });
  if (!resume) throw refuse('is there already; resume it, or choose another folder');
  if (saved.identity !== identity) {
    throw refuse(`is of another run (${differenceOf(saved.identity, identity)}); choose another folder`);
  }
  return saved;
}

/** What a checkpoint belongs to; more epochs and other frequencies of checkpoints are the same run. */
function identityOf(trainer: Trainer, samples: Samples, options: FitOptions) {
  const { batchSize = 32, seed = 0, augmentation = {}, balance = false, validation, earlyStop } = options;
  const { engine, ...record } = trainer.record;
  return {
    ...record,
    engine: engine.name,
    network: trainer.initialHash,
    samples: samples.sha256,
    ...{ batchSize, shuffle: seed, augmentation, balance },
    validation: validation?.sha256 ?? null,
    earlyStop: earlyStop ?? null,
  };
}

/** The first thing in which two runs differ. */
function differenceOf(saved: string, wanted: string): string {
  const [before, now] = [saved, wanted].map(
    (text) => new Map<string, unknown>(Object.entries(JSON.parse(text))),
  );
  for (const [name, value] of now!) {
    const [a, b] = [before!.get(name), value].map((item) => JSON.stringify(item) ?? 'nothing');
    if (a !== b) return a!.length + b!.length < 80 ? `${name} was ${a}, not ${b}` : `another ${name}`;
  }
  return 'other options';
}

function requireSense(trainer: Trainer, samples: Samples, options: FitOptions): void {
  const refuse = (why: string, subject: string) => new UnitscopeError('wrong-use', why, { subject });
  const { epochs, batchSize = 32, checkpointSteps = 1, validation, earlyStop } = options;
  for (const [name, value] of Object.entries({ epochs, batchSize, checkpointSteps })) {
    if (!Number.isInteger(value) || value < 1)
      throw refuse(`${name} must be a positive integer, it is ${value}`, name);
  }
  if (earlyStop !== undefined && validation === undefined) {
    throw refuse('to stop early needs a validation', 'earlyStop');
  }
  const wanted = trainer.loss === 'logistic' && trainer.classes === 1 ? 2 : trainer.classes;
  if (samples.categories.length !== wanted) {
    throw new UnitscopeError(
      'bad-input',
      `the network has ${trainer.classes} scores, for ${wanted} categories, the data ${samples.categories.length}: ${samples.categories.join(', ')}`,
    );
  }
}
