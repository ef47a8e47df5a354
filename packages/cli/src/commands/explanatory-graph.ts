import { access, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describePreprocessing, readPreprocessing } from '@unitscope/data';
import {
  type ExplanatoryGraph,
  GRAPH_DEFAULTS,
  GRAPH_FILES,
  type GraphParameters,
  graphParameters,
  learnExplanatoryGraph,
  prepareFeatures,
  RELEASED_GRAPH,
  rankNodes,
  removeFeatures,
  writeExplanatoryGraph,
} from '@unitscope/disentangling';
import type { KernelOptions } from '@unitscope/kernels';
import type { Layer, Model } from '@unitscope/model';
import { throwIfAborted, UnitscopeError, writeFileAtomic } from '@unitscope/tensor';
import type { Command } from 'commander';
import { openData } from '../data-options.js';
import {
  addGraphDataOptions,
  type GraphDataOptions,
  graphPictures,
  kernelOptions,
  parseDensities,
  parseNames,
  picturesRecord,
} from '../explanatory-graph/options.js';
import { drawNodes } from '../explanatory-graph/patches.js';
import { countOf, type GraphPictures, sourceOf } from '../explanatory-graph/source.js';
import { loadModel } from '../load-model.js';
import { parseSeed, positiveInteger } from '../options.js';
import type { Json } from '../passes/identity.js';
import { createProgress } from '../progress.js';
import type { Surroundings } from '../streams.js';
import { formatNumber } from '../summary.js';
import { formatTable } from '../table.js';
import { version } from '../version.js';
import { addMeasureGraphCommand } from './measure-graph.js';
import { addParseGraphCommand } from './parse-graph.js';

interface LearnOptions extends GraphDataOptions {
  readonly out: string;
  readonly layers: readonly string[];
  readonly negatives?: string;
  readonly iterations?: number;
  readonly density?: readonly number[];
  readonly seed?: number;
  readonly flip: boolean;
  readonly released?: boolean;
  readonly resume?: boolean;
}

const FEATURES = 'features';
const STATE_FILE = 'learning.npz';

/** `unitscope explanatory-graph`: part patterns of filters, learned, parsed and measured. */
export function addExplanatoryGraphCommand(program: Command, surroundings: Surroundings): void {
  const group = program
    .command('explanatory-graph')
    .alias('graph')
    .description('Which part patterns the filters of several layers mix, and which belong together.');
  addLearnCommand(group, surroundings);
  addParseGraphCommand(group, surroundings);
  addMeasureGraphCommand(group, surroundings);
}

function addLearnCommand(group: Command, surroundings: Surroundings): void {
  const command = group
    .command('learn')
    .description(
      'Learns the explanatory graph of layers from pictures of one kind of thing (Zhang et al. 2018).',
    )
    .argument('<model>', 'the ONNX file')
    .requiredOption(
      '--out <dir>',
      'the folder for the graph, and for the state of a run that is not finished',
    )
    .requiredOption(
      '--layers <list>',
      'convolutions, separated by commas, in any order; before their ReLU',
      parseNames,
    )
    .option(
      '--negatives <dir>',
      'other pictures, by whose deviation activations are divided (--data by default)',
    )
    .option('--iterations <n>', `of each layer (default ${GRAPH_DEFAULTS.iterations})`, positiveInteger)
    .option(
      '--density <list>',
      'nodes of a filter per cell, for each layer from the top down',
      parseDensities,
    )
    .option('--no-flip', 'never mirror a picture')
    .option('--released', "read the method as the authors' code does, see below")
    .option(
      '--seed <n>',
      `another seed, other nodes to begin with (default ${GRAPH_DEFAULTS.seed})`,
      parseSeed,
    )
    .option('--resume', 'go on with a run that was stopped');
  addGraphDataOptions(command).action((model: string, options: LearnOptions) =>
    runLearn(model, options, surroundings),
  );
  command.addHelpText(
    'after',
    `
Objects with landmarks are cut out by their boxes, as the authors do; of other data whole pictures are taken. Nodes of
a filter per cell are 1.4 / height of the map, at most 0.2: 40, 20 and 10 nodes on maps of 28, 14 and 7 cells.

The graph comes as graph.json and graph.npz, with nodes-*.png: the purest nodes of each layer, as the patches around them.

--released leaves the deviations of parents in cells of their own layer, weighs them without the root of their product,
chooses them in every iteration, compares orientations by likelihood, and rounds activations to 256 levels. Flips that
never differ and deviations of the first filter for all, the released code's slips, are not repeated.

Examples:
  unitscope explanatory-graph learn net.onnx --data lions --layers conv9,conv10 --preprocess caffe --out graph
  unitscope explanatory-graph learn net.onnx --data world --category bird --layers conv5,conv4 --negatives photos --out graph
  unitscope explanatory-graph parse net.onnx graph lion.jpg --preprocess caffe --png heat.png --svg edges.svg`,
  );
}

