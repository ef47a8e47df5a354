import {
  type ChangedPicture,
  type DataSet,
  type ExampleBatch,
  type Label,
  loadPictures,
  type Preprocessing,
  type Size,
  type SkippedExample,
  streamExamples,
} from '@unitscope/data';
import {
  blurredPicture,
  massInParts,
  meanPicture,
  PERTURBATIONS,
  type Perturbation,
  perturbationCurve,
  pointingGame,
  type Relevance,
  type RelevanceOptions,
  relevanceOf,
  spearman,
  type TruthRow,
} from '@unitscope/metrics';
import type { Model } from '@unitscope/model';
import { concatBatch, indexOfNonFinite, sliceBatch, type Tensor, UnitscopeError } from '@unitscope/tensor';
import { type Explanation, explain, type Method } from '@unitscope/visualization';
import { classScores, probabilityOf, topClass } from './class-scores.js';
import { type ClassMapping, classOf } from './targets.js';

/**
 * What is measured of every method and picture, besides the share of mass in each part. `silent` is 1 for a map that is
 * zero everywhere: it says nothing, so nothing else is measured of it.
 */
export const MEASURES = [
  'massInParts',
  'concentration',
  'pointing',
  'rankCorrelation',
  'deletion',
  'insertion',
  'silent',
] as const;

export const BASELINES = ['mean', 'blurred'] as const;
export type Baseline = (typeof BASELINES)[number];

/** How maps are judged; recorded with the result. */
export interface JudgingParameters extends Required<RelevanceOptions> {
  /** Of the pointing game, in pixels of the network's input. */
  readonly tolerance: number;
  /** Of the deletion and insertion curves. */
  readonly steps: number;
  readonly baselines: Readonly<Record<Perturbation, Baseline>>;
}

export interface Judging {
  readonly model: Model;
  readonly dataSet: DataSet;
  readonly methods: readonly Method[];
  readonly parts: readonly Label[];
  /** Undefined for the class each picture is taken for. */
  readonly mapping: ClassMapping | undefined;
  readonly changed: ReadonlyMap<string, readonly ChangedPicture[]>;
  readonly preprocessing: Preprocessing;
  /** Of the network's input, and so of maps and labels. */
  readonly size: Size;
  readonly parameters: JudgingParameters;
  readonly batchSize: number;
}

/** Names of the measures in the order of a row's values. */
export function measuresOf(parts: readonly Label[]): string[] {
  return [...MEASURES, ...parts.map(({ name }) => `massIn ${name}`)];
}

/** A part of a picture that was removed, and by how much the score of the target fell. */
interface Removal {
  /** Index of the part's label. */
  readonly part: number;
  readonly drop: number;
}

/** One picture with all that its maps are compared with. */
interface Exhibit {
  readonly number: number;
  readonly path: string;
  /** `[3, H, W]` */
  readonly picture: Tensor;
  /** `[layers, H, W]` */
  readonly labels: Tensor<Int32Array>;
  /** `[H, W]`: 1 on the pixels of parts. */
  readonly mask: Tensor<Uint8Array>;
  readonly target: number;
  readonly removals: readonly Removal[];
}

/** A part of the pictures, judged. */
export interface JudgedBatch {
  readonly numbers: readonly number[];
  readonly skipped: readonly SkippedExample[];
  /** One for each method and picture. */
  readonly rows: readonly TruthRow[];
}

/** Judges the pictures of these numbers, a batch at a time. Errors as `streamExamples`, those of the network, `aborted`. */
export async function* streamJudged(
  judging: Judging,
  numbers: readonly number[],
  onError: 'stop' | 'skip',
  signal: AbortSignal,
): AsyncGenerator<JudgedBatch, void, undefined> {
  const { dataSet, preprocessing, size, batchSize } = judging;
  const wanted = { preprocessing, size, labelSize: size, numbers, batchSize, onError, signal };
  for await (const batch of streamExamples(dataSet, wanted)) {
    const rows = batch.numbers.length === 0 ? [] : await judgeBatch(judging, batch, signal);
    yield { numbers: batch.numbers, skipped: batch.skipped, rows };
  }
}

/** The maps of all methods for the pictures of a batch, compared with the truth. */
async function judgeBatch(judging: Judging, batch: ExampleBatch, signal: AbortSignal): Promise<TruthRow[]> {
  const exhibits = await exhibitsOf(judging, batch, signal);
  const rows: TruthRow[] = [];
  for (const method of judging.methods) {
    const explanation = await explain(judging.model, method, batch.inputs, {
      target: exhibits.map(({ target }) => target),
      signal,
    });
    for (const [place, exhibit] of exhibits.entries()) {
      const values = await judgeMap(judging, exhibit, mapOf(explanation, place, exhibit.path), signal);
      rows.push({ method: method.name, picture: exhibit.number, values });
    }
  }
  return rows;
}

