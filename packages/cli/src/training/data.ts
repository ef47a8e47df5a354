import { readdir, stat } from 'node:fs/promises';
import { openDataSet, readPreprocessing } from '@unitscope/data';
import { reasonOf, UnitscopeError, unknownName } from '@unitscope/tensor';
import {
  type LabelledData,
  labelDataSet,
  pictureSamples,
  readCategoryFolders,
  type Samples,
  splitSamples,
} from '@unitscope/training';
import type { TrainOptions } from './options.js';

type DataChoice = Pick<TrainOptions, 'split' | 'categories'>;

/**
 * The labelled pictures of a path: a folder of nothing but folders, one for each category, or a data set. Throws the
 * errors of `openDataSet` and `labelDataSet`.
 */
export async function openLabelled(path: string, { split, categories }: DataChoice): Promise<LabelledData> {
  const folders = split === undefined ? await categoryFolders(path) : undefined;
  if (folders !== undefined) return categories === undefined ? folders : chosen(folders, categories);
  const dataSet = await openDataSet(path, split === undefined ? {} : { split });
  return labelDataSet(dataSet, categories === undefined ? {} : { categories });
}

async function categoryFolders(path: string): Promise<LabelledData | undefined> {
  try {
    if (!(await stat(path)).isDirectory()) return undefined;
    const entries = await readdir(path, { withFileTypes: true });
    const names = new Set(entries.map(({ name }) => name));
    const isDataSet = names.has('images') && names.size <= 2;
    const hasFiles = entries.some((entry) => !entry.isDirectory() && !entry.name.startsWith('.'));
    return isDataSet || hasFiles ? undefined : await readCategoryFolders(path);
  } catch (cause) {
    if (cause instanceof UnitscopeError) throw cause;
    throw new UnitscopeError('not-found', `cannot read data set ${path}: ${reasonOf(cause)}`, {
      subject: path,
      cause,
    });
  }
}

function chosen(data: LabelledData, categories: readonly string[]): LabelledData {
  for (const name of categories) {
    if (!data.categories.includes(name)) throw unknownName('category', name, data.categories);
  }
  const pictures = data.pictures.flatMap((picture) => {
    const category = categories.indexOf(data.categories[picture.category]!);
    return category < 0 ? [] : [{ ...picture, category }];
  });
  return { categories, pictures, leftOut: data.pictures.length - pictures.length };
}

export interface TrainingData {
  readonly training: Samples;
  readonly validation: Samples;
  readonly leftOut: number;
}

/** The pictures to train on and those to judge by, fitted to the network's input. */
export async function prepareSamples(
  data: LabelledData,
  size: readonly [height: number, width: number],
  options: TrainOptions,
): Promise<TrainingData> {
  const preprocessing = await readPreprocessing(options.preprocess);
  const { categories } = data;
  const [height, width] = size;
  const read = { categories, preprocessing, size: { height, width } };
  const samples = pictureSamples(data.pictures, read);
  if (options.validationData === undefined) {
    const [training, validation] = splitSamples(samples, options.validation, options.seed);
    return { training, validation, leftOut: data.leftOut };
  }
  const judged = await openLabelled(options.validationData, { categories });
  return { training: samples, validation: pictureSamples(judged.pictures, read), leftOut: data.leftOut };
}
