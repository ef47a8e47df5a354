import { join } from 'node:path';
import {
  black,
  describePreprocessing,
  isArrayPath,
  type LoadedInput,
  loadPicture,
  type Preprocessing,
  readClassNames,
  readPreprocessing,
} from '@unitscope/data';
import type { Model } from '@unitscope/model';
import {
  concatBatch,
  type Tensor,
  throwIfAborted,
  UnitscopeError,
  unknownName,
  writeFileAtomic,
} from '@unitscope/tensor';
import {
  checkInputShift,
  checkParameterRandomisation,
  type InputShift,
  type InputShiftReport,
  methodNamed,
  methods,
  RANDOMISATION_ORDERS,
  type RandomisationOrder,
  type RandomisationReport,
  shiftCases,
  spreadLayers,
  weightedLayers,
} from '@unitscope/visualization';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { loadBatch } from '../batch.js';
import { RandomisationFigures, ShiftFigures } from '../checking/figures.js';
import {
  describeRandomisation,
  describeShifts,
  drawCharts,
  formatSteps,
  randomisationRecord,
  shiftRecord,
} from '../checking/results.js';
import { inputSizeOf } from '../layer-maps.js';
import { loadModel } from '../load-model.js';
import {
  addMethodOptions,
  type MethodFlags,
  methodFlagsIn,
  methodOptionsFor,
  methodsNamed,
  parseSeed,
} from '../method-options.js';
import {
  addLoweringOption,
  addRunOptions,
  parseTarget,
  positiveInteger,
  preprocessOption,
  type RunOptions,
} from '../options.js';
import { requireOutputs } from '../output-files.js';
import { createProgress } from '../progress.js';
import type { Surroundings } from '../streams.js';
import { samplesOf } from '../summary.js';
import { version } from '../version.js';

const CHECKS = ['input-shift', 'parameter-randomisation'] as const;
type Check = (typeof CHECKS)[number];

interface CheckCommandOptions extends RunOptions, MethodFlags {
  readonly check: Check | 'all';
  readonly methods: string;
  readonly layers: LayerChoice;
  readonly order: RandomisationOrder | 'both';
  readonly shift?: string;
  readonly tolerance: number;
  readonly preprocess: string;
  readonly classes?: string;
  readonly target?: string;
  readonly out?: string;
}

/** Raised when a field changes its meaning or goes. */
const SCHEMA = 'unitscope.check/1';
const RECORD_FILE = 'check.json';
const DEFAULT_METHODS = 'gradient,input-times-gradient,guided-backprop,deconvnet,grad-cam,guided-grad-cam';
const DEFAULT_LAYERS = 12;

/** How many, evenly over the network, or which. */
type LayerChoice = number | 'all' | readonly string[];

/** `unitscope check MODEL PICTURE...`: whether methods explain what the network computes. */
export function addCheckCommand(program: Command, surroundings: Surroundings): void {
  const command = program
    .command('check')
    .description('Whether the maps of methods depend on what the network has learned, and on nothing else.')
    .argument('<model>', 'the ONNX file')
    .argument('<input...>', 'pictures, or .npy files of float32 [N, C, H, W], which are fed as they are')
    .addOption(new Option('--check <name>', 'which check').choices([...CHECKS, 'all']).default('all'))
    .option(
      '--methods <names>',
      `names by commas, or all: ${methods.map(({ name }) => name).join(', ')}`,
      DEFAULT_METHODS,
    )
    .option(
      '--layers <which>',
      'randomisation: layers by commas, how many, evenly over the network, or all',
      parseLayers,
      DEFAULT_LAYERS,
    )
    .addOption(
      new Option('--order <name>', 'randomisation: from the output downwards, one layer at a time, or both')
        .choices([...RANDOMISATION_ORDERS, 'both'])
        .default('both'),
    )
    .option(
      '--shift <what>',
      'input shift: a number in the units of the input, or a picture (default: the range of the values down, and a disc)',
    )
    .option('--tolerance <part>', 'input shift: what maps may differ by', parsePositive, 1e-4)
    .option(
      '--target <class>',
      "the class: its number, its name (see --classes), or top1, each picture's own (default)",
    )
    .option('--classes <file>', 'the names of the classes, as JSON or one on each line')
    .addOption(preprocessOption())
    .option('--out <dir>', 'write the record, charts and figures to a folder');
  command.option(
    '--seed <n>',
    'of the weights that are drawn, and of the noise of SmoothGrad (0)',
    parseSeed,
  );
  addLoweringOption(addRunOptions(addMethodOptions(command, ['seed']))).action(
    (model: string, inputs: string[], options: CheckCommandOptions) =>
      runCheck(model, inputs, options, surroundings),
  );
  command.addHelpText(
    'after',
    `
Checks:
  input-shift              the input is shifted and the first bias makes up for it, so that every score stays: maps that
                           change depend on where zero is (Kindermans et al. 2017). Methods with a baseline are two lines:
                           zero for both networks, and black, shifted along.
  parameter-randomisation  layers are drawn anew, from the output downwards and one at a time: maps that stay do not
                           depend on what the network has learned (Adebayo et al. 2018). A method fails if the rank
                           correlation of its signed maps stays above 0.5 while the upper half of the layers goes.

Examples:
  Both checks, with charts and figures:
    unitscope check net.onnx cat.jpg dog.jpg owl.jpg --preprocess caffe --out checks
  Whether guided backpropagation notices that twenty layers are random, one after the other:
    unitscope check net.onnx cat.jpg --check parameter-randomisation --order cascading --layers 20 \\
      --methods gradient,guided-backprop --out checks
  What a picture added to the input does to every method:
    unitscope check net.onnx cat.jpg --check input-shift --methods all --shift dog.jpg`,
  );
}

