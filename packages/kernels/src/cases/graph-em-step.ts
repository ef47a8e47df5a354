import { Random, type Tensor } from '@unitscope/tensor';
import {
  GRAPH_SUMS,
  type GraphNodes,
  type GraphPriors,
  graphEmStep,
  graphEmStepSync,
} from '../graph-em-step.js';
import { graphEmStepReference, graphRadius } from '../reference/graph-em-step.js';
import { type KernelCase, makeValues, unwritten, type ValueKind } from './case.js';
import { placeAnywhere } from './placement.js';

interface Problem {
  readonly images: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly nodes: number;
  readonly values: ValueKind | 'negative';
  readonly parents: boolean;
  /** Coordinates that are whole numbers put candidates on the edges of bins. */
  readonly whole: boolean;
  readonly range?: number;
  readonly smoothing?: number;
  readonly purpose: KernelCase['purpose'];
}

/** Nodes inside and a little outside the map, with deviations from none to wide. */
export function makeNodes({ channels, nodes, height, width, whole }: Problem, random: Random): GraphNodes {
  const coord = Float64Array.from({ length: channels * nodes * 2 }, (_, i) => {
    const place = random.uniform() * ((i % 2 === 0 ? height : width) + 2) - 1.5;
    return whole ? Math.round(place) : place;
  });
  const sigma = Float64Array.from({ length: channels * nodes }, () => 0.02 + random.uniform() * 0.1 * height);
  return {
    coord: { dims: [channels, nodes, 2], data: coord },
    sigma: { dims: [channels, nodes], data: sigma },
  };
}

export function makePriors({ images, channels, nodes, height }: Problem, random: Random): GraphPriors {
  const seen = images * channels * nodes;
  return {
    sigma: {
      dims: [channels, nodes],
      data: Float64Array.from({ length: channels * nodes }, () => (0.05 + 0.15 * random.uniform()) * height),
    },
    offset: {
      dims: [images, channels, nodes, 2],
      data: Float32Array.from({ length: seen * 2 }, () => 0.1 * height * random.normal()),
    },
    weight: {
      dims: [images, channels, nodes],
      data: Float32Array.from({ length: seen }, () => random.uniform() + 0.01),
    },
  };
}

type Inputs = Parameters<typeof graphEmStepReference>[0];
type Outputs = Record<'sums' | 'tauOfImage', Float64Array> & Record<'position' | 'score', Float32Array>;

/**
 * The first difference from the definition. Every term of a sum is rounded once for each of the additions behind it; sums
 * of what a run started from are compared as well. A position may be any candidate whose product is largest but for
 * rounding.
 */
export function compareGraph(inputs: Inputs, started: number, actual: Outputs): string | undefined {
  const expected = graphEmStepReference(inputs);
  const { images, channels, nodes, range, sigma, coord } = inputs;
  const total = channels * nodes;
  const window = (2 * Math.floor(range + 0.5) + 1) ** 2;
  const rounding = (images + nodes + window + 100) * 2 ** -52;
  const isNear = (a: number, b: number, bound: number) =>
    Number.isNaN(b) ? Number.isNaN(a) : Math.abs(a - b) <= bound;
  for (let i = 0; i < expected.sums.length; i++) {
    const value = started + expected.sums[i]!;
    if (!isNear(actual.sums[i]!, value, rounding * (started + expected.magnitude[i]!)))
      return `sums[${i}] is ${actual.sums[i]}, the reference says ${value}`;
  }
  for (let image = 0; image < images; image++) {
    const value = expected.tauOfImage[image]!;
    if (!isNear(actual.tauOfImage[image]!, value, (total + 100) * 2 ** -52 * value))
      return `tauOfImage[${image}] is ${actual.tauOfImage[image]}, the reference says ${value}`;
  }
  for (let seen = 0; seen < images * total; seen++) {
    const products = expected.products.subarray(36 * seen, 36 * seen + 36);
    const best = expected.score[seen]!;
    if (!isNear(actual.score[seen]!, best, (2 ** -24 + rounding) * best + 2 ** -149))
      return `score[${seen}] is ${actual.score[seen]}, the reference says ${best}`;
    const radius = graphRadius(range, sigma[seen % total]!);
    const isAt = (axis: 0 | 1, candidate: number) => {
      const shift = inputs.withPriors === 0 ? 0 : inputs.priorOffset[2 * seen + axis]!;
      const centre = coord[2 * (seen % total) + axis]! + shift;
      return actual.position[2 * seen + axis] === Math.fround(centre + (radius * (2 * candidate - 5)) / 6);
    };
    const placed = products.some(
      (product, c) => !(product < best * (1 - 2 * rounding)) && isAt(0, Math.floor(c / 6)) && isAt(1, c % 6),
    );
    if (!placed)
      return `position[${seen}] is ${actual.position.subarray(2 * seen, 2 * seen + 2)}, no best candidate`;
  }
  return undefined;
}

