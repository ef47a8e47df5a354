import { featuresInMemory, learnExplanatoryGraph } from '@unitscope/disentangling';
import { Random, type Tensor } from '@unitscope/tensor';
import { fitPowerLaw, type PowerLaw } from './fit.js';

export interface GraphBenchOptions {
  readonly pictures: readonly number[];
  readonly filters: readonly number[];
  readonly iterations: number;
  readonly threads: number;
}

interface GraphTiming {
  readonly pictures: number;
  readonly filters: number;
  /** Of all iterations of a layer without parents, and of one with. */
  readonly topSeconds: number;
  readonly lowSeconds: number;
  /** Medians of an iteration in which no parents are chosen. */
  readonly topIteration: number;
  readonly lowIteration: number;
  /** Processor time of all, in seconds. */
  readonly cpuSeconds: number;
}

export interface GraphBenchResult {
  readonly bench: 'graph';
  readonly options: GraphBenchOptions;
  readonly timings: readonly GraphTiming[];
  /** Of the lower layer's time, by pictures at the most filters and by filters at the most pictures. */
  readonly byPictures: PowerLaw | undefined;
  readonly byFilters: PowerLaw | undefined;
}

const SIDE = 14;
// As deep layers have it: most cells are inactive.
const ACTIVE = 0.15;

/**
 * Learning of two layers of 14 x 14 maps, 20 nodes of each filter, from random activations: the upper without parents, the
 * lower with. Every number of pictures at the most filters, and every number of filters at the most pictures.
 */
export async function benchGraph(
  options: GraphBenchOptions,
  say: (line: string) => void,
): Promise<GraphBenchResult> {
  const most = { pictures: Math.max(...options.pictures), filters: Math.max(...options.filters) };
  const runs = [
    ...options.pictures.map((pictures) => ({ pictures, filters: most.filters })),
    ...options.filters
      .filter((filters) => filters !== most.filters)
      .map((filters) => ({ pictures: most.pictures, filters })),
  ];
  const timings: GraphTiming[] = [];
  for (const { pictures, filters } of runs) {
    const timing = await timeLearning(pictures, filters, options);
    timings.push(timing);
    const { topSeconds, lowSeconds, cpuSeconds } = timing;
    say(
      `${pictures} pictures, ${filters} filters, ${options.iterations} iterations: ${topSeconds.toFixed(1)} s without parents, ` +
        `${lowSeconds.toFixed(1)} s with; ${cpuSeconds.toFixed(1)} s of processor time`,
    );
  }
  const fit = (points: readonly (readonly [number, number])[]) =>
    points.length < 3 ? undefined : fitPowerLaw(points);
  const byPictures = fit(
    timings
      .filter(({ filters }) => filters === most.filters)
      .map(({ pictures, lowSeconds }) => [pictures, lowSeconds]),
  );
  const byFilters = fit(
    timings
      .filter(({ pictures }) => pictures === most.pictures)
      .map(({ filters, lowSeconds }) => [filters, lowSeconds]),
  );
  for (const [name, law] of [
    ['pictures', byPictures],
    ['filters', byFilters],
  ] as const) {
    if (law !== undefined)
      say(`time with parents grows as ${name}^${law.exponent.toFixed(2)} +- ${law.error.toFixed(2)}`);
  }
  return { bench: 'graph', options, timings, byPictures, byFilters };
}

async function timeLearning(
  pictures: number,
  filters: number,
  { iterations, threads }: GraphBenchOptions,
): Promise<GraphTiming> {
  const random = new Random(1);
  const cells = filters * SIDE * SIDE;
  const maps = (): Tensor => ({
    dims: [pictures, filters, SIDE, SIDE],
    data: Float32Array.from({ length: pictures * cells }, () =>
      random.uniform() < ACTIVE ? 3 * random.uniform() : -1,
    ),
  });
  const layer = (name: string) => ({
    name,
    filters,
    height: SIDE,
    width: SIDE,
    stride: [16, 16] as const,
    centre: [8, 8] as const,
    scale: { dims: [filters, SIDE, SIDE], data: new Float32Array(cells).fill(1) },
    maps: maps(),
  });
  const features = featuresInMemory([224, 224], [layer('top'), layer('low')]);
  const seconds: Record<string, number[]> = { top: [], low: [] };
  const before = process.cpuUsage();
  let last = performance.now();
  await learnExplanatoryGraph(features, {
    parameters: { iterations, flip: false },
    kernel: { threads },
    onProgress: ({ layer: name }) => {
      const now = performance.now();
      seconds[name]!.push((now - last) / 1000);
      last = now;
    },
  });
  const { user, system } = process.cpuUsage(before);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;
  return {
    pictures,
    filters,
    topSeconds: sum(seconds['top']!),
    lowSeconds: sum(seconds['low']!),
    topIteration: median(seconds['top']!),
    lowIteration: median(seconds['low']!),
    cpuSeconds: (user + system) / 1e6,
  };
}