interface Reports {
  readonly shift?: InputShiftReport;
  readonly randomisation?: RandomisationReport;
}

async function runCheck(
  modelPath: string,
  paths: readonly string[],
  options: CheckCommandOptions,
  { streams, signal }: Surroundings,
): Promise<void> {
  const { out, classes, shift, json, quiet } = options;
  requireSense(options);
  const { seed = 0, ...flags } = methodFlagsIn(options);
  // Everything that can be refused without the network is refused before it is loaded.
  methodsNamed(options.methods, flags);
  const sources = [modelPath, ...paths, ...(classes === undefined ? [] : [classes])];
  await requireOutputs(out === undefined ? [] : [join(out, RECORD_FILE)], sources);
  const preprocessing = await readPreprocessing(options.preprocess);
  const names = methodsNamed(options.methods, flags, preprocessing).map(({ name }) => name);
  const methodOptions = { ...methodOptionsFor(names, flags, preprocessing), seed };
  const classNames = classes === undefined ? undefined : await readClassNames(classes);
  const target = options.target === undefined ? undefined : parseTarget(options.target, classNames);

  const model = await loadModel(modelPath, options, streams);
  try {
    throwIfAborted(signal);
    const layers = layersAsked(options.layers, model);
    const silent = quiet === true || json === true;
    const reading = createProgress(streams, 'reading', silent);
    const inputs = await loadBatch(model, paths, preprocessing, {
      signal,
      onProgress: ({ done, total }) => reading.update(done, total),
    }).finally(() => reading.stop());
    const batch = concatBatch(inputs.map(({ tensor }) => tensor));
    const shown = { model, inputs, preprocessing };
    const files = new Map<string, Uint8Array | string>();
    const reports: { shift?: InputShiftReport; randomisation?: RandomisationReport } = {};
    const common = { signal, ...(target === undefined ? {} : { target }) };
    const drawn = out !== undefined && model.input.dims?.length === 4;

    if (wants(options, 'input-shift')) {
      const shifts = shift === undefined ? undefined : [await readShift(shift, model, preprocessing, signal)];
      const isArray = inputs.every(({ kind }) => kind === 'array');
      const cases = shiftCases(batch, {
        names,
        ...methodOptions,
        ...(isArray ? {} : { black: black(preprocessing) }),
      });
      const figures = drawn ? new ShiftFigures(shown) : undefined;
      const progress = createProgress(streams, 'shifting', silent);
      reports.shift = await checkInputShift(model, batch, cases, {
        ...common,
        ...(shifts === undefined ? {} : { shifts }),
        tolerance: options.tolerance,
        onMap: (map) => figures?.add(map),
        onProgress: ({ done, total = done }) => progress.update(done, total),
      }).finally(() => progress.stop());
      addNumbered(files, 'input-shift', figures?.encode(reports.shift) ?? []);
    }
    if (wants(options, 'parameter-randomisation')) {
      const figures = drawn ? new RandomisationFigures(shown) : undefined;
      const progress = createProgress(streams, 'randomising', silent);
      reports.randomisation = await checkParameterRandomisation(
        model,
        batch,
        names.map((name) => methodNamed(name, methodOptions)),
        {
          ...common,
          seed,
          ...(options.order === 'both' ? {} : { orders: [options.order] }),
          layers,
          onMap: (map) => figures?.add(map),
          onProgress: ({ done, total = done }) => progress.update(done, total),
        },
      ).finally(() => progress.stop());
      for (const [order, pictures] of figures?.encode(reports.randomisation) ?? []) {
        addNumbered(files, order, pictures);
      }
      if (out !== undefined) {
        files.set('randomisation.csv', formatSteps(reports.randomisation));
        const charts = drawCharts(reports.randomisation, samplesOf(inputs).length);
        for (const [name, chart] of charts) files.set(`${name}.svg`, chart);
      }
    }
    const record = recordOf(model, inputs, preprocessing, reports, [...files.keys()]);
    throwIfAborted(signal);
    if (out !== undefined) {
      for (const [name, content] of files) await writeFileAtomic(join(out, name), content);
      await writeFileAtomic(join(out, RECORD_FILE), `${JSON.stringify(record, null, 1)}\n`);
    }
    const text =
      json === true ? `${JSON.stringify(record, null, 2)}\n` : describe(reports, preprocessing, options);
    streams.out.write(text);
  } finally {
    await model.close();
  }
}

