import type { Model } from '@unitscope/model';
import { type Tensor, UnitscopeError } from '@unitscope/tensor';
import { type CollectedSamples, SampleCollector } from './samples.js';

/** A batch of pictures, [N, C, H, W], and which of them show the category. */
export interface LabelledBatch {
  readonly batch: Tensor;
  readonly positive: readonly boolean[];
}

export interface CollectOptions {
  /** The convolutional layer the tree is about: the network's top maps after ReLU and mask. */
  readonly layer: string;
  /** The output that is the score of the category, before a sigmoid or softmax; 0 by default. */
  readonly target?: number;
  /** Of a tree, to see pictures as it does. */
  readonly scales?: Float64Array;
  readonly signal?: AbortSignal;
  /** What else is to be taken from a batch's maps, such as where filters are strongest. */
  readonly onMaps?: (maps: Tensor) => void;
  /** After each batch: how many pictures there have been. */
  readonly onProgress?: (pictures: number) => void;
}

/**
 * Runs pictures through a network, forward and back to `layer`, and keeps what a tree is learned from.
 *
 * Throws `not-found` for the layer, `bad-input` for one without maps and for pictures that do not fit, and as
 * `SampleCollector.samples`.
 */
export async function collectTreeSamples(
  model: Model,
  batches: AsyncIterable<LabelledBatch> | Iterable<LabelledBatch>,
  options: CollectOptions,
): Promise<CollectedSamples> {
  const { layer, target = 0, scales, signal, onMaps, onProgress } = options;
  requireMaps(model, layer);
  const pullback = await model.pullback({ kind: 'class' }, { wrt: layer, outputs: [layer] });
  const collector = new SampleCollector(scales);
  const running = signal === undefined ? {} : { signal };
  let pictures = 0;
  for await (const { batch, positive } of batches) {
    const result = await pullback.run(batch, target, running);
    const maps = result.outputs.get(layer)!;
    collector.add(maps, result.signal, result.score!, positive);
    onMaps?.(maps);
    pictures += positive.length;
    onProgress?.(pictures);
  }
  return collector.samples();
}

function requireMaps(model: Model, name: string): void {
  const { dims, name: shown } = model.layer(name);
  if (dims?.length === 4) return;
  throw new UnitscopeError(
    'bad-input',
    `${shown} has dims [${dims?.join(', ') ?? '?'}], a tree is about maps [N, D, h, w]; name a convolutional layer`,
    { subject: shown },
  );
}
