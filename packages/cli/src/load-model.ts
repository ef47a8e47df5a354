import { Model } from '@unitscope/model';
import type { RunOptions } from './options.js';

/** The network of the command line, with the options every command shares. */
export async function loadModel(path: string, options: RunOptions): Promise<Model> {
  const { engine, threads, batchSize, size } = options;
  return Model.load(path, {
    engine,
    batchSize,
    ...(threads === undefined ? {} : { threads }),
    ...(size === undefined ? {} : { inputDims: ['N', 3, ...size] }),
  });
}
