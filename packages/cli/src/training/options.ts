import { DATA_SET_LAYOUTS } from '@unitscope/data';
import { UnitscopeError } from '@unitscope/tensor';
import {
  type Augmentation,
  adam,
  architectureNames,
  type Optimizer,
  type Schedule,
  sgd,
} from '@unitscope/training';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseFraction, parseSeed, positiveInteger, preprocessOption, type RunOptions } from '../options.js';

export interface TrainOptions extends RunOptions {
  readonly out: string;
  readonly data: string;
  readonly split?: string;
  readonly architecture?: string;
  readonly model?: string;
  readonly state?: string;
  readonly categories?: readonly string[];
  readonly preprocess: string;
  readonly validation: number;
  readonly validationData?: string;
  readonly epochs: number;
  readonly loss: 'softmax' | 'logistic';
  readonly optimizer: 'sgd' | 'adam';
  readonly learningRate?: number;
  readonly schedule: 'constant' | 'cosine' | 'steps';
  readonly stepsAt?: readonly number[];
  readonly momentum: number;
  readonly nesterov?: boolean;
  readonly weightDecay: number;
  readonly parameters?: readonly string[];
  readonly freezeBatchNorm?: boolean;
  readonly mirror?: boolean;
  readonly shift: number;
  readonly balance?: boolean;
  readonly earlyStop?: number;
  readonly checkpointSteps?: number;
  readonly seed: number;
  readonly resume?: boolean;
}

const listOf = (text: string) => text.split(',').filter((item) => item !== '');

function parseNumber(text: string): number {
  const number = Number(text);
  if (text.trim() === '' || !Number.isFinite(number) || number < 0)
    throw new InvalidArgumentError('It must be a number of 0 or more.');
  return number;
}

function parseCount(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be an integer of 0 or more.');
  return Number(text);
}

/** The options of `train` besides those every command has. */
export function addTrainOptions(command: Command): Command {
  return command
    .requiredOption('--out <file>', 'the ONNX file to write the trained network to')
    .requiredOption(
      '--data <dir>',
      `a folder with one folder of pictures for each category, or a data set: ${DATA_SET_LAYOUTS}`,
    )
    .option('--architecture <name>', `a new network: ${architectureNames.join(', ')}`)
    .option('--model <file>', 'a network to train further')
    .option(
      '--state <dir>',
      'the folder for checkpoint, log and plots (default: OUT without .onnx, -training)',
    )
    .option('--categories <names>', 'only these categories of a data set, separated by commas', listOf)
    .addOption(preprocessOption('cifar10'))
    .option('--validation <share>', 'the share of the pictures to judge by', parseFraction, 0.1)
    .option('--validation-data <dir>', 'the pictures to judge by, instead of a share')
    .option('--epochs <n>', 'how often every picture is seen', positiveInteger, 20)
    .addOption(
      new Option('--loss <name>', 'softmax of one category, or logistic of each')
        .choices(['softmax', 'logistic'])
        .default('softmax'),
    )
    .addOption(
      new Option('--optimizer <name>', 'what steps are made by').choices(['sgd', 'adam']).default('sgd'),
    )
    .option('--learning-rate <r>', 'the learning rate (default: 0.05 of sgd, 0.001 of adam)', parseNumber)
    .addOption(
      new Option('--schedule <name>', 'how the learning rate changes over the epochs')
        .choices(['constant', 'cosine', 'steps'])
        .default('cosine'),
    )
    .option(
      '--steps-at <epochs>',
      'with steps: the epochs after which it is divided by 10, such as 30,60',
      (text) => listOf(text).map(positiveInteger),
    )
    .option('--momentum <m>', 'of sgd', parseNumber, 0.9)
    .option('--nesterov', "Nesterov's momentum")
    .option('--weight-decay <d>', 'added to the gradient, times the weight', parseNumber, 5e-4)
    .option('--parameters <names>', 'train only these, such as fc.*; separated by commas', listOf)
    .option('--freeze-batch-norm', 'keep the statistics of batch normalizations as they are')
    .option('--mirror', 'mirror half of the pictures, others each epoch')
    .option('--shift <pixels>', 'shift the pictures by up to so many pixels', parseCount, 0)
    .option('--balance', 'let every category count the same, however many pictures it has')
    .option(
      '--early-stop <epochs>',
      'end after so many epochs without a better validation, with the best',
      positiveInteger,
    )
    .option('--checkpoint-steps <n>', 'a checkpoint also after every so many steps', positiveInteger)
    .option('--seed <n>', 'of weights, order, variation, dropout and the validation', parseSeed, 0)
    .option('--resume', 'go on with a run that was stopped');
}

export function optimizerOf({ optimizer, momentum, nesterov = false, weightDecay }: TrainOptions): Optimizer {
  return optimizer === 'adam' ? adam({ weightDecay }) : sgd({ momentum, nesterov, weightDecay });
}

/** The schedule asked for. Throws `wrong-use` for steps without epochs. */
export function scheduleOf({ schedule, learningRate, optimizer, epochs, stepsAt }: TrainOptions): Schedule {
  const rate = learningRate ?? (optimizer === 'adam' ? 1e-3 : 0.05);
  if (schedule === 'constant') return { kind: 'constant', rate };
  if (schedule === 'cosine') return { kind: 'cosine', rate, epochs };
  if (stepsAt === undefined)
    throw new UnitscopeError('wrong-use', '--schedule steps needs --steps-at, such as 30,60');
  return { kind: 'steps', rate, factor: 0.1, at: stepsAt };
}

export function augmentationOf({ mirror = false, shift }: TrainOptions): Augmentation {
  return { mirror, shift };
}

/** Throws `wrong-use` for options that cannot be meant together. */
export function requireSense({ architecture, model, stepsAt, schedule, out }: TrainOptions): void {
  const refuse = (why: string) => new UnitscopeError('wrong-use', why);
  if ((architecture === undefined) === (model === undefined)) {
    throw refuse('name either an --architecture or a --model to train');
  }
  if (stepsAt !== undefined && schedule !== 'steps') throw refuse('--steps-at goes with --schedule steps');
  if (!out.endsWith('.onnx')) throw refuse(`--out ${out} must end in .onnx`);
}
