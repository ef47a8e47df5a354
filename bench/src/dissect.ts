import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writePartWorld } from '@unitscope/data';
import { sameDims } from '@unitscope/tensor';
import { machineOf } from './bench-networks.js';
import { compareWithTorch, type TorchComparison } from './dissection/beside-torch.js';
import { runCommand } from './dissection/command.js';
import { openSample, type PhaseTimes, type Sample, timePhases } from './dissection/phases.js';
import { NO_PEER, Peer } from './peer.js';

/** A trained network of 1000 units of 15 x 15 cells in its last convolution. */
export const DEFAULT_NETWORK = fileURLToPath(
  new URL('../../../shared/data/models/squeezenet1.0-dc.onnx', import.meta.url),
);

export interface DissectBenchOptions {
  readonly net: string;
  readonly layer: string;
  readonly pictures: readonly number[];
  /** Height and width of the pictures. */
  readonly size: number;
  /** Where the pictures lie, or are drawn to; a folder under that of temporary files by default. */
  readonly world?: string;
  /** Gigabytes of disk that activations may take; 0 runs the network twice. Given several, all are measured. */
  readonly cache: readonly number[];
  /** Pictures whose arrays are held in memory, for phases by themselves and for torch. */
  readonly sample: number;
  readonly rounds: number;
  readonly threads: number;
  readonly peers: boolean;
}

/** One run of the whole command. */
interface WholeRun {
  readonly pictures: number;
  readonly cache: number;
  readonly seconds: number;
  readonly peak: number;
  /** Pictures whose activations were read from the disk in the second pass. */
  readonly cached: number;
  /** Seconds that ONNX Runtime's forward pass alone takes for as many pictures. */
  readonly forward: number;
  /** 1 - forward / seconds. */
  readonly outside: number;
}

const GOAL = 0.25;

/** What NetDissect-Lite took apart from this, over label maps of 112 x 112, for 200 and for 20 concepts. */
const NET_DISSECT_LITE = { maps: [256, 13, 13], ms: [16, 22] } as const;
const SEED = 1;
const CATEGORIES = 10;

/** Dissects a trained network on part worlds, as the command does it, and times the phases by themselves. */
export async function benchDissect(options: DissectBenchOptions, log: (line: string) => void) {
  const { net, layer, size, threads, rounds } = options;
  if (!existsSync(net)) {
    log(`dissect: not run, there is no network ${net}; name one by --net FILE`);
    return undefined;
  }
  const world = options.world ?? join(tmpdir(), `unitscope-part-world-${size}`);
  const counts = [...options.pictures].sort((a, b) => a - b);
  // Each needs its own list of the pictures; the pictures themselves are drawn once.
  const data = async (pictures: number) => {
    const started = performance.now();
    let shown = 0;
    const { drawn } = await writePartWorld(world, {
      pictures,
      size,
      seed: SEED,
      categories: CATEGORIES,
      onProgress: (done, total) => {
        if (done < total && done - shown < 500) return;
        shown = done;
        log(`  ${done} of ${total} pictures are there`);
      },
    });
    log(
      `${world}: ${pictures} pictures of ${size} x ${size}, ${drawn} drawn in ${seconds(performance.now() - started)}`,
    );
  };

  await data(counts[0]!);
  const sample = await openSample(net, world, { layer, pictures: options.sample, threads });
  let phases: PhaseTimes;
  let torch: TorchComparison | undefined;
  try {
    phases = await timePhases(sample, threads, rounds);
    log(formatPhases(phases, sample));
    torch = await besideTorch(sample, options, log);
  } finally {
    await sample.model.close();
  }

  const runs: WholeRun[] = [];
  for (const pictures of counts) {
    await data(pictures);
    for (const cache of options.cache) {
      const run = await runWhole({ ...options, world, pictures, cache }, phases.forward);
      runs.push(run);
      log(formatRun(run));
    }
  }
  for (const cache of options.cache) {
    const peaks = runs.filter((run) => run.cache === cache);
    const shown = peaks.map(({ pictures, peak }) => `${peak.toFixed(0)} MB at ${pictures}`);
    if (peaks.length > 1)
      log(`peak memory, --cache ${cache}: ${shown.join(', ')} (goal: whatever the pictures)`);
  }
  return {
    bench: 'dissect',
    date: new Date().toISOString(),
    machine: machineOf(threads),
    versions: {
      node: process.versions.node,
      ...(torch?.version === undefined ? {} : { torch: torch.version }),
    },
    net: basename(net),
    layer: sample.layer,
    size,
    rounds,
    phases,
    ...(torch === undefined ? {} : { torch }),
    runs,
  };
}

