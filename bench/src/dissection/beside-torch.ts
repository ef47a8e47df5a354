import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { concatBatch, readNpy, type Tensor, writeNpy } from '@unitscope/tensor';
import { firstOutside } from '../comparisons.js';
import { measure, timed } from '../measure.js';
import type { Peer } from '../peer.js';
import { countsOf, parameters, type Sample, thresholdsOf } from './phases.js';

/** Milliseconds a picture, ours and torch's in turn, and where our results are not what torch's allow. */
export interface TorchComparison {
  readonly pictures: number;
  readonly ours: { readonly thresholds: number; readonly counts: number };
  readonly torch: { readonly thresholds: number; readonly counts: number };
  readonly difference?: string;
  readonly version?: string;
}

interface PeerAnswer {
  readonly torch?: string;
  readonly bounds?: Readonly<Record<string, readonly [least: string, most: string]>>;
}

/** The same thresholds and counts by torch, from the same arrays; it is told our thresholds, so that counts can be equal. */
export async function compareWithTorch(
  sample: Sample,
  peer: Peer,
  threads: number,
  rounds: number,
): Promise<TorchComparison> {
  const folder = await mkdtemp(join(tmpdir(), 'unitscope-bench-'));
  try {
    const { batches, thresholds, placement, table, pictures } = sample;
    const labelled = batches.map((batch) => batch.labelled);
    const arrays = {
      activations: concatBatch(labelled.map(({ activations }) => activations)),
      labels: joined(labelled.map(({ pixelLabels }) => pixelLabels)),
      thresholds: { dims: [thresholds.length], data: thresholds },
    };
    const paths: Record<string, string> = {};
    for (const [name, tensor] of Object.entries(arrays)) {
      paths[name] = join(folder, `${name}.npy`);
      await writeFile(paths[name], writeNpy(tensor));
    }
    const answer: PeerAnswer = await peer.prepare({
      ...paths,
      rows: 1 + Math.max(0, ...table.labels.map(({ index }) => index)),
      fraction: parameters.quantileFraction,
      origin: placement.origin,
      step: placement.step,
      outputs: folder,
    });
    const { intersection, labelPixels } = (await countsOf(sample)).result();
    const results = { thresholds, intersection: intersection.data, labelPixels: labelPixels.data };
    let difference: string | undefined;
    for (const [name, data] of Object.entries(results)) {
      const files = answer.bounds?.[name];
      if (files === undefined) throw new Error(`the torch peer gave no bounds of ${name}`);
      const [least, most] = await Promise.all(files.map(async (file) => readNpy(await readFile(file)).data));
      difference ??= firstOutside(name, data, least!, most!);
    }
    const timings = await measure(
      [
        { name: 'ours thresholds', run: () => timed(() => thresholdsOf(sample)) },
        { name: 'torch thresholds', run: () => peer.run('thresholds', threads) },
        { name: 'ours counts', run: () => timed(() => countsOf(sample)) },
        { name: 'torch counts', run: () => peer.run('counts', threads) },
      ],
      rounds,
      0,
    );
    const [ourThresholds = 0, torchThresholds = 0, ourCounts = 0, torchCounts = 0] = timings.map(
      ({ median }) => median / pictures,
    );
    return {
      pictures,
      ours: { thresholds: ourThresholds, counts: ourCounts },
      torch: { thresholds: torchThresholds, counts: torchCounts },
      ...(difference === undefined ? {} : { difference }),
      ...(answer.torch === undefined ? {} : { version: answer.torch }),
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Of equal dims but the first. */
function joined(batches: readonly Tensor<Int32Array>[]): Tensor<Int32Array> {
  const [, ...rest] = batches[0]?.dims ?? [0];
  const data = new Int32Array(batches.reduce((sum, batch) => sum + batch.data.length, 0));
  let next = 0;
  for (const batch of batches) {
    data.set(batch.data, next);
    next += batch.data.length;
  }
  const images = batches.reduce((sum, { dims: [n = 0] }) => sum + n, 0);
  return { dims: [images, ...rest], data };
}
