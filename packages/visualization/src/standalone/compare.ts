import { type Model, openEngine } from '@unitscope/model';
import { concatBatch, Random, type Tensor, type TensorData, UnitscopeError } from '@unitscope/tensor';
import { explain } from '../methods/explain.js';
import type { Method } from '../methods/method.js';
import type { ExplainOptions } from '../methods/passes.js';
import { smoothGradMethod, smoothGradSquaredMethod } from '../methods/smooth-grad.js';
import { methodNamed } from '../methods/table.js';
import type { Standalone } from './compile-explanation.js';
import { standaloneNoise } from './noise.js';

export interface Comparison {
  /** |file - explain| / |explain| over all elements of the map; 0 where both are zero. */
  readonly map: number;
  /** The same of the class scores; undefined where the network has none. */
  readonly scores: number | undefined;
  /** Whether the map is zero everywhere, so that the comparison says little. */
  readonly silent: boolean;
}

/**
 * Runs a file of `compileExplanation` once on the network's engine and compares it with what `explain` says by the same
 * method: of a picture of standard normal numbers and the class it is taken for, or the first channel of a unit's layer,
 * or the target that the file has.
 *
 * @param standalone its graph may have been read back from the file
 *
 * Throws as `explain`, `wrong-use` for a file of another network, `backend` where it cannot be run.
 */
export async function compareWithExplain(
  model: Model,
  standalone: Standalone,
  options: Pick<ExplainOptions, 'signal' | 'onProgress'> = {},
): Promise<Comparison> {
  const { record } = standalone;
  if (record.source_sha256 !== model.sha256) {
    throw new UnitscopeError(
      'wrong-use',
      `the file explains another network than ${model.path ?? 'this one'}; give the one it was made of`,
    );
  }
  const { objective, target } = record;
  const [batch = 1, ...sample] = (model.input.dims ?? []).map((dim) => (typeof dim === 'number' ? dim : 1));
  const one = new Random(0).normalTensor([1, ...sample]);
  // A network of a fixed batch gets the same picture over and over, since explain takes one noise for all of them.
  const picture = concatBatch(Array.from({ length: batch }, () => one));
  const outputs = await runOnce(model, standalone, picture, options.signal);
  const chosen = target === 'input' ? (objective.kind === 'class' ? 'top1' : 0) : target;
  const explanation = await explain(model, methodOf(record, one), picture, {
    ...(objective.kind === 'class'
      ? { target: chosen }
      : { unit: { layer: objective.layer, channel: Number(chosen), position: objective.position } }),
    ...options,
  });
  const { map, logits } = explanation;
  return {
    map: distance(outputs['map'], map),
    scores: logits === undefined ? undefined : distance(outputs['scores'], logits),
    silent: map.data.every((value) => value === 0),
  };
}

async function runOnce(
  { input, engine: { name } }: Model,
  { graph, record }: Standalone,
  picture: Tensor,
  signal: AbortSignal | undefined,
) {
  const target = new BigInt64Array(picture.dims[0]!).fill(record.objective.kind === 'class' ? -1n : 0n);
  const feeds = {
    [input.name]: picture,
    ...(record.target === 'input' ? { target: { dims: [target.length], data: target } } : {}),
  };
  const engine = await openEngine(name);
  try {
    const session = await engine.load(graph, { label: 'the file' });
    return await session.run(feeds, { signal });
  } finally {
    await engine.close();
  }
}

/** The method as `explain` takes it, with the noise that the file draws. */
function methodOf({ method, parameters }: Standalone['record'], { dims, data }: Tensor): Method {
  const { samples, noise, seed } = parameters;
  if (samples === undefined || noise === undefined || seed === undefined) {
    return methodNamed(method, parameters);
  }
  const drawn = standaloneNoise({ seed, samples, dims: dims.slice(1) });
  const [low, high] = data.reduce(
    ([least, most], value) => [Math.min(least, value), Math.max(most, value)],
    [Infinity, -Infinity],
  );
  const given = { dims: drawn.dims, data: drawn.data.map((value) => value * noise * (high - low)) };
  return method === 'smoothgrad' ? smoothGradMethod({ given }) : smoothGradSquaredMethod({ given });
}

/** |actual - expected| / |expected|; infinite where one is not finite. */
function distance(actual: Tensor<TensorData> | undefined, { data }: Tensor): number {
  if (actual === undefined || actual.data.length !== data.length) return Number.POSITIVE_INFINITY;
  let [difference, norm] = [0, 0];
  for (let i = 0; i < data.length; i++) {
    difference += (Number(actual.data[i]) - data[i]!) ** 2;
    norm += data[i]! ** 2;
  }
  const relative = difference === 0 ? 0 : Math.sqrt(difference / norm);
  return Number.isNaN(relative) ? Number.POSITIVE_INFINITY : relative;
}
