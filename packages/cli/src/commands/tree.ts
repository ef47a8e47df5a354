import { basename, join } from 'node:path';
import {
  DATA_SET_LAYOUTS,
  type DataSet,
  describePreprocessing,
  loadPicture,
  type Preprocessing,
  readPreprocessing,
  restorePicture,
} from '@unitscope/data';
import {
  ASSIGNMENTS,
  type Assignment,
  collectTreeSamples,
  type DecisionTree,
  encodeTree,
  learnDecisionTree,
  measureTree,
  parse,
  type TreeMeasures,
} from '@unitscope/disentangling';
import type { Layer, Model } from '@unitscope/model';
import { throwIfAborted, UnitscopeError, unknownName, writeFileAtomic } from '@unitscope/tensor';
import { scalePicture } from '@unitscope/visualization';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { addSplitOption, dataRecordOf, openData } from '../data-options.js';
import { inputSizeOf, mapDimsOf } from '../layer-maps.js';
import { loadModel } from '../load-model.js';
import {
  addLoweringOption,
  addRunOptions,
  onErrorOption,
  positiveInteger,
  preprocessOption,
  type RunOptions,
} from '../options.js';
import { requireOutputs } from '../output-files.js';
import { createProgress } from '../progress.js';
import type { Surroundings } from '../streams.js';
import { formatTable } from '../table.js';
import { type CollectedObjects, collectObjects } from '../tree/objects.js';
import {
  measureChart,
  nodeRecord,
  type Parts,
  partsOf,
  pathFigure,
  pathRecord,
  treeFigure,
} from '../tree/results.js';
import { version } from '../version.js';

interface TreeCommandOptions extends RunOptions {
  readonly data: string;
  readonly split?: string;
  readonly layer: string;
  readonly category: string;
  readonly target: number;
  readonly beta: number;
  readonly lambda: number;
  readonly assignment: Assignment;
  readonly binary?: boolean;
  readonly perPicture?: boolean;
  readonly neighbours: number;
  readonly limit?: number;
  readonly preprocess: string;
  readonly onError: 'stop' | 'skip';
  readonly explain?: readonly string[];
  readonly out: string;
}

const DEFAULT_BATCH_SIZE = 16;
const SCHEMA = 'unitscope/decision-tree@1';

/** `unitscope tree MODEL --data DIR --category C --layer L --out DIR`: how a network decides for a category. */
export function addTreeCommand(program: Command, surroundings: Surroundings): void {
  const command = program
    .command('tree')
    .description(
      'The decision tree of a category: modes of using filters and parts, from all pictures down to one.',
    )
    .argument('<model>', 'the ONNX file')
    .requiredOption('--data <dir>', `objects with landmarks: ${DATA_SET_LAYOUTS}`)
    .requiredOption(
      '--category <name>',
      'the category of objects that is explained; the others are the negatives',
    )
    .requiredOption('--out <dir>', 'the folder for results')
    .option('--target <class>', 'the output that is its score', parseIndex, 0)
    .option('--layer <name>', 'the top maps: a node, a value, or last-conv; after ReLU and mask', 'last-conv')
    .option('--beta <x>', 'what a node of the second layer costs', parseWeight, 1)
    .option('--lambda <x>', 'the sparsity of rationales, times the root of the pictures', parseWeight, 1e-6)
    .addOption(
      new Option('--assignment <rule>', 'which node predicts a positive picture while the tree is learned')
        .choices([...ASSIGNMENTS])
        .default(ASSIGNMENTS[0]),
    )
    .option('--binary', 'rationales of zeros and ones')
    .option('--per-picture', 'merge by the gain for each picture under a node')
    .option('--neighbours <n>', 'how many of the most similar nodes each may merge with', positiveInteger, 16)
    .option('--limit <n>', 'only the first n pictures', positiveInteger)
    .addOption(preprocessOption())
    .addOption(onErrorOption())
    .option('--explain <picture...>', 'pictures whose way down the tree is drawn');
  addLoweringOption(addRunOptions(addSplitOption(command))).action(
    (model: string, options: TreeCommandOptions) => runTree(model, options, surroundings),
  );
  command.addHelpText(
    'after',
    `
Writes tree.json (the record), tree.npz (the tree itself, float64), tree.png (its largest nodes), measures.svg (prediction
error, fitness and accuracy by depth), and path-NAME.png for every picture of --explain.

Example:
  unitscope tree net.onnx --data world --category bird --target 3 --layer conv5_relu --out out --explain a.png b.png`,
  );
}

