import { Model } from '@unitscope/model';
import { Random } from '@unitscope/tensor';
import { explain, methods } from '@unitscope/visualization';
import { machineOf } from './bench-networks.js';
import { Forward } from './forward.js';
import { type Candidate, measure, pairedRatio, SPINNING, type Timing, timed } from './measure.js';
import { networks } from './networks/index.js';
import { NO_PEER, Peer } from './peer.js';

export interface ExplainBenchOptions {
  readonly nets: readonly string[];
  /** Pictures of one run; by default one, and the larger batch of each network. */
  readonly batches: readonly number[] | undefined;
  /** What runs and in which form, such as `native/blocked`: an engine and a lowering. */
  readonly ways: readonly string[];
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

/** Times forward and explanations of whole networks, ours beside ONNX Runtime's forward, torch and Captum. */
export async function benchExplain(options: ExplainBenchOptions, log: (line: string) => void) {
  const peer = options.peers ? Peer.find('torch_explain') : undefined;
  if (options.peers && peer === undefined) log(`${NO_PEER}: ours and ONNX Runtime only`);
  const rows: ExplainBenchRow[] = [];
  const versions: Record<string, string> = { node: process.versions.node };
  try {
    for (const net of options.nets) {
      for (const batch of options.batches ?? [1, networks[net]!.batch]) {
        const row = { net, batch, timings: await benchOne(net, batch, options, peer, versions) };
        rows.push(row);
        log(formatRow(row));
      }
    }
  } finally {
    peer?.close();
  }
  return {
    bench: 'explain',
    date: new Date().toISOString(),
    machine: machineOf(options.threads),
    versions,
    rounds: options.rounds,
    rows,
  };
}

async function benchOne(
  net: string,
  batch: number,
  { methods: wanted, ways, rounds, threads }: ExplainBenchOptions,
  peer: Peer | undefined,
  versions: Record<string, string>,
): Promise<Timing[]> {
  const graph = networks[net]!.build();
  const input = new Random(2).normalTensor([batch, 3, 224, 224]);
  const forward = await Forward.open(graph, threads);
  const candidates: Candidate[] = [{ name: FORWARD, run: () => timed(() => forward.run(input)) }];
  const models: Model[] = [];
  for (const way of ways) {
    const [engine, lowering] = way.split('/') as [string, string];
    const model = await Model.load(graph, { threads, engine, lowering });
    models.push(model);
    Object.assign(versions, model.engine.versions);
    for (const method of methods.filter(({ name }) => wanted.includes(name)))
      candidates.push({
        name: `${method.name} ${way}`,
        run: () => timed(() => explain(model, method, input)),
      });
  }
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
    for (const model of models) await model.close();
  }
}

/** A table of one network and batch: milliseconds, and the median of the ratios to ONNX Runtime's forward round by round. */
export function formatRow({ net, batch, timings }: ExplainBenchRow): string {
  const floor = timings.find(({ name }) => name === FORWARD)!;
  const width = Math.max(...timings.map(({ name }) => name.length));
  const line = (name: string, cells: readonly string[]) =>
    `  ${name.padEnd(width)} ${cells.map((cell) => cell.padStart(9)).join(' ')}`;
  const lines = timings.map((timing) =>
    line(timing.name, [
      timing.median.toFixed(1),
      timing.min.toFixed(1),
      pairedRatio(timing, floor).toFixed(2),
      (timing.min / floor.min).toFixed(2),
    ]),
  );
  return [`${net}, batch ${batch}`, line('', ['median ms', 'min ms', 'ratio', 'of minima']), ...lines].join(
    '\n',
  );
}