async function runLearn(
  modelPath: string,
  options: LearnOptions,
  { streams, signal }: Surroundings,
): Promise<void> {
  const { out, json, quiet, density, layers: names } = options;
  if (density !== undefined && density.length !== names.length)
    throw new UnitscopeError(
      'wrong-use',
      `--density has ${density.length} numbers for ${names.length} layers; give one for each`,
    );
  const parameters = parametersOf(options);
  const preprocessing = await readPreprocessing(options.preprocess);
  const dataSet = await openData(options, { unlabelled: true });
  const negativeSet =
    options.negatives === undefined
      ? undefined
      : await openData({ data: options.negatives }, { unlabelled: true });
  const model = await loadModel(modelPath, options, streams);
  try {
    const layers = topDown(model, names);
    const pictures = graphPictures(options, dataSet, preprocessing, model);
    const negatives: GraphPictures | undefined =
      negativeSet === undefined
        ? undefined
        : { ...pictures, dataSet: negativeSet, objects: false, category: undefined, limit: undefined };
    const isQuiet = quiet === true || json === true;
    const say = (text: string) => {
      if (!isQuiet) streams.out.write(text);
    };
    const record: { readonly [key: string]: Json } = {
      unitscope: version,
      method: 'explanatory-graph',
      model: { file: basename(model.path ?? ''), sha256: model.sha256 },
      engine: { name: model.engine.name, versions: { ...model.engine.versions } },
      layers: layers.map(({ name }) => name),
      data: picturesRecord(pictures),
      ...(negatives === undefined ? {} : { negatives: picturesRecord(negatives) }),
      preprocessing: { ...preprocessing, mean: [...preprocessing.mean], std: [...preprocessing.std] },
    };
    await requireFresh(out, options.resume === true);
    say(`preprocessing ${describePreprocessing(preprocessing)}\n`);
    const { graph, skipped, numbers } = await learn(model, layers, pictures, negatives, parameters, record, {
      out,
      isQuiet,
      kernel: kernelOptions(options),
      surroundings: { streams, signal },
    });
    const figures = await drawNodes(graph, pictures, numbers, signal);
    const files: string[] = [...GRAPH_FILES];
    for (const [i, figure] of figures.entries()) {
      if (figure === undefined) continue;
      throwIfAborted(signal);
      const name = `nodes-${i + 1}-${graph.layers[i]!.name.replace(/[^\w.-]+/g, '_')}.png`;
      await writeFileAtomic(join(out, name), figure);
      files.push(name);
    }
    const ids = numbers.map((number) => idOf(pictures, number));
    await writeExplanatoryGraph(out, graph, {
      ...record,
      pictures: ids,
      skipped: skipped.map(({ number, id, reason }) => ({ number, id, reason })),
    });
    await removeFeatures(join(out, FEATURES));
    await rm(join(out, STATE_FILE), { force: true });
    const summary = summaryOf(graph);
    if (json === true) {
      const { parameters: used } = graph;
      streams.out.write(
        `${JSON.stringify({ ...record, parameters: used, out, files, pictures: graph.pictures, skipped, layers: summary }, null, 2)}\n`,
      );
    } else streams.out.write(describe(graph));
    if (skipped.length > 0) say(`left out ${skipped.length} pictures that could not be used\n`);
    say(`wrote ${files.join(', ')} to ${out}\n`);
  } finally {
    await model.close();
  }
}

function parametersOf({ iterations, density, seed, flip, released }: LearnOptions): GraphParameters {
  return graphParameters({
    ...(released === true ? RELEASED_GRAPH : {}),
    ...(iterations === undefined ? {} : { iterations }),
    ...(density === undefined ? {} : { density }),
    ...(seed === undefined ? {} : { seed }),
    flip,
  });
}

