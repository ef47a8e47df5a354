import { basename } from 'node:path';
import { loadPicture, readPreprocessing } from '@unitscope/data';
import {
  type ExplanatoryGraph,
  type GraphRecord,
  parsePictures,
  readExplanatoryGraph,
} from '@unitscope/disentangling';
import type { Model } from '@unitscope/model';
import { throwIfAborted, UnitscopeError, writeFileAtomic } from '@unitscope/tensor';
import type { Command } from 'commander';
import { kernelOptions, parseShare } from '../explanatory-graph/options.js';
import { drawEdges, drawHeat, placedNodes } from '../explanatory-graph/parse-figures.js';
import { inputSizeOf } from '../layer-maps.js';
import { loadModel } from '../load-model.js';
import { addRunOptions, preprocessOption, type RunOptions } from '../options.js';
import { requireOutputs } from '../output-files.js';
import type { Surroundings } from '../streams.js';
import { formatNumber } from '../summary.js';
import { formatTable } from '../table.js';
import { version } from '../version.js';

interface ParseCommandOptions extends RunOptions {
  readonly preprocess: string;
  readonly share: number;
  readonly png?: string;
  readonly svg?: string;
}

const SHOWN = 5;

/** `unitscope explanatory-graph parse MODEL GRAPH PICTURE`: which nodes are in a picture, and where. */
export function addParseGraphCommand(group: Command, surroundings: Surroundings): void {
  const command = group
    .command('parse')
    .description('Finds the nodes of a graph in a picture, from the top layer down.')
    .argument('<model>', 'the ONNX file the graph was learned of')
    .argument('<graph>', 'the folder of the graph')
    .argument('<picture>', 'the picture')
    .option(
      '--share <s>',
      'the share of a layer’s nodes, those of the highest scores, that count as found',
      parseShare,
      0.1,
    )
    .option('--png <file>', 'write heat maps of the nodes of each layer on the picture')
    .option('--svg <file>', 'write the strongest nodes of each layer, with lines to their parents');
  addRunOptions(command.addOption(preprocessOption())).action(
    (model: string, graph: string, picture: string, options: ParseCommandOptions) =>
      runParse({ model, graph, picture }, options, surroundings),
  );
  command.addHelpText(
    'after',
    `
Examples:
  unitscope explanatory-graph parse net.onnx graph lion.jpg --preprocess caffe --png heat.png --svg edges.svg
  unitscope explanatory-graph parse net.onnx graph lion.jpg --preprocess caffe --json`,
  );
}

async function runParse(
  paths: { readonly model: string; readonly graph: string; readonly picture: string },
  options: ParseCommandOptions,
  { streams, signal }: Surroundings,
): Promise<void> {
  const { png, svg, json, quiet, share } = options;
  requireEndings(options);
  await requireOutputs(
    [png, svg].filter((path) => path !== undefined),
    Object.values(paths),
  );
  const preprocessing = await readPreprocessing(options.preprocess);
  const { graph, record } = await readExplanatoryGraph(paths.graph);
  const model = await loadModel(paths.model, options, streams);
  try {
    requireModel(model, record, paths.graph);
    const size = inputSizeOf(model);
    requireSize(graph, size, paths.graph);
    const picture = await loadPicture(paths.picture, preprocessing, size, { signal });
    const parse = await parsePictures(model, graph, picture.tensor, {
      kernel: kernelOptions(options),
      signal,
    });
    const layers = graph.layers.map(({ name }, layer) => ({
      layer: name,
      nodes: placedNodes(parse, layer, share).map(({ filter, node, score, pixel }) => ({
        filter,
        node,
        score,
        pixel,
      })),
    }));
    const written: string[] = [];
    const write = async (path: string | undefined, content: () => string | Uint8Array) => {
      if (path === undefined) return;
      throwIfAborted(signal);
      await writeFileAtomic(path, content());
      written.push(path);
    };
    await write(png, () => drawHeat(graph, parse, picture.rgb, share));
    await write(svg, () => drawEdges(graph, parse, picture.rgb));
    const mirrored = parse.mirrored[0] === 1;
    if (json === true) {
      const result = {
        unitscope: version,
        method: 'explanatory-graph-parse',
        model: { file: basename(model.path ?? ''), sha256: model.sha256 },
        engine: model.engine,
        graph: record,
        parameters: { ...graph.parameters, share },
        input: picture.record,
        mirrored,
        layers,
        files: written,
      };
      streams.out.write(`${JSON.stringify(result, null, 2)}\n`);
      return;
    }
    const rows = layers.map(({ layer, nodes }) => [
      layer,
      nodes.length,
      nodes
        .slice(0, SHOWN)
        .map(
          ({ filter, node, score, pixel: [y, x] }) =>
            `${filter}.${node} at ${Math.round(y)},${Math.round(x)} (${formatNumber(Number(score.toPrecision(3)))})`,
        )
        .join('  '),
    ]);
    streams.out.write(formatTable(['layer', 'found', 'strongest: filter.node at y,x (score)'], rows));
    if (quiet === true) return;
    if (mirrored)
      streams.out.write('the mirror image suited the graph better; places are those of the picture\n');
    for (const path of written) streams.out.write(`wrote ${path}\n`);
  } finally {
    await model.close();
  }
}

function requireEndings({ png, svg }: ParseCommandOptions): void {
  for (const [path, ending] of [
    [png, 'png'],
    [svg, 'svg'],
  ] as const) {
    if (path !== undefined && !path.toLowerCase().endsWith(`.${ending}`))
      throw new UnitscopeError('wrong-use', `--${ending} ${path}: name the file .${ending}`);
  }
}

/** Throws `wrong-use` for a network that the graph was not learned of. */
export function requireModel(model: Model, record: GraphRecord, folder: string): void {
  const { model: own } = record;
  const sha256 = typeof own === 'object' && own !== null && 'sha256' in own ? own['sha256'] : undefined;
  if (sha256 === model.sha256) return;
  throw new UnitscopeError(
    'wrong-use',
    `the graph in ${folder} was learned of another network than ${model.path}; its SHA-256 is ${String(sha256)}`,
    { subject: folder },
  );
}

/** Throws `wrong-use` for an input of another size than the graph's. */
export function requireSize(
  { input }: ExplanatoryGraph,
  { height, width }: { readonly height: number; readonly width: number },
  folder: string,
): void {
  if (input[0] === height && input[1] === width) return;
  throw new UnitscopeError(
    'wrong-use',
    `the graph in ${folder} is of pictures of ${input.join('x')}, the network takes ${height}x${width}; give --size ${input.join(',')}`,
    { subject: folder },
  );
}
