import { basename } from 'node:path';
import { ArrayPool, type DataSet, type Preprocessing, streamExamples } from '@unitscope/data';
import { TopPictures } from '@unitscope/metrics';
import type { Layer, Model } from '@unitscope/model';
import { releaseData, type Tensor, UnitscopeError } from '@unitscope/tensor';
import { dataRecordOf } from '../data-options.js';
import { inputSizeOf, mapDimsOf } from '../layer-maps.js';
import { type RunIdentity, WHOLE } from '../passes/identity.js';
import { readAhead } from '../passes/read-ahead.js';
import { type PassBatch, runPass } from '../passes/run-pass.js';
import { type Pass, readPass, readRunIdentity, requireResumable, savePass } from '../passes/saved-pass.js';
import { version } from '../version.js';

/** What is ranked: the pictures of a data set by the activations of a layer. */
export interface Ranking {
  readonly model: Model;
  readonly layer: Layer;
  readonly dataSet: DataSet;
  readonly preprocessing: Preprocessing;
  /** Pictures kept for each unit. */
  readonly top: number;
  /** Only so many pictures, from the first on. */
  readonly limit?: number;
  readonly batchSize?: number;
  readonly onError: 'stop' | 'skip';
}

export interface RankingPass extends Pass {
  readonly top: TopPictures;
}

const DEFAULT_BATCH_SIZE = 16;

/** A pass at its beginning, or as far as the state in a file has come. Throws `wrong-use` for a state of another run. */
export async function openRanking(
  ranking: Ranking,
  state: { readonly path: string; readonly resume: boolean } | undefined,
): Promise<RankingPass> {
  const identity = identityOf(ranking);
  const begin = (): RankingPass => ({
    identity,
    shard: WHOLE,
    done: 0,
    skipped: [],
    top: new TopPictures(mapDimsOf(ranking.layer)[0], ranking.top),
  });
  if (state === undefined) return begin();
  const saved = await readPass(state.path, readRunIdentity);
  requireResumable(state.path, saved?.pass, { identity, shard: WHOLE, resume: state.resume });
  return saved === undefined
    ? begin()
    : { ...saved.pass, top: TopPictures.fromState(saved.state.get('top')) };
}

/** Goes on with a pass to its end, saving its state now and then where a file is named for it. */
export async function rankPictures(
  pass: RankingPass,
  ranking: Ranking,
  path: string | undefined,
  {
    signal,
    onProgress,
  }: { readonly signal: AbortSignal; readonly onProgress: (done: number, total: number) => void },
): Promise<void> {
  const stream = (numbers: readonly number[], stop: AbortSignal) => streamActivations(ranking, numbers, stop);
  await runPass(
    pass,
    stream,
    { signal, onProgress },
    {
      take: async ({ numbers, activations }) => {
        await pass.top.add({ activations, pictures: numbers });
        releaseData(activations.data);
      },
      save: async () => {
        if (path !== undefined) await savePass(path, pass, { top: pass.top.toState() });
      },
    },
  );
}

interface ActivationBatch extends PassBatch {
  readonly activations: Tensor;
}

/** While a batch is ranked the next one is in the network, and the one after that is decoded. */
function streamActivations(
  { model, layer, dataSet, preprocessing, batchSize = DEFAULT_BATCH_SIZE, onError }: Ranking,
  numbers: readonly number[],
  signal: AbortSignal,
): AsyncIterable<ActivationBatch> {
  const pool = new ArrayPool();
  const size = inputSizeOf(model);
  async function* forward(): AsyncGenerator<ActivationBatch, void, undefined> {
    const examples = streamExamples(dataSet, {
      preprocessing,
      size,
      numbers,
      batchSize,
      onError,
      signal,
      pool,
    });
    for await (const { numbers: taken, inputs, skipped } of readAhead(examples)) {
      const activations = taken.length === 0 ? NOTHING : await activationsOf(model, layer, inputs, signal);
      pool.give(inputs.data);
      yield { numbers: taken, activations, skipped };
    }
  }
  return readAhead(forward());
}

/** Of a batch of which nothing could be used. */
const NOTHING: Tensor = { dims: [0], data: new Float32Array(0) };

async function activationsOf(
  model: Model,
  { name }: Layer,
  inputs: Tensor,
  signal: AbortSignal,
): Promise<Tensor> {
  const maps = (await model.activations([name], inputs, { signal })).get(name);
  if (maps === undefined) throw new UnitscopeError('not-found', `${name} gave no activations`);
  return maps;
}

function identityOf({ model, layer, dataSet, preprocessing, top, limit }: Ranking): RunIdentity {
  const { height, width } = inputSizeOf(model);
  return {
    record: {
      unitscope: version,
      method: 'top-pictures',
      model: { file: basename(model.path ?? ''), sha256: model.sha256 },
      engine: { name: model.engine.name, versions: model.engine.versions },
      layer: layer.name,
      data: dataRecordOf(dataSet),
      preprocessing: { ...preprocessing },
      input: [height, width],
      parameters: { top },
    },
    count: Math.min(limit ?? Number.POSITIVE_INFINITY, dataSet.examples.length),
  };
}
