import { basename, join } from 'node:path';
import { readPreprocessing } from '@unitscope/data';
import { readExplanatoryGraph } from '@unitscope/disentangling';
import { UnitscopeError, writeFileAtomic } from '@unitscope/tensor';
import type { Command } from 'commander';
import { openData } from '../data-options.js';
import { measureInstability, measureLocalisation, sight } from '../explanatory-graph/measure.js';
import {
  addGraphDataOptions,
  type GraphDataOptions,
  graphPictures,
  kernelOptions,
  picturesRecord,
} from '../explanatory-graph/options.js';
import { countOf } from '../explanatory-graph/source.js';
import { loadModel } from '../load-model.js';
import { parseSeed, positiveInteger } from '../options.js';
import { createProgress } from '../progress.js';
import type { Surroundings } from '../streams.js';
import { formatTable } from '../table.js';
import { version } from '../version.js';
import { requireModel, requireSize } from './parse-graph.js';

interface MeasureOptions extends GraphDataOptions {
  readonly out?: string;
  readonly shots: number;
  readonly seed: number;
}

const RESULT_FILE = 'measured.json';

/** `unitscope explanatory-graph measure MODEL GRAPH --data DIR`: are nodes steadier at parts than raw filters? */
export function addMeasureGraphCommand(group: Command, surroundings: Surroundings): void {
  const command = group
    .command('measure')
    .description(
      'Location instability of nodes and of raw filters, and parts located from a few annotated objects.',
    )
    .argument('<model>', 'the ONNX file the graph was learned of')
    .argument('<graph>', 'the folder of the graph')
    .option('--out <dir>', `write ${RESULT_FILE} to a folder`)
    .option(
      '--shots <n>',
      'annotated objects that parts are located from, the first ones',
      positiveInteger,
      3,
    )
    .option('--seed <n>', 'of the intervals', parseSeed, 1);
  addGraphDataOptions(command).action((model: string, graph: string, options: MeasureOptions) =>
    runMeasure(model, graph, options, surroundings),
  );
  command.addHelpText(
    'after',
    `
The data need objects with landmarks. Instability is that of the explanatory graph's authors: the 167 patterns of the
highest mean score, 20 objects each; the mean over landmarks, patterns and layers, in diagonals; smaller is better.
Intervals hold 95 % of the means over objects drawn anew. In objects cut out by their boxes parts hardly move: beside nodes
and filters stands what the nodes would be if each always were at its mean place, and parts at the mean of the annotated ones.

Example:
  unitscope explanatory-graph measure net.onnx graph --data world --category bird --out measured`,
  );
}

async function runMeasure(
  modelPath: string,
  folder: string,
  options: MeasureOptions,
  { streams, signal }: Surroundings,
): Promise<void> {
  const { json, quiet, out, shots, seed } = options;
  if (options.whole === true)
    throw new UnitscopeError('wrong-use', '--whole has no landmarks to measure by; leave it out');
  const preprocessing = await readPreprocessing(options.preprocess);
  const { graph, record } = await readExplanatoryGraph(folder);
  const dataSet = await openData(options, { unlabelled: true });
  if (dataSet.landmarkNames.length === 0) {
    throw new UnitscopeError(
      'bad-input',
      `${options.data} has no landmarks; location instability is about them`,
      { subject: options.data },
    );
  }
  const model = await loadModel(modelPath, options, streams);
  try {
    requireModel(model, record, folder);
    const pictures = graphPictures(options, dataSet, preprocessing, model);
    requireSize(graph, pictures.size, folder);
    const isQuiet = quiet === true || json === true;
    const progress = createProgress(streams, 'measuring', isQuiet);
    const total = countOf(pictures);
    const sightings = await sight(model, graph, pictures, {
      kernel: kernelOptions(options),
      signal,
      onProgress: (done) => progress.update(done, total),
    }).finally(() => progress.stop());
    const localisation = measureLocalisation(sightings, graph, shots);
    const instability = measureInstability(sightings, graph, seed);
    const result = {
      unitscope: version,
      method: 'explanatory-graph-measure',
      model: { file: basename(model.path ?? ''), sha256: model.sha256 },
      engine: { name: model.engine.name, versions: model.engine.versions },
      graph: record,
      data: picturesRecord(pictures),
      preprocessing,
      parameters: { protocol: 'explanatory-graph', shots, seed },
      objects: sightings.allNodes.mirrored.length,
      instability,
      localisation,
    };
    if (out !== undefined)
      await writeFileAtomic(join(out, RESULT_FILE), `${JSON.stringify(result, null, 1)}\n`);
    if (json === true) streams.out.write(`${JSON.stringify(result, null, 2)}\n`);
    else streams.out.write(describe(result));
    if (!isQuiet && out !== undefined) streams.out.write(`wrote ${RESULT_FILE} to ${out}\n`);
  } finally {
    await model.close();
  }
}

type Measured = {
  readonly objects: number;
  readonly instability: ReturnType<typeof measureInstability>;
  readonly localisation: ReturnType<typeof measureLocalisation>;
};

function describe({ objects, instability, localisation }: Measured): string {
  const shown = (value: number) => (Number.isNaN(value) ? 'too few' : value.toFixed(4));
  const between = (interval: readonly [number, number] | undefined) =>
    interval === undefined ? '' : `${shown(interval[0])} to ${shown(interval[1])}`;
  const rows = instability.layers.map(({ layer, nodes, filters, still }) => [
    layer,
    shown(nodes.instability),
    between(nodes.interval),
    shown(filters.instability),
    between(filters.interval),
    shown(still.instability),
  ]);
  return [
    `location instability in diagonals, over ${objects} objects: nodes ${shown(instability.nodes)}, raw filters ${shown(instability.filters)}, places that do not move ${shown(instability.still)}\n`,
    formatTable(['layer', 'nodes', '95 %', 'filters', '95 %', 'still'], rows),
    `\nparts located from ${localisation.shots} objects, mean distance in diagonals over ${localisation.objects} others\n`,
    formatTable(
      ['landmark', 'by nodes', 'by filters', 'by their mean place'],
      localisation.landmarks.map(({ name, nodes, filters, still }) => [
        name,
        shown(nodes),
        shown(filters),
        shown(still),
      ]),
    ),
  ].join('');
}
