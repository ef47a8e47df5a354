import { join } from 'node:path';
import { DATA_SET_LAYOUTS, describePreprocessing, readLabelTable, readPreprocessing } from '@unitscope/data';
import { CONVENTIONS, type Convention, dissectionParameters } from '@unitscope/metrics';
import { UnitscopeError } from '@unitscope/tensor';
import { type Command, Option } from 'commander';
import { addSplitOption, openData } from '../data-options.js';
import { ActivationCache } from '../dissection/activation-cache.js';
import { openArraySource } from '../dissection/array-source.js';
import type { CacheTrial } from '../dissection/cached-source.js';
import { type Identity, identityOf } from '../dissection/identity.js';
import { openNetworkSource } from '../dissection/network-source.js';
import { drawUnits } from '../dissection/pictures.js';
import { resultOf, writeResults } from '../dissection/results.js';
import { runCounts, runThresholds } from '../dissection/run-passes.js';
import {
  COUNTS_FILE,
  type CountPass,
  readCounts,
  readThresholds,
  startCounts,
  startThresholds,
  THRESHOLDS_FILE,
  type ThresholdPass,
} from '../dissection/saved-pass.js';
import type { DissectionSource } from '../dissection/source.js';
import { describeDissection } from '../dissection/summary.js';
import { readThresholdFile } from '../dissection/threshold-file.js';
import { loadModel } from '../load-model.js';
import {
  addRunOptions,
  onErrorOption,
  parseField,
  parseFraction,
  parseGigabytes,
  parseShard,
  parseSize,
  preprocessOption,
  type RunOptions,
} from '../options.js';
import { requireSameRun, type Shard, WHOLE } from '../passes/identity.js';
import { requireResumable } from '../passes/saved-pass.js';
import { createProgress } from '../progress.js';
import type { Streams, Surroundings } from '../streams.js';

interface DissectOptions extends RunOptions {
  readonly out: string;
  readonly data?: string;
  readonly split?: string;
  readonly layer?: string;
  readonly preprocess: string;
  readonly labelSize?: readonly [number, number];
  readonly onError: 'stop' | 'skip';
  readonly activations?: string;
  readonly pixelLabels?: string;
  readonly imageLabels?: string;
  readonly categories?: string;
  readonly field?: readonly [number, number, number];
  readonly input?: readonly [number, number];
  readonly convention: Convention;
  readonly quantile?: number;
  readonly quantileOver?: 'map' | 'enlarged-map';
  readonly iouThreshold?: number;
  readonly thresholds?: string;
  readonly shard: Shard;
  readonly resume?: boolean;
  readonly cache: number;
  readonly pictures: boolean;
}

const DEFAULT_CACHE_GIGABYTES = 16;

/** `unitscope dissect MODEL --data DIR --layer L --out DIR`: which concepts the units of a layer detect. */
export function addDissectCommand(program: Command, surroundings: Surroundings): void {
  const command = program
    .command('dissect')
    .description('Which concepts the units of a layer detect, by Network Dissection.')
    .argument('[model]', 'the ONNX file; left out where the activations come from a file')
    .requiredOption('--out <dir>', 'the folder for results, and for the state of a run that is not finished')
    .option('--data <dir>', `the data set: ${DATA_SET_LAYOUTS}`)
    .option('--layer <name>', 'a node, a value, or last-conv (default: last-conv)')
    .addOption(preprocessOption())
    .option(
      '--label-size <h,w>',
      "size of the label maps (default: half the network's input, all of it for a layer of stride 1)",
      parseSize,
    )
    .addOption(onErrorOption('a picture or mask'))
    .addOption(
      new Option('--convention <name>', 'whose reading of the method')
        .choices([...CONVENTIONS])
        .default('paper'),
    )
    .option('--quantile <q>', 'how much of a unit lies above its threshold (default: 0.005)', parseFraction)
    .addOption(
      new Option(
        '--quantile-over <what>',
        "what the quantile is taken over (default: the convention's)",
      ).choices(['map', 'enlarged-map']),
    )
    .option('--iou-threshold <t>', 'a unit above it detects a concept (default: 0.04)', parseFraction)
    .option('--thresholds <path>', 'thresholds made before: a folder of merged shards, or an .npy file')
    .option('--shard <i/n>', 'only the i-th of n parts of the pictures', parseShard, WHOLE)
    .option('--resume', 'go on with a run that was stopped')
    .option(
      '--cache <gigabytes>',
      'disk that activations may take between the passes where that is cheaper than running the network twice; 0: none',
      parseGigabytes,
      DEFAULT_CACHE_GIGABYTES,
    )
    .option('--no-pictures', 'do not draw the pictures that activate the units most')
    .option('--activations <file>', 'activations [N, units, h, w] as .npy, instead of a network')
    .option(
      '--pixel-labels <file>',
      'with them: labels of pixels [N, layers, H, W] as .npy of int32, 0 for none',
    )
    .option('--image-labels <file>', 'with them: labels of whole pictures [N, n], likewise')
    .option('--categories <file>', 'with them: what the labels are, as JSON')
    .option(
      '--field <size,stride,offset>',
      "with them: the layer's receptive field, for the convention paper",
      parseField,
    )
    .option('--input <h,w>', "with them: the network's input, likewise", parseSize);
  addRunOptions(addSplitOption(command)).action((model: string | undefined, options: DissectOptions) =>
    runDissect(model, options, surroundings),
  );
  command.addHelpText(
    'after',
    `
Examples:
  unitscope dissect net.onnx --data camvid --layer conv10 --out out
  In three parts, on three machines:
    unitscope dissect net.onnx --data camvid --layer conv10 --shard 1/3 --out part1     (and 2/3, 3/3)
    unitscope merge part1 part2 part3 --out whole
    unitscope dissect net.onnx --data camvid --layer conv10 --shard 1/3 --out part1 --thresholds whole --resume
    unitscope merge part1 part2 part3 --out whole
  Activations that another framework wrote:
    unitscope dissect --activations a.npy --pixel-labels l.npy --categories c.json --convention lite --out out`,
  );
}

