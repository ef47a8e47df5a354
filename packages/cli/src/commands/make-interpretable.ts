import { createHash } from 'node:crypto';
import {
  ADDED_INITS,
  type AddedInit,
  FIRST_SLOPE,
  type MaskRecord,
  makeInterpretable,
  masksOf,
  READINGS,
  type Reading,
} from '@unitscope/disentangling';
import { type Dim, type Graph, readModelFile, writeModel } from '@unitscope/onnx';
import { writeFileAtomic } from '@unitscope/tensor';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseSeed, parseSize } from '../options.js';
import { requireOutputs } from '../output-files.js';
import type { Surroundings } from '../streams.js';
import { formatTable } from '../table.js';
import { version } from '../version.js';

interface MakeInterpretableCommandOptions {
  readonly layer: readonly string[];
  readonly out: string;
  readonly reading: Reading;
  readonly slope?: number;
  readonly addedConvolution?: AddedInit;
  readonly seed: number;
  readonly size?: readonly [height: number, width: number];
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `unitscope make-interpretable MODEL --layer L --out FILE`: masks put into a network, ready to be trained. */
export function addMakeInterpretableCommand(program: Command, surroundings: Surroundings): void {
  program
    .command('make-interpretable')
    .description(
      'Puts the masks of interpretable CNNs behind layers of a network: what is to be trained with filter losses.',
    )
    .argument('<model>', 'the ONNX file')
    .requiredOption(
      '--layer <names>',
      'nodes or values, separated by commas: activations, or what one follows',
      parseLayers,
    )
    .requiredOption('--out <file>', 'the ONNX file to write; operators of ONNX only')
    .addOption(
      new Option('--reading <name>', 'the mask of the paper, or that of its published code')
        .choices([...READINGS])
        .default('paper'),
    )
    .option('--slope <number>', "how fast masks fall: the paper's beta (4), the code's w (2)", parseSlope)
    .addOption(
      new Option(
        '--added-convolution [init]',
        'another 3 x 3 convolution behind the last layer, masked too; init: N(0, 0.01), or as He et al.',
      )
        .choices([...ADDED_INITS])
        .preset('normal'),
    )
    .option('--seed <n>', 'of its weights', parseSeed, 0)
    .option('--size <h,w>', 'input size, where the network leaves it open', parseSize)
    .option('--json', 'print one JSON record instead of text')
    .option('--quiet', 'print results only')
    .addHelpText(
      'after',
      `
Examples:
  unitscope make-interpretable net.onnx --layer conv5 --out masked.onnx
  unitscope make-interpretable net.onnx --layer conv5 --added-convolution he --out masked.onnx --json
  unitscope make-interpretable net.onnx --layer layer3.1_out,layer3.2_out --reading released --out masked.onnx`,
    )
    .action((path: string, options: MakeInterpretableCommandOptions) => run(path, options, surroundings));
}

async function run(
  path: string,
  options: MakeInterpretableCommandOptions,
  { streams }: Surroundings,
): Promise<void> {
  const { layer: layers, out, reading, slope, addedConvolution, seed, size, json, quiet } = options;
  await requireOutputs([out], [path]);
  const graph = await readModelFile(path);
  const before = masksOf(graph).length;
  const made = makeInterpretable(graph, layers, {
    reading,
    ...(slope === undefined ? {} : { slope }),
    ...(addedConvolution === undefined ? {} : { addedConvolution: { init: addedConvolution, seed } }),
    ...(size === undefined ? {} : { inputDims: sized(graph, size) }),
  });
  const bytes = writeModel(made);
  await writeFileAtomic(out, bytes);
  const masks = masksOf(made);
  if (json) {
    const record = {
      unitscope: version,
      method: 'make-interpretable',
      model: { path, sha256: sha256Of(writeModel(graph)) },
      parameters: {
        layers,
        reading,
        slope: slope ?? FIRST_SLOPE[reading],
        ...(addedConvolution === undefined ? {} : { addedConvolution, seed }),
        ...(size === undefined ? {} : { size }),
      },
      masks,
      out: { path: out, sha256: sha256Of(bytes) },
    };
    streams.out.write(`${JSON.stringify(record, null, 2)}\n`);
    return;
  }
  streams.out.write(describe(masks));
  if (quiet) return;
  const count = masks.length - before;
  streams.out.write(
    `\nwrote ${out}: ${count} ${count === 1 ? 'mask' : 'masks'}${before === 0 ? '' : `, ${before} were there already`}; the filters stand for parts once it is trained\n`,
  );
}

function describe(masks: readonly MaskRecord[]): string {
  return formatTable(
    ['layer', 'maps', 'masked', 'channels', 'size', 'reading'],
    masks.map(({ layer, maps, masked, channels, height, width, reading, added }) => [
      added ? `${layer}, added` : layer,
      maps,
      masked,
      channels,
      `${height}x${width}`,
      reading,
    ]),
  );
}

/** The dims of the one input with the size in their place. */
function sized({ inputs }: Graph, size: readonly [number, number]): readonly Dim[] {
  const [batch = 'N', channels = 3] = inputs[0]?.dims ?? [];
  return [batch, channels, ...size];
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function parseLayers(text: string): readonly string[] {
  const layers = text.split(',').map((name) => name.trim());
  if (layers.some((name) => name === ''))
    throw new InvalidArgumentError('It must be names separated by commas, such as conv4,conv5.');
  return layers;
}

function parseSlope(text: string): number {
  const slope = Number(text);
  if (!(slope > 0) || !Number.isFinite(slope)) throw new InvalidArgumentError('It must be a number above 0.');
  return slope;
}