async function exhibitsOf(judging: Judging, batch: ExampleBatch, signal: AbortSignal): Promise<Exhibit[]> {
  const { model, dataSet, mapping, parts } = judging;
  const examples = batch.numbers.map((number) => dataSet.examples[number]!);
  const scores = await classScores(model, batch.inputs, (n) => examples[n]!.path, signal);
  const exhibits: Exhibit[] = [];
  for (const [n, example] of examples.entries()) {
    const own = scores[n]!;
    const target = mapping === undefined ? topClass(own) : await classOf(example, mapping);
    if (target >= own.length) {
      throw new UnitscopeError(
        'bad-input',
        `--classes gives ${example.path} the class ${target}; the network has 0..${own.length - 1}`,
      );
    }
    const picture = sliceBatch(batch.inputs, n, n + 1);
    const labels = sliceBatch(batch.pixelLabels, n, n + 1);
    const onePicture = { dims: labels.dims.slice(1), data: labels.data };
    exhibits.push({
      number: batch.numbers[n]!,
      path: example.path,
      picture: { dims: picture.dims.slice(1), data: picture.data },
      labels: onePicture,
      mask: maskOf(onePicture, parts),
      target,
      removals: await removalsOf(judging, example.id, own[target]!, target, signal),
    });
  }
  return exhibits;
}

async function removalsOf(
  { model, changed, parts, preprocessing, size }: Judging,
  id: string,
  score: number,
  target: number,
  signal: AbortSignal,
): Promise<Removal[]> {
  const removed = (changed.get(id) ?? []).flatMap(({ kind, part, path }) => {
    const label = parts.find(({ name }) => name === part);
    return kind === 'removed' && label !== undefined ? [{ part: label.index, path }] : [];
  });
  if (removed.length === 0) return [];
  const paths = removed.map(({ path }) => path);
  const pictures = await loadPictures(paths, preprocessing, size, { signal });
  const batch = concatBatch(pictures.map(({ tensor }) => tensor));
  const scores = await classScores(model, batch, (n) => paths[n]!, signal);
  return removed.map(({ part }, i) => ({ part, drop: score - scores[i]![target]! }));
}

function maskOf({ dims, data }: Tensor<Int32Array>, parts: readonly Label[]): Tensor<Uint8Array> {
  const [, ...plane] = dims;
  const pixels = plane.reduce((size, side) => size * side, 1);
  const chosen = new Set(parts.map(({ index }) => index));
  const mask = new Uint8Array(pixels);
  data.forEach((label, i) => {
    if (chosen.has(label)) mask[i % pixels] = 1;
  });
  return { dims: plane, data: mask };
}

function mapOf({ method, map }: Explanation, place: number, path: string): Tensor {
  const one = sliceBatch(map, place, place + 1);
  const broken = indexOfNonFinite(one.data);
  if (broken === -1) return one;
  throw new UnitscopeError(
    'unsupported',
    `the map of ${path} by ${method} is ${one.data[broken]} at element ${broken}; check the network's weights`,
  );
}

/** The values of a row, in the order of `measuresOf`. What a picture without visible parts does not give is NaN. */
async function judgeMap(
  judging: Judging,
  exhibit: Exhibit,
  map: Tensor,
  signal: AbortSignal,
): Promise<number[]> {
  const { parts, parameters } = judging;
  const { labels, mask, removals } = exhibit;
  const relevance = relevanceOf(map, parameters);
  const isSilent = relevance.values.every((value) => value === 0);
  if (isSilent) return measuresOf(parts).map((measure) => (measure === 'silent' ? 1 : Number.NaN));
  const mass = massInParts(
    relevance,
    labels,
    parts.map(({ index }) => index),
  );
  const massOf = new Map(mass.parts.map((part) => [part.part, part]));
  const isShown = mass.area > 0;
  const curves = [];
  for (const kind of PERTURBATIONS) curves.push(await areaOf(judging, exhibit, relevance, kind, signal));
  return [
    isShown ? mass.share : Number.NaN,
    mass.concentration,
    isShown ? Number(pointingGame(relevance, mask, parameters.tolerance)) : Number.NaN,
    spearman(
      removals.map(({ part }) => massOf.get(part)!.mass),
      removals.map(({ drop }) => drop),
    ),
    ...curves,
    0,
    ...mass.parts.map(({ area, share }) => (area > 0 ? share : Number.NaN)),
  ];
}

async function areaOf(
  { model, parameters, batchSize }: Judging,
  { picture, path, target }: Exhibit,
  relevance: Relevance,
  kind: Perturbation,
  signal: AbortSignal,
): Promise<number> {
  const scoresOf = async (batch: Tensor) => {
    const rows = await classScores(model, batch, () => `${path} under ${kind}`, signal);
    return Float64Array.from(rows, (scores) => probabilityOf(scores, target));
  };
  const baseline = parameters.baselines[kind] === 'mean' ? meanPicture(picture) : blurredPicture(picture);
  const options = { kind, baseline, steps: parameters.steps, batchSize, signal };
  return (await perturbationCurve(picture, relevance, scoresOf, options)).area;
}
