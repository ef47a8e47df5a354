import { PART_WORLD_CATEGORIES, writePartWorld } from '@unitscope/data';
import type { Command } from 'commander';
import { parseSeed, positiveInteger } from '../options.js';
import { createProgress } from '../progress.js';
import type { Surroundings } from '../streams.js';

interface PartWorldOptions {
  readonly out: string;
  readonly pictures: number;
  readonly size: number;
  readonly seed: number;
  readonly categories: number;
  readonly interventions?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `unitscope data part-world --out DIR`: pictures of which everything is known. */
export function addDataCommand(program: Command, surroundings: Surroundings): void {
  const { length: most } = PART_WORLD_CATEGORIES;
  program
    .command('data')
    .description('Makes data sets.')
    .command('part-world')
    .description(
      'Draws creatures made of parts, with exact masks, landmarks and attributes, as a COCO data set.',
    )
    .requiredOption(
      '--out <dir>',
      'the folder to write to; one that holds a part of the same world is completed',
    )
    .option('--pictures <n>', 'how many pictures', positiveInteger, 1000)
    .option('--size <s>', 'their height and width in pixels, from 64 to 1024', positiveInteger, 224)
    .option('--seed <n>', 'another seed, another world', parseSeed, 1)
    .option('--categories <n>', `how many kinds of creatures, up to ${most}`, positiveInteger, most)
    .option('--interventions', 'also each picture with one part removed, and exchanged, for every part')
    .option('--json', 'print one JSON record instead of text')
    .option('--quiet', 'print results only')
    .addHelpText(
      'after',
      `
Examples:
  unitscope data part-world --out world --pictures 2000
  unitscope data part-world --out judged --pictures 200 --seed 2 --interventions
  unitscope dissect net.onnx --data world --layer conv10 --out out`,
    )
    .action((options: PartWorldOptions) => drawPartWorld(options, surroundings));
}

async function drawPartWorld(options: PartWorldOptions, { streams, signal }: Surroundings): Promise<void> {
  const { out, pictures, size, seed, categories, interventions = false, json, quiet } = options;
  const progress = createProgress(streams, 'drawing', quiet === true || json === true);
  const written = await writePartWorld(out, {
    pictures,
    size,
    seed,
    categories,
    interventions,
    signal,
    onProgress: (done, total) => progress.update(done, total),
  }).finally(() => progress.stop());
  if (json) {
    const record = { out, pictures, size, seed, categories, ...written };
    streams.out.write(`${JSON.stringify(record, null, 2)}\n`);
    return;
  }
  const { files, drawn } = written;
  const kept = drawn === files ? '' : `, ${files - drawn} were there already`;
  streams.out.write(`wrote ${written.annotations}: ${pictures} pictures of ${categories} categories\n`);
  if (written.interventions !== undefined)
    streams.out.write(`wrote ${written.interventions}: ${files - pictures} interventions\n`);
  if (!quiet) streams.out.write(`drew ${drawn} pictures${kept}\n`);
}
