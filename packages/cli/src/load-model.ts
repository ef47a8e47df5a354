import { Model } from '@unitscope/model';
import { type Dim, readModelFile } from '@unitscope/onnx';
import type { RunOptions } from './options.js';

/** The network of the command line, with the options every command shares. */
export async function loadModel(path: string, options: RunOptions): Promise<Model> {
  const { engine, threads, batchSize, size } = options;
  return Model.load(path, {
    engine,
    ...(threads === undefined ? {} : { threads }),
    ...(batchSize === undefined ? {} : { batchSize }),
    ...(size === undefined ? {} : { inputDims: await sized(path, size) }),
  });
}

/** The dims of the file's input with the size in their place; of pictures, where the file says nothing. */
async function sized(path: string, size: readonly [number, number]): Promise<readonly Dim[]> {
  const { inputs, initializers } = await readModelFile(path);
  const [batch = 'N', channels = 3] = inputs.find(({ name }) => !initializers.has(name))?.dims ?? [];
  return [batch, channels, ...size];
}
