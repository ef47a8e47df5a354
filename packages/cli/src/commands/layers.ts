import type { Layer, Model } from '@unitscope/model';
import type { Command } from 'commander';
import { loadModel } from '../load-model.js';
import { addRunOptions, type RunOptions } from '../options.js';
import type { Surroundings } from '../streams.js';
import { formatTable } from '../table.js';
import { version } from '../version.js';

/** `unitscope layers MODEL`: what is inside a network. */
export function addLayersCommand(program: Command, { streams }: Surroundings): void {
  const command = program
    .command('layers')
    .description('What is inside a network: names, operators, shapes, receptive fields.')
    .argument('<model>', 'the ONNX file');
  addRunOptions(command).action(async (path: string, options: RunOptions) => {
    const model = await loadModel(path, options, streams);
    try {
      streams.out.write(
        options.json ? `${JSON.stringify(record(model), null, 2)}\n` : describe(model, options),
      );
    } finally {
      await model.close();
    }
  });
}

function record(model: Model) {
  const { path, sha256, input, outputs, layers } = model;
  return { unitscope: version, model: { path, sha256 }, input, outputs, layers };
}

function describe(model: Model, { quiet }: RunOptions): string {
  const rows = model.layers.map((layer) => [
    layer.name,
    layer.operator,
    shapeOf(layer.dims),
    ...fieldOf(layer),
  ]);
  const table = formatTable(['layer', 'operator', 'shape', 'field', 'stride', 'first unit'], rows);
  if (quiet) return table;
  const ends = [model.input, ...model.outputs].map(({ name, dims }) => `${name} ${shapeOf(dims)}`);
  const [input, ...outputs] = ends;
  return (
    `${model.path}: input ${input}; output ${outputs.join(', ')}\n\n${table}\n` +
    'field: pixels one unit sees, height x width; stride: pixels between units; first unit: where the centre of the\n' +
    'unit at 0,0 lies, in pixels from the top left pixel\n'
  );
}

function shapeOf(dims: readonly (number | string)[] | undefined): string {
  return dims === undefined ? '?' : `[${dims.join(', ')}]`;
}

function fieldOf({ receptiveField }: Layer): readonly string[] {
  if (receptiveField === undefined) return ['', '', ''];
  const { size, stride, centre } = receptiveField;
  return [size.join('x'), stride.join('x'), centre.join(',')];
}