async function runDissect(
  modelPath: string | undefined,
  options: DissectOptions,
  { streams, signal }: Surroundings,
): Promise<void> {
  requireSense(modelPath, options);
  const parameters = dissectionParameters(options);
  const source = await openSource(modelPath, options, streams);
  let cache: ActivationCache | undefined;
  try {
    const identity = identityOf(source, parameters);
    const { out, shard, json, quiet } = options;
    const [first, second] = await readSaved(identity, options);
    const given =
      options.thresholds === undefined ? undefined : await readThresholdFile(options.thresholds, identity);
    if (given?.pass !== undefined) requireSameRun(options.thresholds ?? '', given.pass.identity, identity);

    const isQuiet = quiet === true || json === true;
    const pass = async <T>(
      label: string,
      work: (onProgress: (done: number, total: number) => void) => Promise<T>,
    ) => {
      const progress = createProgress(streams, label, isQuiet);
      return work((done, total) => progress.update(done, total)).finally(() => progress.stop());
    };
    const say = (text: string) => {
      if (!json) streams.out.write(text);
    };
    if (!isQuiet && source.preprocessing !== undefined)
      say(`preprocessing ${describePreprocessing(source.preprocessing)}\n`);

    const thresholdPass = first ?? startThresholds(identity, shard);
    cache = await openCache(source, thresholdPass, options);
    if (given === undefined) {
      const trial = await pass('thresholds', (onProgress) =>
        runThresholds(source, thresholdPass, { folder: out, signal, onProgress, cache }),
      );
      if (!isQuiet && cache !== undefined && trial !== undefined) say(describeCache(cache, trial));
      if (shard.of > 1) {
        say(
          `wrote ${join(out, THRESHOLDS_FILE)}: thresholds of shard ${shard.index}/${shard.of}; merge them all next\n`,
        );
        return;
      }
    }
    const thresholds = given?.thresholds ?? thresholdPass.thresholds.result();
    const countPass = second ?? startCounts(identity, shard, thresholds);
    requireSameThresholds(countPass, thresholds, out);
    await pass('counting', (onProgress) =>
      runCounts(source, countPass, { folder: out, signal, onProgress, cache, first: thresholdPass }),
    );
    const cached = cache?.count ?? 0;
    await ActivationCache.remove(out);
    if (shard.of > 1) {
      say(
        `wrote ${join(out, COUNTS_FILE)}: counts of shard ${shard.index}/${shard.of}; merge them all next\n`,
      );
      return;
    }
    const result = resultOf(given?.pass ?? thresholdPass, countPass);
    const written = await writeResults(out, result);
    if (options.pictures)
      written.push(
        ...(await pass('drawing', (onProgress) => drawUnits(out, source, result, { signal, onProgress }))),
      );
    if (json)
      streams.out.write(
        `${JSON.stringify({ out, files: written, cached, summary: result.summary }, null, 2)}\n`,
      );
    else say(describeDissection(result));
    if (!isQuiet) {
      const { length } = countPass.skipped;
      if (length > 0) say(`left out ${length} pictures that could not be used; see dissection.json\n`);
      say(`wrote ${written.length} files to ${out}\n`);
    }
  } finally {
    await cache?.close();
    await source.close();
  }
}

