import { DATA_SET_LAYOUTS, type DataSet, type Preprocessing } from '@unitscope/data';
import type { KernelOptions } from '@unitscope/kernels';
import type { Model } from '@unitscope/model';
import { type Command, InvalidArgumentError } from 'commander';
import { addSplitOption, type DataOptions, dataRecordOf } from '../data-options.js';
import { inputSizeOf } from '../layer-maps.js';
import {
  addRunOptions,
  onErrorOption,
  positiveInteger,
  preprocessOption,
  type RunOptions,
} from '../options.js';
import type { Json } from '../passes/identity.js';
import { type GraphPictures, requirePictures } from './source.js';

/** Options of the commands that read pictures of a data set. */
export interface GraphDataOptions extends RunOptions, DataOptions {
  readonly preprocess: string;
  readonly onError: 'stop' | 'skip';
  readonly category?: string;
  readonly limit?: number;
  readonly whole?: boolean;
}

export function addGraphDataOptions(command: Command): Command {
  command
    .requiredOption('--data <dir>', `the pictures: any folder of them, or ${DATA_SET_LAYOUTS}`)
    .option('--category <name>', 'only objects of this category')
    .option('--limit <n>', 'only the first n pictures', positiveInteger)
    .option('--whole', 'whole pictures, where the data set has objects with landmarks');
  addSplitOption(command).addOption(preprocessOption()).addOption(onErrorOption());
  return addRunOptions(command);
}

const DEFAULT_BATCH_SIZE = 16;

/** The pictures that the options mean. Throws `wrong-use` and `bad-input` as `requirePictures`. */
export function graphPictures(
  { batchSize = DEFAULT_BATCH_SIZE, onError, category, limit, whole }: GraphDataOptions,
  dataSet: DataSet,
  preprocessing: Preprocessing,
  model: Model,
): GraphPictures {
  const objects = dataSet.landmarkNames.length > 0 && whole !== true;
  const size = inputSizeOf(model);
  const pictures = { dataSet, preprocessing, size, batchSize, onError, objects, category, limit };
  requirePictures(pictures);
  return pictures;
}

/** What results say of the pictures. */
export function picturesRecord({ dataSet, objects, category, limit }: GraphPictures): {
  readonly [key: string]: Json;
} {
  return {
    ...dataRecordOf(dataSet),
    of: objects ? 'objects' : 'whole pictures',
    ...(category === undefined ? {} : { category }),
    ...(limit === undefined ? {} : { limit }),
  };
}

/** Kernels on as many threads as the network. */
export function kernelOptions({ threads }: RunOptions): KernelOptions {
  return threads === undefined ? {} : { threads };
}

/** `0.1,0.05`: one number for each layer. */
export function parseDensities(text: string): readonly number[] {
  const densities = text.split(',').map(Number);
  if (densities.some((density) => !(density > 0 && density <= 1)))
    throw new InvalidArgumentError('It must be numbers above 0, at most 1, one for each layer.');
  return densities;
}

/** A share above 0, at most 1. */
export function parseShare(text: string): number {
  const share = Number(text);
  if (!(share > 0 && share <= 1)) throw new InvalidArgumentError('It must be above 0 and at most 1.');
  return share;
}

/** Names, separated by commas. */
export function parseNames(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.some((name) => name === ''))
    throw new InvalidArgumentError('It must be names, separated by commas.');
  return names;
}
