import { createHash } from 'node:crypto';
import { access } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import {
  type ChangedPicture,
  type DataSet,
  describePreprocessing,
  type Label,
  openDataSet,
  readInterventions,
  readPreprocessing,
} from '@unitscope/data';
import {
  CHANNEL_RULES,
  type ChannelRule,
  ExplanationTruth,
  type MethodTruth,
  NEGATIVE_RULES,
  type NegativeRule,
} from '@unitscope/metrics';
import type { Model } from '@unitscope/model';
import { UnitscopeError, writeFileAtomic } from '@unitscope/tensor';
import { methods } from '@unitscope/visualization';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { BASELINES, type Baseline, type Judging, measuresOf, streamJudged } from '../evaluation/judge.js';
import { describeTruths, formatRows, summaryOf } from '../evaluation/results.js';
import { type ClassMapping, readClassMapping } from '../evaluation/targets.js';
import { inputSizeOf } from '../layer-maps.js';
import { loadModel } from '../load-model.js';
import { methodsNamed } from '../method-options.js';
import {
  addLoweringOption,
  addRunOptions,
  onErrorOption,
  positiveInteger,
  preprocessOption,
  type RunOptions,
} from '../options.js';
import { type Json, type RunIdentity, WHOLE } from '../passes/identity.js';
import { runPass } from '../passes/run-pass.js';
import { type Pass, readPass, readRunIdentity, requireResumable, savePass } from '../passes/saved-pass.js';
import { createProgress } from '../progress.js';
import type { Surroundings } from '../streams.js';
import { version } from '../version.js';

interface EvaluateOptions extends RunOptions {
  readonly out: string;
  readonly data: string;
  readonly methods: string;
  readonly classes?: string;
  readonly preprocess: string;
  readonly limit?: number;
  readonly channels: ChannelRule;
  readonly negative: NegativeRule;
  readonly tolerance: number;
  readonly steps: number;
  readonly deletionBaseline: Baseline;
  readonly insertionBaseline: Baseline;
  readonly onError: 'stop' | 'skip';
  readonly resume?: boolean;
}

const STATE_FILE = 'evaluation.npz';
const RESULT_FILES = ['evaluation.json', 'evaluation.csv'] as const;
const INTERVENTIONS_FILE = 'interventions.json';
const PART = 'part';
const DEFAULT_BATCH_SIZE = 16;

/** `unitscope evaluate MODEL --data DIR --out DIR`: how explanations compare with what is true of the pictures. */
export function addEvaluateCommand(program: Command, surroundings: Surroundings): void {
  const command = program
    .command('evaluate')
    .description('How well methods explain a network, by pictures of which every part is known.')
    .argument('<model>', 'the ONNX file')
    .requiredOption('--out <dir>', 'the folder for results, and for the state of a run that is not finished')
    .requiredOption(
      '--data <dir>',
      `pictures in the format of COCO with categories of the supercategory ${PART}, and ${INTERVENTIONS_FILE} where there is one`,
    )
    .option(
      '--methods <names>',
      `names by commas, or all: ${methods.map(({ name }) => name).join(', ')}`,
      'all',
    )
    .option(
      '--classes <file>',
      'explain the class that a picture shows: JSON of the outputs by the categories of objects (default: the class it is taken for)',
    )
    .addOption(preprocessOption())
    .option('--limit <n>', 'only the first n pictures', positiveInteger)
    .addOption(
      new Option(
        '--channels <rule>',
        'what a pixel counts: the largest |value| of its channels, or their sum',
      )
        .choices([...CHANNEL_RULES])
        .default(CHANNEL_RULES[0]),
    )
    .addOption(
      new Option('--negative <rule>', 'what negative sums count')
        .choices([...NEGATIVE_RULES])
        .default(NEGATIVE_RULES[0]),
    )
    .option('--tolerance <pixels>', 'of the pointing game', parseTolerance, 15)
    .option('--steps <n>', 'of the deletion and insertion curves', positiveInteger, 20)
    .addOption(
      new Option('--deletion-baseline <what>', 'what pixels are replaced by')
        .choices([...BASELINES])
        .default(BASELINES[0]),
    )
    .addOption(
      new Option('--insertion-baseline <what>', 'what pixels are inserted into')
        .choices([...BASELINES])
        .default(BASELINES[1]),
    )
    .addOption(onErrorOption())
    .option('--resume', 'go on with a run that was stopped');
  addLoweringOption(addRunOptions(command)).action((model: string, options: EvaluateOptions) =>
    runEvaluate(model, options, surroundings),
  );
  command.addHelpText(
    'after',
    `
Of every method and picture are measured, with the mean and its standard error over the pictures:
  mass in parts      share of the map's mass on the parts; concentration is this over the share of the picture they take
  pointing game      the map is largest on a part, or within the tolerance of one
  rank correlation   Spearman's, between the mass on each part and the drop of the class score when it is removed
  deletion           mean probability of the class while pixels are replaced, the most relevant first: small is good
  insertion          the same while they are put back: large is good

Example:
  unitscope evaluate net.onnx --data world --classes outputs.json --methods gradient,guided-backprop --out out`,
  );
}

interface EvaluationPass extends Pass {
  readonly truth: ExplanationTruth;
}

