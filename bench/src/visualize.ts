import { Model } from '@unitscope/model';
import { Random, type Tensor } from '@unitscope/tensor';
import { ascend, explain, type Method, methodNamed, methods } from '@unitscope/visualization';
import { benchNetworks, type NetworksBenchOptions } from './bench-networks.js';
import { type Candidate, measure, medianOf, SPINNING, type Timing, timed } from './measure.js';
import { networks } from './networks/index.js';
import type { Peer } from './peer.js';

export interface VisualizeBenchOptions extends NetworksBenchOptions {
  /** Sizes of batches among which the best one for input gradients is sought. */
  readonly batches: readonly number[];
  /** An engine and a lowering, such as `native/blocked`. */
  readonly way: string;
  /** Methods that take many passes; those that the table has not are named and left out. */
  readonly methods: readonly string[];
}

/** A candidate with the pictures that one run of it is of. */
interface Priced extends Candidate {
  readonly pictures: number;
  /** Whose input gradient it is compared with. */
  readonly by: 'unitscope' | 'torch';
}

export interface VisualizeTiming extends Timing {
  readonly pictures: number;
  /** One picture by this in input gradients of one picture at the best batch size of its own side: the median over rounds. */
  readonly gradients: number;
  /** The same in input gradients of ours. */
  readonly ofOurs: number;
}

export interface VisualizeBenchRow {
  readonly net: string;
  /** Input gradients of every size of batch, by which the best were chosen. */
  readonly search: readonly Timing[];
  /** The best batch sizes; torch's only where it is there. */
  readonly best: { readonly unitscope: number; readonly torch?: number };
  readonly timings: readonly VisualizeTiming[];
}

interface VisualizePeerAnswer {
  readonly methods?: readonly string[];
  readonly torch?: string;
  readonly captum?: string | null;
}

// Enough to tell sizes of batches apart, which differ by tenths.
const SEARCH_ROUNDS = 3;

/** Times what takes many passes over one picture, in units of one input gradient at the best batch size. */
export async function benchVisualize(options: VisualizeBenchOptions, log: (line: string) => void) {
  const known = methods.filter(({ name }) => options.methods.includes(name));
  const missing = options.methods.filter((name) => !known.some((method) => method.name === name));
  if (missing.length > 0) log(`not among the methods, and left out: ${missing.join(', ')}`);
  const one = (net: string, peer: Peer | undefined, versions: Record<string, string>) =>
    benchOne(net, known, options, peer, versions);
  const results = await benchNetworks(options, 'torch_visualize', one, log, formatVisualize);
  return { bench: 'visualize', way: options.way, ...results };
}

async function benchOne(
  net: string,
  known: readonly Method[],
  { way, batches, rounds, threads }: VisualizeBenchOptions,
  peer: Peer | undefined,
  versions: Record<string, string>,
): Promise<VisualizeBenchRow> {
  const [engine, lowering] = way.split('/') as [string, string];
  const model = await Model.load(networks[net]!.build(), { threads, engine, lowering });
  Object.assign(versions, model.engine.versions);
  try {
    const gradients = batches.map((size) => explanation(model, methodNamed('gradient'), size));
    const torchGradients = await askPeer(
      peer,
      { net, batches, batch: Math.max(...batches) },
      threads,
      versions,
    );
    const search = await measure(
      [...gradients, ...torchGradients.filter(({ name }) => name.startsWith(TORCH_GRADIENT))],
      SEARCH_ROUNDS,
      SPINNING,
    );
    const best = bestOf(gradients, search);
    const torchBest = torchGradients.length === 0 ? undefined : bestOf(torchGradients, search);
    const ours = known.map((method) => explanation(model, method, 1));
    const theirs =
      torchBest === undefined
        ? []
        : await askPeer(
            peer,
            { net, batches: [torchBest.pictures], batch: torchBest.pictures },
            threads,
            versions,
          );
    const candidates: Priced[] = [best, ascentStep(model, best.pictures), ...ours, ...theirs];
    return {
      net,
      search,
      best: { unitscope: best.pictures, ...(torchBest === undefined ? {} : { torch: torchBest.pictures }) },
      timings: priced(candidates, await measure(candidates, rounds, SPINNING)),
    };
  } finally {
    await model.close();
  }
}