/** The cache beside the states of a run; undefined where none is wanted. */
async function openCache(
  { shape }: DissectionSource,
  first: ThresholdPass,
  { out, cache }: DissectOptions,
): Promise<ActivationCache | undefined> {
  if (shape === undefined || cache === 0) {
    await ActivationCache.remove(out);
    return undefined;
  }
  const taken = first.done - first.skipped.length;
  return ActivationCache.open(out, shape, { taken, limit: cache * 1e9 });
}

function describeCache({ count, recordBytes }: ActivationCache, { disk, network }: CacheTrial): string {
  const size = `${((count * recordBytes) / 1e9).toFixed(2)} GB`;
  const costs = `${disk.toFixed(1)} ms a picture, the network ${network.toFixed(1)} ms`;
  return `activations of ${count} pictures wait on the disk (${size}): it takes ${costs}\n`;
}

/** What a folder holds of this run already. Throws `wrong-use` for another run, or without `--resume`. */
async function readSaved(
  identity: Identity,
  { out, shard, resume }: DissectOptions,
): Promise<[ThresholdPass | undefined, CountPass | undefined]> {
  const first = await readThresholds(out);
  const second = await readCounts(out);
  const own = { identity, shard, resume: resume === true };
  requireResumable(join(out, THRESHOLDS_FILE), first, own);
  requireResumable(join(out, COUNTS_FILE), second, own);
  return [first, second];
}

function requireSameThresholds(pass: CountPass, thresholds: Float64Array, folder: string): void {
  const differing = pass.thresholds.findIndex((value, unit) => !Object.is(value, thresholds[unit]));
  if (differing === -1) return;
  throw new UnitscopeError(
    'wrong-use',
    `${join(folder, COUNTS_FILE)} was counted under another threshold of unit ${differing}; choose another folder`,
  );
}

async function openSource(
  modelPath: string | undefined,
  options: DissectOptions,
  streams: Streams,
): Promise<DissectionSource> {
  const { activations, pixelLabels, imageLabels, categories, field, input } = options;
  if (activations !== undefined && pixelLabels !== undefined && categories !== undefined) {
    const files = { activations, pixelLabels, ...(imageLabels === undefined ? {} : { imageLabels }) };
    const [size = 0, stride = 0, offset = 0] = field ?? [];
    return openArraySource(files, {
      table: await readLabelTable(categories),
      ...(field === undefined ? {} : { field: { size, stride, offset } }),
      ...(input === undefined ? {} : { input }),
    });
  }
  const { data = '', split, layer = 'last-conv', preprocess, labelSize, batchSize, onError } = options;
  const dataSet = await openData({ data, ...(split === undefined ? {} : { split }) });
  if (dataSet.table.labels.length === 0)
    throw new UnitscopeError('bad-input', `${data} has no labels; a dissection is about them`, {
      subject: data,
    });
  const preprocessing = await readPreprocessing(preprocess);
  const model = await loadModel(modelPath ?? '', options, streams);
  try {
    return openNetworkSource(model, dataSet, {
      layer,
      preprocessing,
      onError,
      ...(labelSize === undefined ? {} : { labelSize }),
      ...(batchSize === undefined ? {} : { batchSize }),
    });
  } catch (cause) {
    await model.close();
    throw cause;
  }
}

/** Throws `wrong-use` for options that cannot be meant together. */
function requireSense(modelPath: string | undefined, options: DissectOptions): void {
  const refuse = (why: string) => new UnitscopeError('wrong-use', why);
  const { activations, pixelLabels, categories, data, split, layer } = options;
  const ofArrays = {
    '--activations': activations,
    '--pixel-labels': pixelLabels,
    '--categories': categories,
  };
  const given = Object.values(ofArrays).filter((value) => value !== undefined).length;
  if (given === 0) {
    if (modelPath === undefined)
      throw refuse('name the network, or give --activations, --pixel-labels and --categories');
    if (data === undefined) throw refuse('name the data set by --data');
    return;
  }
  if ([modelPath, data, split, layer].some((value) => value !== undefined))
    throw refuse(
      'dissect either a network (MODEL, --data, --split, --layer) or activations (--activations), not both',
    );
  const [missing] = Object.entries(ofArrays).find(([, value]) => value === undefined) ?? [];
  if (missing !== undefined) throw refuse(`${missing} is missing beside ${Object.keys(ofArrays).join(', ')}`);
}