function caseOf(problem: Problem): KernelCase {
  const { images, channels, height, width, nodes, values, parents, whole } = problem;
  const { range = 0.15 * height, smoothing = 0.025 * height } = problem;
  return {
    kernel: 'graphEmStep',
    name:
      `[${images}, ${channels}, ${height}, ${width}] ${nodes} nodes range ${range.toFixed(2)} ` +
      `smoothing ${smoothing.toFixed(2)} ${values}${parents ? ' parents' : ''}${whole ? ' whole' : ''}`,
    purpose: problem.purpose,
    prepare: () => {
      const random = new Random(4);
      const size = images * channels * height * width;
      const x: Tensor = {
        dims: [images, channels, height, width],
        data:
          values === 'negative'
            ? makeValues('normal', size, 1).map((value) => -Math.abs(value))
            : makeValues(values, size, 1),
      };
      const graph = makeNodes(problem, random);
      const priors = parents ? makePriors(problem, random) : undefined;
      const seen = images * channels * nodes;
      const written = {
        sums: {
          dims: [channels, nodes, GRAPH_SUMS.length],
          data: new Float64Array(channels * nodes * GRAPH_SUMS.length),
        },
        position: unwritten.floats(2 * seen),
        score: unwritten.floats(seen),
        tauOfImage: new Float64Array(images).fill(-1),
      };
      // Sums are added to, so a run starts from something, which must still be there afterwards.
      const started = 1;
      const clear = () => written.sums.data.fill(started);
      const window = (2 * Math.floor(range + 0.5) + 1) ** 2;
      return {
        bytes:
          x.data.byteLength +
          seen * 12 * (parents ? 2 : 1) +
          channels * nodes * 8 * (4 + 2 * GRAPH_SUMS.length),
        flops: seen * 36 * 2 * (window + nodes),
        ...placeAnywhere((at) => {
          const maps = at.tensor(x);
          const placed = { coord: at.tensor(graph.coord), sigma: at.tensor(graph.sigma) };
          const into = {
            sums: at.tensor(written.sums),
            position: at.array(written.position),
            score: at.array(written.score),
            tauOfImage: at.array(written.tauOfImage),
          };
          const ofParents = priors && {
            priors: {
              sigma: at.tensor(priors.sigma),
              offset: at.tensor(priors.offset),
              weight: at.tensor(priors.weight),
            },
          };
          const given = { range, smoothing, into, ...ofParents };
          return {
            run: async (options) => (await graphEmStep(maps, placed, { ...options, ...given })).backend,
            runSync: (options) => graphEmStepSync(maps, placed, { ...options, ...given }).backend,
          };
        }, clear),
        compare: () =>
          compareGraph(
            {
              images,
              channels,
              height,
              width,
              nodes,
              range,
              smoothing,
              tau: 0.1,
              x: x.data,
              coord: graph.coord.data,
              sigma: graph.sigma.data,
              priorSigma: priors?.sigma.data ?? new Float64Array(channels * nodes).fill(0.15 * height),
              withPriors: parents ? 1 : 0,
              priorOffset: priors?.offset.data ?? new Float32Array(0),
              priorWeight: priors?.weight.data ?? new Float32Array(0),
            },
            started,
            { ...written, sums: written.sums.data },
          ),
      };
    },
  };
}

const small = {
  images: 3,
  channels: 4,
  height: 9,
  width: 11,
  nodes: 7,
  parents: true,
  whole: false,
  purpose: 'conformance',
} as const;

const AWKWARD: readonly Partial<Problem>[] = [
  { images: 0 },
  { channels: 0 },
  { nodes: 0 },
  { images: 1, channels: 1, nodes: 1 },
  { height: 1, width: 1, range: 0.3, smoothing: 0.2 },
  { height: 1, width: 17, range: 2 },
  { height: 17, width: 1, range: 3, smoothing: 1 },
  { range: 0 },
  { range: 5, smoothing: 0.1 },
  { range: 4.5, smoothing: 9 },
  { nodes: 33, height: 5, width: 5, range: 2 },
];

const real = {
  values: 'normal',
  whole: false,
  purpose: 'benchmark',
} as const;

export const graphEmStepCases: readonly KernelCase[] = [
  ...(['normal', 'ties', 'zeros', 'negative', 'nan', 'negative-infinity'] as const).flatMap((values) =>
    [true, false].flatMap((parents) =>
      [true, false].map((whole) => caseOf({ ...small, values, parents, whole, smoothing: 0.5 })),
    ),
  ),
  ...AWKWARD.flatMap((awkward) =>
    [true, false].map((parents) => caseOf({ ...small, values: 'normal', ...awkward, parents })),
  ),
  ...[false, true].flatMap((parents) => [
    caseOf({ ...real, images: 16, channels: 512, height: 14, width: 14, nodes: 20, parents }),
    caseOf({ ...real, images: 4, channels: 256, height: 28, width: 28, nodes: 40, parents }),
  ]),
];
