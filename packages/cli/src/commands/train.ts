import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type Graph, readModelFile, writeModel, writeModelFile } from '@unitscope/onnx';
import { lineChart } from '@unitscope/report';
import { UnitscopeError, writeFileAtomic } from '@unitscope/tensor';
import {
  buildArchitecture,
  checkpointPath,
  type EpochRecord,
  type FitResult,
  fit,
  metricsPath,
  Trainer,
} from '@unitscope/training';
import type { Command } from 'commander';
import { addSplitOption } from '../data-options.js';
import { addLoweringOption, addRunOptions } from '../options.js';
import { createProgress } from '../progress.js';
import type { Surroundings } from '../streams.js';
import { openLabelled, prepareSamples, type TrainingData } from '../training/data.js';
import {
  addTrainOptions,
  augmentationOf,
  optimizerOf,
  requireSense,
  scheduleOf,
  type TrainOptions,
} from '../training/options.js';
import { version } from '../version.js';

/** `unitscope train --architecture A --data DIR --out F.onnx`: trains a network to tell categories apart. */
export function addTrainCommand(program: Command, surroundings: Surroundings): void {
  const command = program
    .command('train')
    .description('Trains a network, new or given, to tell categories of pictures apart.');
  addRunOptions(addLoweringOption(addSplitOption(addTrainOptions(command)))).action((options: TrainOptions) =>
    runTrain(options, surroundings),
  );
  command.addHelpText(
    'after',
    `
Examples:
  unitscope data part-world --out world --pictures 4000 --size 64
  unitscope train --architecture alexnet-small --data world --out world.onnx --mirror --shift 4
  unitscope train --architecture alexnet-small --data world --out world.onnx --mirror --shift 4 --resume
  unitscope train --model net.onnx --data photos --out tuned.onnx --parameters 'fc*' --preprocess imagenet --epochs 5`,
  );
}

async function runTrain(options: TrainOptions, { streams, signal }: Surroundings): Promise<void> {
  requireSense(options);
  const { out, data: path, json, quiet, epochs, seed, earlyStop } = options;
  const state = options.state ?? `${out.slice(0, -'.onnx'.length)}-training`;
  const data = await openLabelled(path, options);
  const graph = await networkOf(options, data.categories.length);
  const size = sizeOf(graph, options);
  const samples = await prepareSamples(data, size, options);
  const isQuiet = quiet === true || json === true;
  const trainer = await Trainer.create(graph, {
    ...{ loss: options.loss, optimizer: optimizerOf(options), learningRate: scheduleOf(options), seed, size },
    engine: options.engine,
    lowering: loweringOf(options.lowering),
    batchNormalization: options.freezeBatchNorm === true ? 'frozen' : 'batch',
    ...(options.parameters === undefined ? {} : { parameters: options.parameters }),
    ...(options.threads === undefined ? {} : { threads: options.threads }),
  });
  const progress = createProgress(streams, 'training', isQuiet);
  const say = (text: string) => {
    if (!isQuiet) streams.out.write(text);
  };
  try {
    const { training, validation, leftOut } = samples;
    say(
      `training on ${training.labels.length} pictures of ${data.categories.length} categories, judging by ${validation.labels.length}\n`,
    );
    if (leftOut > 0) say(`left out ${leftOut} pictures that show none of the categories, or several\n`);
    const result = await fit(trainer, training, {
      ...{ epochs, seed, validation, folder: state, signal },
      batchSize: options.batchSize ?? 32,
      augmentation: augmentationOf(options),
      balance: options.balance === true,
      resume: options.resume === true,
      ...(earlyStop === undefined ? {} : { earlyStop: { patience: earlyStop } }),
      ...(options.checkpointSteps === undefined ? {} : { checkpointSteps: options.checkpointSteps }),
      onStep: ({ step, total }) => progress.update(step, total),
      onEpoch: (record) => say(epochLine(record, epochs)),
    });
    await writeModelFile(out, trainer.graph());
    const files = [
      out,
      metricsPath(state),
      checkpointPath(state),
      ...(await writePlots(state, result.epochs)),
    ];
    const record = recordOf(options, graph, trainer, samples, data.categories, result);
    const recordPath = join(state, 'training.json');
    await writeFileAtomic(recordPath, `${JSON.stringify(record, null, 2)}\n`);
    files.push(recordPath);
    if (json === true) streams.out.write(`${JSON.stringify({ ...record, files }, null, 2)}\n`);
    else streams.out.write(`wrote ${out}: ${summaryOf(result)}\n`);
    say(`wrote the log, plots and checkpoint to ${state}\n`);
  } finally {
    progress.stop();
    await trainer.close();
  }
}

