import { availableParallelism, cpus } from 'node:os';
import { Model } from '@unitscope/model';
import { Random } from '@unitscope/tensor';
import { explain, methods } from '@unitscope/visualization';
import { Forward } from './forward.js';
import { type Candidate, measure, type Timing, timed } from './measure.js';
import { networks } from './networks.js';
import { NO_PEER, Peer } from './peer.js';

export interface ExplainBenchOptions {
  readonly nets: readonly string[];
  readonly batches: readonly number[];
  readonly methods: readonly string[];
  readonly rounds: number;
  readonly threads: number;
  readonly peers: boolean;
}

export interface ExplainBenchRow {
  readonly net: string;
  readonly batch: number;
  readonly timings: readonly Timing[];
}

interface ExplainPeerAnswer {
  readonly methods?: readonly string[];
  readonly torch?: string;
  readonly captum?: string | null;
}

const FORWARD = 'onnxruntime forward';

/** Milliseconds after which ONNX Runtime's threads have stopped spinning. */
const SPINNING = 30;

/** Times forward and explanations of whole networks, ours beside ONNX Runtime's forward, torch and Captum. */
export async function benchExplain(options: ExplainBenchOptions, log: (line: string) => void) {
  const peer = options.peers ? Peer.find('torch_explain') : undefined;
  if (options.peers && peer === undefined) log(`${NO_PEER}: ours and ONNX Runtime only`);
  const rows: ExplainBenchRow[] = [];
  const versions: Record<string, string> = { node: process.versions.node };
  try {
    for (const net of options.nets) {
      for (const batch of options.batches) {
        const row = { net, batch, timings: await benchOne(net, batch, options, peer, versions) };
        rows.push(row);
        log(formatRow(row));
      }
    }
  } finally {
    peer?.close();
  }
  const machine = {
    cpu: cpus()[0]?.model ?? 'unknown',
    threads: options.threads,
    parallelism: availableParallelism(),
  };
  return {
    bench: 'explain',
    date: new Date().toISOString(),
    machine,
    versions,
    rounds: options.rounds,
    rows,
  };
}

async function benchOne(
  net: string,
  batch: number,
  { methods: wanted, rounds, threads }: ExplainBenchOptions,
  peer: Peer | undefined,
  versions: Record<string, string>,
): Promise<Timing[]> {
  const graph = networks[net]!();
  const input = new Random(2).normalTensor([batch, 3, 224, 224]);
  const model = await Model.load(graph, { threads });
  Object.assign(versions, model.engine.versions);
  const forward = await Forward.open(graph, threads);
  const candidates: Candidate[] = [
    { name: FORWARD, run: () => timed(() => forward.run(input)) },
    ...methods
      .filter((method) => wanted.includes(method.name))
      .map((method) => ({ name: method.name, run: () => timed(() => explain(model, method, input)) })),
  ];
  if (peer !== undefined) {
    const answer: ExplainPeerAnswer = await peer.prepare({ net, batch });
    if (answer.torch !== undefined) versions['torch'] = answer.torch;
    if (typeof answer.captum === 'string') versions['captum'] = answer.captum;
    for (const name of answer.methods ?? []) candidates.push({ name, run: () => peer.run(name, threads) });
  }
  try {
    return await measure(candidates, rounds, SPINNING);
  } finally {
    await forward.release();
    await model.close();
  }
}

/** A table of one network and batch: milliseconds, and ratios of minima to ONNX Runtime's forward. */
export function formatRow({ net, batch, timings }: ExplainBenchRow): string {
  const floor = timings.find(({ name }) => name === FORWARD)!.min;
  const lines = timings.map(
    ({ name, median, min }) =>
      `  ${name.padEnd(24)} ${median.toFixed(1).padStart(9)} ${min.toFixed(1).padStart(9)} ${(min / floor).toFixed(2).padStart(7)}`,
  );
  const header = `  ${''.padEnd(24)} ${'median ms'.padStart(9)} ${'min ms'.padStart(9)} ${'ratio'.padStart(7)}`;
  return `${net}, batch ${batch}\n${header}\n${lines.join('\n')}`;
}
