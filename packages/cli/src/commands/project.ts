import { join } from 'node:path';
import { DATA_SET_LAYOUTS, describePreprocessing, readPreprocessing } from '@unitscope/data';
import { throwIfAborted, UnitscopeError, writeFileAtomic } from '@unitscope/tensor';
import { methodNamed, projectionMethods, receptiveFieldOf } from '@unitscope/visualization';
import { type Command, Option } from 'commander';
import { addSplitOption, openData } from '../data-options.js';
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
import { projectRanked } from '../projection/project-ranked.js';
import { openRanking, type Ranking, rankPictures } from '../projection/rank-pictures.js';
import {
  encodeFigure,
  encodeProjections,
  recordOf,
  type UnitRecord,
  unitRecordOf,
} from '../projection/results.js';
import {
  chooseUnits,
  parseUnits,
  type RankedUnit,
  requireUnits,
  type UnitChoice,
} from '../projection/units.js';
import type { Surroundings } from '../streams.js';
import { formatNumber } from '../summary.js';
import { formatTable } from '../table.js';

interface ProjectCommandOptions extends RunOptions {
  readonly data: string;
  readonly split?: string;
  readonly limit?: number;
  readonly layer: string;
  readonly units: UnitChoice;
  readonly method: string;
  readonly top: number;
  readonly preprocess: string;
  readonly onError: 'stop' | 'skip';
  readonly png?: string;
  readonly out?: string;
  readonly resume?: boolean;
}

const STATE_FILE = 'top-pictures.npz';
const RECORD_FILE = 'projections.json';
/** Units of one figure, and of the arrays beside it: more make a picture that no screen shows. */
const UNITS_OF_A_PAGE = 16;
const DEFAULT_UNITS = 'strongest:16';

/** `unitscope project MODEL --data DIR --layer L --png F`: what the strongest activations of units look like in pixels. */
export function addProjectCommand(program: Command, surroundings: Surroundings): void {
  const command = program
    .command('project')
    .description(
      'The pictures that activate units most, and those activations projected down to pixels by the deconvnet.',
    )
    .argument('<model>', 'the ONNX file')
    .requiredOption('--data <dir>', `the pictures: any folder of them, or ${DATA_SET_LAYOUTS}`)
    .option('--layer <name>', 'a node, a value, or last-conv; after its ReLU in the paper', 'last-conv')
    .option(
      '--units <list>',
      'such as 0,5,8-15, or strongest:N, those of the highest activations',
      parseUnits,
      parseUnits(DEFAULT_UNITS),
    )
    .addOption(
      new Option('--method <name>', 'what carries the activation back')
        .choices(projectionMethods.map(({ name }) => name))
        .default(projectionMethods[0]!.name),
    )
    .option('--top <n>', 'pictures of each unit', positiveInteger, 9)
    .option('--limit <n>', 'only the first n pictures', positiveInteger)
    .addOption(preprocessOption())
    .addOption(onErrorOption())
    .option('--png <file>', `write one figure, of ${UNITS_OF_A_PAGE} units at most`)
    .option('--out <dir>', 'write figures, arrays and a record to a folder, and the state of the run')
    .option('--resume', 'with --out: go on with a run that was stopped');
  addLoweringOption(addRunOptions(addSplitOption(command))).action(
    (model: string, options: ProjectCommandOptions) => runProject(model, options, surroundings),
  );
  command.addHelpText(
    'after',
    `
Pictures are ranked by the maximum of a unit's map, one place in each picture; of equals the first in the data set wins.
Every projection is cut to the receptive field and has a scale of its own, symmetric around zero: grey is 0,
the 99.5th percentile of |value| a full colour. The arrays of --out are not scaled.

Examples:
  The 16 units of the highest activations, their 9 strongest pictures each, as one figure:
    unitscope project net.onnx --data photos --layer conv5_relu --png conv5.png
  All units of a layer of 64, as figures of 16 units, arrays and a record; other units later without ranking again:
    unitscope project net.onnx --data photos --layer conv1_relu --units 0-63 --out conv1
    unitscope project net.onnx --data photos --layer conv1_relu --units 7 --method gradient --out conv1 --resume`,
  );
}