function explanation(model: Model, method: Method, pictures: number): Priced {
  const input: Tensor = new Random(2).normalTensor([pictures, 3, 224, 224]);
  return {
    name: `${method.name} batch ${pictures}`,
    pictures,
    by: 'unitscope',
    run: () => timed(() => explain(model, method, input)),
  };
}

// The first step finds its memory.
const ASCENT_STEPS = 12;

/** A step of plain gradient ascent with L2 decay on so many pictures, the mean of several. */
function ascentStep(model: Model, pictures: number): Priced {
  const objectives = Array.from({ length: pictures }, () => ({ kind: 'class', target: 7 }) as const);
  return {
    name: `ascent step batch ${pictures}`,
    pictures,
    by: 'unitscope',
    run: async () => {
      const begun: number[] = [];
      const start = { kind: 'noise' } as const;
      const onProgress = () => begun.push(performance.now());
      await ascend(model, objectives, { start, steps: ASCENT_STEPS, onProgress });
      return (begun[ASCENT_STEPS - 1]! - begun[1]!) / (ASCENT_STEPS - 2);
    },
  };
}

const TORCH_GRADIENT = 'torch gradient';

async function askPeer(
  peer: Peer | undefined,
  command: { readonly net: string; readonly batches: readonly number[]; readonly batch: number },
  threads: number,
  versions: Record<string, string>,
): Promise<Priced[]> {
  if (peer === undefined) return [];
  const answer: VisualizePeerAnswer = await peer.prepare(command);
  if (answer.torch !== undefined) versions['torch'] = answer.torch;
  if (typeof answer.captum === 'string') versions['captum'] = answer.captum;
  return (answer.methods ?? []).map((name) => ({
    name,
    pictures: Number(/batch (\d+)$/.exec(name)?.[1] ?? 1),
    by: 'torch',
    run: () => peer.run(name, threads),
  }));
}

/** The candidate whose pictures cost least by the search. */
function bestOf(candidates: readonly Priced[], search: readonly Timing[]): Priced {
  const cost = ({ name, pictures }: Priced) =>
    (search.find((timing) => timing.name === name)?.median ?? Number.POSITIVE_INFINITY) / pictures;
  return candidates.reduce((best, next) => (cost(next) < cost(best) ? next : best));
}

/** The cost of a picture over that of an input gradient, round by round: what slows a whole round down falls out of it. */
function priced(candidates: readonly Priced[], timings: readonly Timing[]): VisualizeTiming[] {
  const yardstick = {
    unitscope: 0,
    torch: candidates.findIndex(({ name }) => name.startsWith(TORCH_GRADIENT)),
  };
  const ratio = (i: number, base: number) =>
    medianOf(
      timings[i]!.times.map(
        (time, round) =>
          time / candidates[i]!.pictures / (timings[base]!.times[round]! / candidates[base]!.pictures),
      ),
    );
  return timings.map((timing, i) => ({
    ...timing,
    pictures: candidates[i]!.pictures,
    gradients: ratio(i, yardstick[candidates[i]!.by]),
    ofOurs: ratio(i, yardstick.unitscope),
  }));
}

/** A table of one network: milliseconds of a run, and what a picture costs in input gradients. */
export function formatVisualize({ net, best, timings }: VisualizeBenchRow): string {
  const width = Math.max(...timings.map(({ name }) => name.length));
  const line = (name: string, cells: readonly string[]) =>
    `  ${name.padEnd(width)} ${cells.map((cell) => cell.padStart(9)).join(' ')}`;
  const torch = best.torch === undefined ? '' : `, torch ${best.torch}`;
  return [
    `${net}, best batch of an input gradient ${best.unitscope}${torch}`,
    line('', ['median ms', 'min ms', 'gradients', 'of ours']),
    ...timings.map(({ name, median, min, gradients, ofOurs }) =>
      line(name, [median.toFixed(1), min.toFixed(1), gradients.toFixed(2), ofOurs.toFixed(2)]),
    ),
  ].join('\n');
}