async function besideTorch(
  sample: Sample,
  { peers, threads, rounds }: DissectBenchOptions,
  log: (line: string) => void,
): Promise<TorchComparison | undefined> {
  if (!peers) return undefined;
  const peer = Peer.find('torch_dissect');
  if (peer === undefined) {
    log(`${NO_PEER}: ours only`);
    return undefined;
  }
  try {
    const comparison = await compareWithTorch(sample, peer, threads, rounds);
    log(formatTorch(comparison));
    const { maps, ms } = NET_DISSECT_LITE;
    if (sameDims(sample.batches[0]!.labelled.activations.dims.slice(1), maps))
      log(
        `  in another run NetDissect-Lite took ${ms.join(' to ')} ms a picture to count such maps over 112 x 112 pixels`,
      );
    return comparison;
  } finally {
    peer.close();
  }
}

async function runWhole(
  {
    net,
    layer,
    threads,
    world,
    pictures,
    cache,
  }: Omit<DissectBenchOptions, 'pictures' | 'cache'> & { world: string; pictures: number; cache: number },
  forwardEach: number,
): Promise<WholeRun> {
  const out = await mkdtemp(join(tmpdir(), 'unitscope-bench-'));
  try {
    const args = ['dissect', net, '--data', world, '--layer', layer, '--out', out, '--no-pictures'];
    const { seconds, peak, record } = await runCommand([
      ...args,
      '--threads',
      String(threads),
      '--cache',
      String(cache),
    ]);
    const cached = 'cached' in record && typeof record.cached === 'number' ? record.cached : 0;
    const forward = (forwardEach * (2 * pictures - cached)) / 1000;
    return { pictures, cache, seconds, peak, cached, forward, outside: 1 - forward / seconds };
  } finally {
    await rm(out, { recursive: true });
  }
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

function formatRun({ pictures, cache, seconds: whole, peak, cached, forward, outside }: WholeRun): string {
  const how = cached === 0 ? 'the network twice' : `${cached} activations from the disk`;
  return [
    `whole command, ${pictures} pictures, --cache ${cache}: ${how}`,
    `  ${whole.toFixed(1)} s  ${(pictures / whole).toFixed(1)} pictures/s  peak ${peak.toFixed(0)} MB`,
    `  forward alone ${forward.toFixed(1)} s, outside it ${(100 * outside).toFixed(0)} %` +
      ` (goal: at most ${100 * GOAL} %, ${outside <= GOAL ? 'met' : 'NOT MET'})`,
  ].join('\n');
}

function formatPhases(phases: PhaseTimes, { pictures, layer }: Sample): string {
  const row = (name: string, value: number, unit = 'ms a picture') =>
    `  ${name.padEnd(28)} ${value.toFixed(2).padStart(8)} ${unit}`;
  return [
    `${layer}: phases by themselves, ${pictures} pictures`,
    row('forward, ONNX Runtime alone', phases.forward),
    row('decode, fit, normalise', phases.decoding),
    row('labels', phases.labels),
    row('thresholds', phases.thresholds),
    row('top pictures', phases.topPictures),
    row('IoU counts', phases.counts),
    row('saving', phases.saving, 'ms a save, one in 5 s'),
  ].join('\n');
}

function formatTorch({ ours, torch, difference, version }: TorchComparison): string {
  const row = (name: 'thresholds' | 'counts') =>
    `  ${name.padEnd(12)} ours ${ours[name].toFixed(2)}, torch ${torch[name].toFixed(2)} ms a picture:` +
    ` ${(torch[name] / ours[name]).toFixed(1)} times ours`;
  return [
    `beside torch ${version ?? ''}, from the same arrays`,
    row('thresholds'),
    row('counts'),
    difference === undefined
      ? '  thresholds, intersections and label pixels agree'
      : `  NOT EQUAL to torch's: ${difference}`,
  ].join('\n');
}