/** The layers from the top of the network down. Throws `not-found`. */
function topDown(model: Model, names: readonly string[]): readonly Layer[] {
  return names.map((name) => model.layer(name)).sort((a, b) => b.depth - a.depth);
}

/** Throws `wrong-use` where the folder holds a graph, or a run that is not to be gone on with. */
async function requireFresh(out: string, resume: boolean): Promise<void> {
  const isThere = (name: string) =>
    access(join(out, name)).then(
      () => true,
      () => false,
    );
  const refuse = (why: string) =>
    new UnitscopeError('wrong-use', `${out} holds ${why}, or choose another folder`, { subject: out });
  if (await isThere(GRAPH_FILES[0])) throw refuse('a finished graph; remove it');
  if (!resume && ((await isThere(FEATURES)) || (await isThere(STATE_FILE))))
    throw refuse('a run that was stopped; go on with it by --resume');
}

async function learn(
  model: Model,
  layers: readonly Layer[],
  pictures: GraphPictures,
  negatives: GraphPictures | undefined,
  parameters: GraphParameters,
  record: { readonly [key: string]: Json },
  {
    out,
    isQuiet,
    kernel,
    surroundings: { streams, signal },
  }: {
    readonly out: string;
    readonly isQuiet: boolean;
    readonly kernel: KernelOptions;
    readonly surroundings: Surroundings;
  },
) {
  const identity = JSON.stringify({ ...record, flip: parameters.flip, quantised: parameters.quantised });
  const stages = {
    scale: createProgress(streams, 'measuring deviations', isQuiet),
    maps: createProgress(streams, 'reading', isQuiet),
  };
  const total = { scale: countOf(negatives ?? pictures), maps: countOf(pictures) };
  const features = await prepareFeatures(model, {
    folder: join(out, FEATURES),
    identity,
    layers: layers.map(({ name }) => name),
    pictures: sourceOf(pictures),
    ...(negatives === undefined ? {} : { negatives: sourceOf(negatives) }),
    mirrored: parameters.flip,
    quantised: parameters.quantised,
    signal,
    onProgress: ({ stage, done }) => stages[stage].update(done, total[stage]),
  }).finally(() => {
    stages.scale.stop();
    stages.maps.stop();
  });
  const progress = createProgress(streams, 'learning', isQuiet);
  const graph = await learnExplanatoryGraph(features, {
    parameters,
    kernel,
    signal,
    state: { path: join(out, STATE_FILE), identity: JSON.stringify({ ...record, parameters }) },
    onProgress: ({ done, total: all }) => progress.update(done, all),
  }).finally(() => progress.stop());
  return { graph, skipped: features.skipped, numbers: features.numbers };
}

/** A picture by its name in the data set; an object by its number in it besides. */
function idOf({ dataSet, objects }: GraphPictures, number: number): string {
  const id = (picture: number) => dataSet.examples[picture]?.id ?? String(picture);
  return objects ? `${id(Math.floor(number / 4096))}#${number % 4096}` : id(number);
}

function summaryOf(graph: ExplanatoryGraph) {
  return graph.layers.map(({ name, filters, nodes, height, width, deadFilters, parents }, layer) => ({
    layer: name,
    filters,
    maps: [height, width],
    nodesPerFilter: nodes,
    parents: parents?.dims[2] ?? 0,
    deadFilters,
    purest: rankNodes(graph, layer, { perFilter: 1 })
      .slice(0, 5)
      .map(({ filter, node, sum }) => ({ filter, node, sum })),
  }));
}

function describe(graph: ExplanatoryGraph): string {
  const mirrored = graph.mirrored.filter((flag) => flag === 1).length;
  const rows = summaryOf(graph).map(({ layer, filters, maps, nodesPerFilter, deadFilters, purest }) => [
    layer,
    maps.join('x'),
    filters,
    deadFilters.length,
    nodesPerFilter,
    purest
      .map(({ filter, node, sum }) => `${filter}.${node} (${formatNumber(Number(sum.toPrecision(3)))})`)
      .join(' '),
  ]);
  return [
    `learned from ${graph.pictures} pictures${graph.parameters.flip ? `, ${mirrored} of them mirrored` : ''}\n`,
    formatTable(['layer', 'maps', 'filters', 'dead', 'nodes each', 'purest nodes (sum of scores)'], rows),
  ].join('');
}
