import { type DataSet, openDataSet } from '@unitscope/data';
import type { Command } from 'commander';
import type { Json } from './passes/identity.js';

export interface DataOptions {
  readonly data: string;
  readonly split?: string;
}

export function addSplitOption(command: Command): Command {
  return command.option(
    '--split <name>',
    'only its pictures of one split: train or test of CUB-200-2011, train or val of Broden',
  );
}

/** The data set of the command line; `unlabelled` where any folder of pictures will do. */
export function openData({ data, split }: DataOptions, { unlabelled = false } = {}): Promise<DataSet> {
  return openDataSet(data, { unlabelled, ...(split === undefined ? {} : { split }) });
}

/** What results and states say of a data set; the same on every machine. */
export function dataRecordOf({ format, sha256, split, examples }: DataSet): { readonly [key: string]: Json } {
  return { format, sha256, ...(split === undefined ? {} : { split }), pictures: examples.length };
}
