import { Model } from '@unitscope/model';
import { type Dim, readModelFile } from '@unitscope/onnx';
import type { RunOptions } from './options.js';
import type { Streams } from './streams.js';

/**
 * The network of the command line, with the options every command shares. Where the engine is not the one that `auto`
 * prefers, a line on the error stream says why.
 */
export async function loadModel(path: string, options: RunOptions, { err }: Streams): Promise<Model> {
  const { engine, lowering, threads, batchSize, size, quiet } = options;
  const model = await Model.load(path, {
    engine,
    ...(lowering === undefined ? {} : { lowering }),
    ...(threads === undefined ? {} : { threads }),
    ...(batchSize === undefined ? {} : { batchSize }),
    ...(size === undefined ? {} : { inputDims: await sized(path, size) }),
  });
  const { name, reason } = model.engine;
  if (reason !== undefined && quiet !== true) {
    err.write(`unitscope: running on ${name}, since the engine native cannot be used: ${reason}\n`);
  }
  return model;
}

/** The dims of the file's input with the size in their place; of pictures, where the file says nothing. */
async function sized(path: string, size: readonly [number, number]): Promise<readonly Dim[]> {
  const { inputs, initializers } = await readModelFile(path);
  const [batch = 'N', channels = 3] = inputs.find(({ name }) => !initializers.has(name))?.dims ?? [];
  return [batch, channels, ...size];
}