async function runEvaluate(
  modelPath: string,
  options: EvaluateOptions,
  { streams, signal }: Surroundings,
): Promise<void> {
  const { out, json, quiet, onError } = options;
  const chosen = methodsNamed(options.methods);
  const preprocessing = await readPreprocessing(options.preprocess);
  const mapping = options.classes === undefined ? undefined : await readClassMapping(options.classes);
  const dataSet = await openDataSet(options.data);
  const parts = partsOf(dataSet);
  const changed = await changedPictures(dataSet);
  const model = await loadModel(modelPath, options, streams);
  try {
    const judging: Judging = {
      model,
      dataSet,
      methods: chosen,
      parts,
      mapping,
      changed: changed ?? new Map(),
      preprocessing,
      size: inputSizeOf(model),
      parameters: {
        channels: options.channels,
        negative: options.negative,
        tolerance: options.tolerance,
        steps: options.steps,
        baselines: { deletion: options.deletionBaseline, insertion: options.insertionBaseline },
      },
      batchSize: options.batchSize ?? DEFAULT_BATCH_SIZE,
    };
    const isQuiet = quiet === true || json === true;
    const say = (text: string) => {
      if (!isQuiet) streams.out.write(text);
    };
    const path = join(out, STATE_FILE);
    const identity = identityOf(judging, options.limit);
    const pass = await openPass(path, identity, judging, options.resume === true);
    say(`preprocessing ${describePreprocessing(preprocessing)}\n`);
    if (changed === undefined)
      say(`${options.data} has no ${INTERVENTIONS_FILE}, so there is no rank correlation\n`);
    const progress = createProgress(streams, 'evaluating', isQuiet);
    await runPass(
      pass,
      (numbers, stop) => streamJudged(judging, numbers, onError, stop),
      { signal, onProgress: (done, total) => progress.update(done, total) },
      {
        take: ({ rows }) => pass.truth.add(rows),
        save: () => savePass(path, pass, { truth: pass.truth.toState() }),
      },
    ).finally(() => progress.stop());
    const truths = pass.truth.result();
    requirePictures(truths, options.data);
    const record = { ...identity.record, skipped: pass.skipped, methods: summaryOf(truths) };
    await writeFileAtomic(join(out, RESULT_FILES[0]), `${JSON.stringify(record, null, 1)}\n`);
    await writeFileAtomic(join(out, RESULT_FILES[1]), formatRows(truths, dataSet));
    if (json)
      streams.out.write(
        `${JSON.stringify({ out, files: RESULT_FILES, methods: record.methods }, null, 2)}\n`,
      );
    else streams.out.write(describeTruths(truths));
    if (pass.skipped.length > 0) say(`left out ${pass.skipped.length} pictures that could not be used\n`);
    say(`wrote ${RESULT_FILES.join(' and ')} to ${out}\n`);
  } finally {
    await model.close();
  }
}

function parseTolerance(text: string): number {
  const pixels = Number(text);
  if (text.trim() === '' || !(pixels >= 0 && Number.isFinite(pixels)))
    throw new InvalidArgumentError('It must be 0 pixels or more.');
  return pixels;
}

function partsOf({ table, path }: DataSet): Label[] {
  const parts = table.labels.filter(({ category }) => category === PART);
  if (parts.length > 0) return parts;
  throw new UnitscopeError(
    'bad-input',
    `${path} has no categories of the supercategory "${PART}"; explanations are judged by parts`,
    { subject: path },
  );
}

/** Undefined where the data set has none. */
async function changedPictures(
  dataSet: DataSet,
): Promise<ReadonlyMap<string, readonly ChangedPicture[]> | undefined> {
  const path = join(folderOf(dataSet), INTERVENTIONS_FILE);
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  return isThere ? readInterventions(path, dataSet) : undefined;
}

async function openPass(
  path: string,
  identity: RunIdentity,
  { methods: judged, parts }: Judging,
  resume: boolean,
): Promise<EvaluationPass> {
  const saved = await readPass(path, readRunIdentity);
  requireResumable(path, saved?.pass, { identity, shard: WHOLE, resume });
  if (saved !== undefined)
    return { ...saved.pass, truth: ExplanationTruth.fromState(saved.state.get('truth')) };
  const names = { methods: judged.map(({ name }) => name), measures: measuresOf(parts) };
  return { identity, shard: WHOLE, done: 0, skipped: [], truth: new ExplanationTruth(names) };
}

function identityOf(judging: Judging, limit = Number.POSITIVE_INFINITY): RunIdentity {
  const { model, dataSet, mapping, changed, preprocessing, parameters } = judging;
  const { examples, format, sha256 } = dataSet;
  const count = Math.min(limit, examples.length);
  return {
    record: {
      unitscope: version,
      method: 'explanation-truth',
      model: { file: basename(model.path ?? ''), sha256: model.sha256 },
      engine: engineOf(model),
      data: { format, sha256, interventions: digestOf(dataSet, changed), pictures: count },
      preprocessing: { ...preprocessing },
      explained: judging.methods.map(({ name }) => name),
      target: targetRecord(mapping),
      parameters: { ...parameters },
    },
    count,
  };
}

/** Lowerings and block sizes sum in other orders, so the last digits of explanations are theirs. */
function engineOf({ engine: { name, versions, lowering, block } }: Model): Json {
  return { name, versions, lowering, ...(block === undefined ? {} : { block }) };
}

const targetRecord = (mapping: ClassMapping | undefined): Json =>
  mapping === undefined ? 'top1' : Object.fromEntries(mapping);

const folderOf = ({ path }: DataSet): string => (path.endsWith('.json') ? dirname(path) : path);

/** Of what is said about the changed pictures, wherever the folder lies. */
function digestOf(dataSet: DataSet, changed: ReadonlyMap<string, readonly ChangedPicture[]>): string {
  const lines = [...changed].map(([id, list]) => [
    id,
    list.map((one) => [one.part, one.kind, relative(folderOf(dataSet), one.path)]),
  ]);
  return createHash('sha256').update(JSON.stringify(lines)).digest('hex');
}

function requirePictures(truths: readonly MethodTruth[], path: string): void {
  if (truths.some(({ pictures }) => pictures > 0)) return;
  throw new UnitscopeError('bad-input', `no picture of ${path} could be used`, { subject: path });
}