async function runTree(
  modelPath: string,
  options: TreeCommandOptions,
  { streams, signal }: Surroundings,
): Promise<void> {
  const { out, json, quiet, explain: explained = [], target } = options;
  const paths = {
    record: join(out, 'tree.json'),
    tree: join(out, 'tree.npz'),
    figure: join(out, 'tree.png'),
    chart: join(out, 'measures.svg'),
  };
  const pathFiles = pathFilesOf(out, explained);
  await requireOutputs([...Object.values(paths), ...pathFiles], [modelPath, options.data, ...explained]);
  const preprocessing = await readPreprocessing(options.preprocess);
  const dataSet = await openData(options);
  const category = categoryIn(dataSet, options);
  const model = await loadModel(modelPath, options, streams);
  try {
    const layer = model.layer(options.layer);
    mapDimsOf(layer);
    const isQuiet = quiet === true || json === true;
    if (!isQuiet) streams.out.write(`preprocessing ${describePreprocessing(preprocessing)}\n`);
    const reading = createProgress(streams, 'collecting', isQuiet);
    const collected = await collectObjects({
      ...{ model, layer, dataSet, preprocessing, category, target, signal },
      batchSize: options.batchSize ?? DEFAULT_BATCH_SIZE,
      limit: options.limit ?? dataSet.examples.length,
      onError: options.onError,
      onProgress: (done, total) => reading.update(done, total),
    }).finally(() => reading.stop());
    const parts = partsOf(collected, dataSet.landmarkNames);
    const merging = createProgress(streams, 'merging', isQuiet);
    const tree = await learnDecisionTree(collected.samples, {
      ...optionsOfTree(options),
      signal,
      onProgress: ({ done, total }) => merging.update(done, total),
    }).finally(() => merging.stop());
    const measures = measureTree(tree, collected.samples);
    const ways = await explainPictures(explained, {
      model,
      layer,
      preprocessing,
      tree,
      collected,
      parts,
      target,
      signal,
    });
    const record = {
      schema: SCHEMA,
      ...recordOf({ model, layer, dataSet, preprocessing, collected, parts, tree, measures }, options),
      explained: ways.map(({ record: way }) => way),
    };
    const files = new Map<string, Uint8Array | string>([
      [paths.record, `${JSON.stringify(record, null, 1)}\n`],
      [paths.tree, encodeTree(tree)],
      [paths.figure, treeFigure(tree, collected, parts)],
      [paths.chart, measureChart(measures)],
      ...ways.map(({ figure }, i): [string, Uint8Array] => [pathFiles[i]!, figure]),
    ]);
    throwIfAborted(signal);
    for (const [path, content] of files) await writeFileAtomic(path, content);
    if (json === true)
      streams.out.write(`${JSON.stringify({ ...record, files: [...files.keys()] }, null, 2)}\n`);
    else streams.out.write(describe(tree, measures, collected, [...files.keys()]));
  } finally {
    await model.close();
  }
}

interface Learned {
  readonly model: Model;
  readonly layer: Layer;
  readonly preprocessing: Preprocessing;
  readonly tree: DecisionTree;
  readonly collected: CollectedObjects;
  readonly parts: Parts;
}

/** Each picture is a whole one, fitted to the input as `explain` does it. */
async function explainPictures(
  pictures: readonly string[],
  learned: Learned & { readonly target: number; readonly signal: AbortSignal },
) {
  const { model, layer, preprocessing, tree, collected, parts, target, signal } = learned;
  const ways: { readonly record: object; readonly figure: Uint8Array }[] = [];
  for (const path of pictures) {
    const { tensor } = await loadPicture(path, preprocessing, inputSizeOf(model));
    const batch = { batch: tensor, positive: [true] };
    const one = { layer: layer.name, target, scales: tree.scales, signal };
    const { samples, excluded } = await collectTreeSamples(model, [batch], one);
    if (excluded[0] !== undefined) {
      throw new UnitscopeError('bad-input', `${path} cannot be explained: ${excluded[0].reason}`, {
        subject: path,
      });
    }
    const way = parse(tree, samples, 0);
    const picture = scalePicture(
      restorePicture(tensor, preprocessing),
      { width: 64, height: 64 },
      'bilinear',
    );
    const shown = { picture, samples, row: 0 };
    ways.push({
      record: { path, ...pathRecord(way, samples, 0, parts) },
      figure: pathFigure(way, collected, shown, parts),
    });
  }
  return ways;
}