const wants = ({ check }: CheckCommandOptions, wanted: Check) => check === 'all' || check === wanted;

function requireSense(options: CheckCommandOptions): void {
  const { shift, check } = options;
  if (shift !== undefined && check === 'parameter-randomisation') {
    throw new UnitscopeError('wrong-use', '--shift is about the check input-shift; ask for it by --check');
  }
}

function addNumbered(
  files: Map<string, Uint8Array | string>,
  name: string,
  pictures: readonly Uint8Array[],
): void {
  for (const [i, picture] of pictures.entries())
    files.set(`${name}-${String(i + 1).padStart(2, '0')}.png`, picture);
}

/** Throws `not-found` for a layer that has no weights. */
function layersAsked(choice: LayerChoice, { graph }: Model): readonly string[] {
  const layers = weightedLayers(graph);
  const names = layers.map(({ name }) => name);
  if (typeof choice === 'object') {
    const missing = choice.find((name) => !names.includes(name));
    if (missing !== undefined) throw unknownName('layer with weights', missing, names);
    return choice;
  }
  return choice === 'all' ? names : spreadLayers(layers, choice);
}

/** A number, or what a picture adds to a black one. */
async function readShift(
  text: string,
  model: Model,
  preprocessing: Preprocessing,
  signal: AbortSignal,
): Promise<InputShift> {
  const number = Number(text);
  if (text.trim() !== '' && Number.isFinite(number)) return { name: text, shift: number };
  if (isArrayPath(text)) throw new UnitscopeError('wrong-use', `--shift ${text}: give a number or a picture`);
  const { tensor } = await loadPicture(text, preprocessing, inputSizeOf(model), { signal });
  const dark = black(preprocessing);
  const plane = tensor.data.length / dark.length;
  const data = tensor.data.map((value, i) => value - dark[Math.floor(i / plane)]!);
  return { name: 'picture', shift: { dims: tensor.dims, data } satisfies Tensor };
}

/** Everything about the result: what was asked, of what, by what, and what came of it. */
function recordOf(
  model: Model,
  inputs: readonly LoadedInput[],
  preprocessing: Preprocessing,
  { shift, randomisation }: Reports,
  files: readonly string[],
) {
  const target = (shift ?? randomisation)?.target;
  return {
    schema: SCHEMA,
    unitscope: version,
    model: { path: model.path, sha256: model.sha256 },
    engine: model.engine,
    preprocessing,
    inputs: inputs.map((input) => input.record),
    samples: samplesOf(inputs).map(({ path, index }, n) => ({ path, index, target: target?.[n] })),
    ...(shift === undefined ? {} : { inputShift: shiftRecord(shift) }),
    ...(randomisation === undefined ? {} : { parameterRandomisation: randomisationRecord(randomisation) }),
    files,
  };
}

function describe(
  { shift, randomisation }: Reports,
  preprocessing: Preprocessing,
  { quiet, out }: CheckCommandOptions,
): string {
  const tables = [
    ...(shift === undefined ? [] : [describeShifts(shift)]),
    ...(randomisation === undefined ? [] : [describeRandomisation(randomisation)]),
  ];
  const found = [...(shift?.verdicts ?? []), ...(randomisation?.results ?? [])];
  const notes = new Set(found.flatMap(({ notes }) => notes));
  const open = randomisation?.results.filter(({ verdict }) => verdict?.outcome === 'undecided') ?? [];
  if (open.length > 0) {
    notes.add(
      `${open.map(({ method }) => method).join(', ')}: the 95 % interval has the threshold 0.5 in it, or no map has values; give more pictures`,
    );
  }
  return [
    ...(quiet === true ? [] : [`preprocessing ${describePreprocessing(preprocessing)}\n`]),
    tables.join('\n'),
    ...[...notes].map((note) => `note: ${note}\n`),
    ...(quiet === true || out === undefined ? [] : [`wrote ${out}\n`]),
  ].join('');
}

function parseLayers(text: string): LayerChoice {
  if (text === 'all') return text;
  return /^\d+$/.test(text) ? positiveInteger(text) : text.split(',').map((name) => name.trim());
}

function parsePositive(text: string): number {
  const number = Number(text);
  if (!(number > 0 && Number.isFinite(number)))
    throw new InvalidArgumentError('It must be a number above 0.');
  return number;
}