async function runProject(
  modelPath: string,
  options: ProjectCommandOptions,
  { streams, signal }: Surroundings,
): Promise<void> {
  requireSense(options);
  const { out, png, json, quiet, limit, top, onError } = options;
  const files = [...(png === undefined ? [] : [png]), ...(out === undefined ? [] : [join(out, RECORD_FILE)])];
  await requireOutputs(files, [modelPath, options.data]);
  const method = methodNamed(options.method);
  const preprocessing = await readPreprocessing(options.preprocess);
  const dataSet = await openData(options, { unlabelled: true });
  if (dataSet.examples.length === 0)
    throw new UnitscopeError('bad-input', `${options.data} has no pictures`, { subject: options.data });
  const model = await loadModel(modelPath, options, streams);
  try {
    const layer = model.layer(options.layer);
    requireUnits(options.units, layer.name, mapDimsOf(layer)[0]);
    receptiveFieldOf(layer);
    inputSizeOf(model);
    const ranking: Ranking = {
      model,
      layer,
      dataSet,
      preprocessing,
      top,
      onError,
      ...(limit === undefined ? {} : { limit }),
      ...(options.batchSize === undefined ? {} : { batchSize: options.batchSize }),
    };
    const state = out === undefined ? undefined : join(out, STATE_FILE);
    const pass = await openRanking(
      ranking,
      state === undefined ? undefined : { path: state, resume: options.resume === true },
    );
    const isQuiet = quiet === true || json === true;
    if (!isQuiet) streams.out.write(`preprocessing ${describePreprocessing(preprocessing)}\n`);
    const reading = createProgress(streams, 'ranking', isQuiet);
    await rankPictures(pass, ranking, state, {
      signal,
      onProgress: (done, total) => reading.update(done, total),
    }).finally(() => reading.stop());

    const chosen = chooseUnits(options.units, pass.top.result());
    requireActive(chosen, layer.name);
    const pictures = pass.identity.count - pass.skipped.length;
    const records: UnitRecord[] = [];
    const notes = new Set<string>();
    const written: string[] = [];
    const write = async (path: string, content: Uint8Array | string | undefined) => {
      if (content === undefined) return;
      throwIfAborted(signal);
      await writeFileAtomic(path, content);
      written.push(path);
    };
    const total = chosen.reduce((sum, unit) => sum + unit.pictures.length, 0);
    const progress = createProgress(streams, 'projecting', isQuiet);
    try {
      let before = 0;
      for (const [page, units] of pagesOf(chosen).entries()) {
        const result = await projectRanked(ranking, units, {
          method,
          signal,
          onProgress: (done) => progress.update(before + done, total),
        });
        before += units.reduce((sum, unit) => sum + unit.pictures.length, 0);
        for (const note of result.notes) notes.add(note);
        const figure = encodeFigure(result.units, ranking, method, pictures);
        if (png !== undefined) await write(png, figure);
        if (out !== undefined) {
          const number = String(page + 1).padStart(2, '0');
          await write(join(out, `projections-${number}.png`), figure);
          if (figure !== undefined)
            await write(join(out, `projections-${number}.npz`), encodeProjections(result.units));
        }
        // Of what is written only the record is still needed: memory does not grow with the pages.
        records.push(...result.units.map((unit) => unitRecordOf(unit, ranking)));
      }
    } finally {
      progress.stop();
    }
    const record = recordOf(pass, ranking, method, records, [...notes]);
    if (out !== undefined) await write(join(out, RECORD_FILE), `${JSON.stringify(record, null, 1)}\n`);
    if (json === true) streams.out.write(`${JSON.stringify({ ...record, files: written }, null, 2)}\n`);
    else streams.out.write(describe(record, written, quiet === true));
  } finally {
    await model.close();
  }
}

function pagesOf(units: readonly RankedUnit[]): readonly (readonly RankedUnit[])[] {
  return Array.from({ length: Math.ceil(units.length / UNITS_OF_A_PAGE) }, (_, page) =>
    units.slice(page * UNITS_OF_A_PAGE, (page + 1) * UNITS_OF_A_PAGE),
  );
}

/** Throws `wrong-use` for options that cannot be meant together. */
function requireSense({ png, out, resume, units }: ProjectCommandOptions): void {
  const refuse = (why: string) => new UnitscopeError('wrong-use', why);
  if (png === undefined && out === undefined) {
    throw refuse('say where the projections go: a figure by --png FILE, or all by --out DIR');
  }
  if (png !== undefined && !/\.png$/i.test(png)) throw refuse(`--png ${png}: name the file .png`);
  if (resume === true && out === undefined) {
    throw refuse('--resume goes on with the run in a folder; name it by --out');
  }
  const count = units.kind === 'strongest' ? units.count : units.units.length;
  if (png !== undefined && count > UNITS_OF_A_PAGE) {
    throw refuse(
      `--png shows ${UNITS_OF_A_PAGE} units at most, ${count} are asked for; write several figures by --out DIR`,
    );
  }
}

/** Throws `bad-input` where there is nothing to project. */
function requireActive(units: readonly RankedUnit[], layer: string): void {
  if (units.some(({ pictures }) => pictures.length > 0)) return;
  throw new UnitscopeError(
    'bad-input',
    `none of the chosen units of ${layer} is active in any of the pictures; choose others, or check --preprocess`,
    { subject: layer },
  );
}

function describe(
  { units, skipped, notes }: ReturnType<typeof recordOf>,
  written: readonly string[],
  quiet: boolean,
): string {
  const rows = units.map(({ unit, pictures }) => {
    const [first] = pictures;
    return first === undefined
      ? [unit, 0, '', '', '']
      : [unit, pictures.length, formatNumber(first.activation), first.position.join(','), first.id];
  });
  const lines = notes.map((note) => `note: ${note}\n`);
  if (!quiet) {
    if (skipped.length > 0) lines.push(`left out ${skipped.length} pictures that could not be used\n`);
    lines.push(...written.map((path) => `wrote ${path}\n`));
  }
  return `${formatTable(['unit', 'pictures', 'strongest', 'at', 'in'], rows)}${lines.join('')}`;
}