async function networkOf({ architecture, model, size, seed }: TrainOptions, classes: number): Promise<Graph> {
  if (model !== undefined) return readModelFile(model);
  return buildArchitecture(architecture ?? '', { classes, seed, ...(size === undefined ? {} : { size }) });
}

/** Height and width of the network's input. */
function sizeOf(graph: Graph, { size, model }: TrainOptions): readonly [number, number] {
  const dims = graph.inputs[0]?.dims ?? [];
  const [height, width] = size ?? dims.slice(-2);
  if (dims.length === 4 && typeof height === 'number' && typeof width === 'number') return [height, width];
  throw new UnitscopeError('wrong-use', `${model} takes pictures of any size; give one by --size`, {
    ...(model === undefined ? {} : { subject: model }),
  });
}

function loweringOf(name: string | undefined): 'auto' | 'portable' | 'native' | 'blocked' {
  return name === 'portable' || name === 'native' || name === 'blocked' ? name : 'auto';
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

function epochLine({ epoch, training, validation }: EpochRecord, epochs: number): string {
  const judged =
    validation === undefined
      ? ''
      : `; validation loss ${validation.loss.toFixed(4)}, ${percent(validation.accuracy)} right`;
  return `epoch ${epoch}/${epochs}: loss ${training.loss.toFixed(4)}, ${percent(training.accuracy)} right${judged}\n`;
}

function summaryOf({ epochs, epoch, stoppedEarly }: FitResult): string {
  const found = epochs[epoch - 1]?.validation;
  const early = stoppedEarly ? `, the best; stopped early after ${epochs.length}` : '';
  const right = found === undefined ? '' : `, ${percent(found.accuracy)} of the validation right`;
  return `epoch ${epoch}${early}${right}`;
}

/** Loss and accuracy over the epochs, each as an SVG. */
async function writePlots(folder: string, epochs: readonly EpochRecord[]): Promise<string[]> {
  const plots = [
    { file: 'loss.svg', title: 'Loss', valueLabel: 'loss', metric: 'loss' },
    { file: 'accuracy.svg', title: 'Accuracy', valueLabel: 'share right', metric: 'accuracy' },
  ] as const;
  const written: string[] = [];
  for (const { file, title, valueLabel, metric } of plots) {
    const judged = epochs.flatMap(({ validation }) => (validation === undefined ? [] : [validation[metric]]));
    const lines = [
      { label: 'training', values: epochs.map(({ training }) => training[metric]) },
      ...(judged.length === 0 ? [] : [{ label: 'validation', values: judged }]),
    ];
    const path = join(folder, file);
    await writeFileAtomic(path, lineChart(lines, { title, valueLabel, stepLabel: 'epoch, the first is 0' }));
    written.push(path);
  }
  return written;
}

/** What was trained, of what, on what, by what, and what came of it. */
function recordOf(
  options: TrainOptions,
  graph: Graph,
  trainer: Trainer,
  { training, validation }: TrainingData,
  categories: readonly string[],
  { epochs, epoch, stoppedEarly }: FitResult,
) {
  const sha256 = (network: Graph) => createHash('sha256').update(writeModel(network)).digest('hex');
  return {
    unitscope: version,
    network: {
      ...(options.architecture === undefined
        ? { path: options.model }
        : { architecture: options.architecture }),
      sha256: sha256(graph),
    },
    trained: { path: options.out, sha256: sha256(trainer.graph()) },
    categories,
    data: {
      ...{ path: options.data, preprocess: options.preprocess },
      training: { samples: training.labels.length, sha256: training.sha256 },
      validation: { samples: validation.labels.length, sha256: validation.sha256 },
    },
    options: {
      batchSize: options.batchSize ?? 32,
      ...{ augmentation: augmentationOf(options), balance: options.balance === true, seed: options.seed },
    },
    trainer: trainer.record,
    epoch,
    stoppedEarly,
    epochs,
  };
}