function recordOf(
  parts: Learned & { readonly dataSet: DataSet; readonly measures: TreeMeasures },
  options: TreeCommandOptions,
) {
  const { model, layer, dataSet, preprocessing, collected, tree, measures } = parts;
  const { samples, excluded, deadFilters, skipped } = collected;
  const positive = samples.positive.filter(Boolean).length;
  const risen = tree.merges.reduce((sum, { gain }) => sum + gain, 0);
  return {
    unitscope: version,
    method: 'decision-tree',
    model: { file: basename(model.path ?? ''), sha256: model.sha256 },
    engine: model.engine,
    data: dataRecordOf(dataSet),
    preprocessing,
    layer: layer.name,
    category: options.category,
    target: options.target,
    parameters: tree.parameters,
    objects: { positive, negative: samples.positive.length - positive },
    skipped,
    excluded,
    deadFilters,
    partOfFilter: parts.parts.ofFilter.map((part) => parts.parts.names[part] ?? null),
    logE: { start: tree.startingLogE, end: tree.startingLogE + risen },
    merges: tree.merges,
    secondLayer: tree.top,
    nodes: tree.nodes
      .filter(({ children, id }) => children.length > 0 || tree.top.includes(id))
      .map((node) => nodeRecord(node, samples, parts.parts)),
    measures,
  };
}

function optionsOfTree({ beta, lambda, assignment, binary, perPicture, neighbours }: TreeCommandOptions) {
  return { beta, lambda, assignment, neighbours, binary: binary === true, perPicture: perPicture === true };
}

function describe(
  tree: DecisionTree,
  { networkAccuracy, depths }: TreeMeasures,
  { samples, excluded, deadFilters }: CollectedObjects,
  files: readonly string[],
): string {
  const percent = (part: number) => `${(100 * part).toFixed(1)} %`;
  const positive = samples.positive.filter(Boolean).length;
  const rows = depths.map(({ depth, nodes, accuracy, agreement, predictionError, fitness }) => [
    depth + 1,
    nodes,
    percent(accuracy),
    percent(agreement),
    predictionError.toFixed(3),
    fitness.toFixed(3),
  ]);
  return [
    `${positive} objects of the category, ${samples.positive.length - positive} others; ${tree.merges.length} merges, ${tree.top.length} nodes in the second layer`,
    ...(deadFilters.length > 0 ? [`${deadFilters.length} filters find nothing in the category`] : []),
    ...(excluded.length > 0 ? [`left out ${excluded.length} objects: ${excluded[0]!.reason}`] : []),
    `the network is right on ${percent(networkAccuracy)}`,
    formatTable(['layer', 'nodes', 'right', 'as the network', 'prediction error', 'fitness'], rows),
    `wrote ${files.join(', ')}`,
    '',
  ].join('\n');
}

function categoryIn(
  { objectCategories, landmarkNames }: DataSet,
  { category, data }: TreeCommandOptions,
): number {
  if (landmarkNames.length === 0) {
    throw new UnitscopeError('bad-input', `${data} has no landmarks; a tree names what it finds by them`, {
      subject: data,
    });
  }
  const index = objectCategories.indexOf(category);
  if (index < 0) throw unknownName('category', category, objectCategories, 'wrong-use');
  return index;
}

function pathFilesOf(out: string, pictures: readonly string[]): string[] {
  const files = pictures.map((path) => join(out, `path-${basename(path).replace(/\.[^.]*$/, '')}.png`));
  const twice = files.find((file, i) => files.indexOf(file) !== i);
  if (twice === undefined) return files;
  throw new UnitscopeError(
    'wrong-use',
    `two pictures of --explain would both be drawn to ${twice}; rename one`,
    {
      subject: twice,
    },
  );
}

function parseIndex(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be the number of an output, counted from 0.');
}

function parseWeight(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError('It must be a number of at least 0.');
}
