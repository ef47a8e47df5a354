import { basename, join } from 'node:path';
import { findScore } from '@unitscope/autodiff';
import {
  describePreprocessing,
  type Preprocessing,
  readClassNames,
  readPreprocessing,
} from '@unitscope/data';
import { Model } from '@unitscope/model';
import { lineChart } from '@unitscope/report';
import {
  type Tensor,
  throwIfAborted,
  UnitscopeError,
  writeFileAtomic,
  writeNpy,
  writeNpz,
} from '@unitscope/tensor';
import {
  type Ascent,
  type AscentRecipe,
  ascend,
  encodePng,
  montage,
  RECIPE_NAMES,
  recipeNamed,
} from '@unitscope/visualization';
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  type Aim,
  classAims,
  collectUnit,
  directionAims,
  type UnitAim,
  unitAims,
} from '../ascent/objectives.js';
import { gainOf, picturesOf, readStart, type Standing, scaleOf, standingsOf } from '../ascent/pictures.js';
import { inputSizeOf } from '../layer-maps.js';
import { loadModel } from '../load-model.js';
import {
  addLoweringOption,
  addRunOptions,
  parseSize,
  positiveInteger,
  preprocessOption,
  type RunOptions,
} from '../options.js';
import { requireOutputs } from '../output-files.js';
import { createProgress } from '../progress.js';
import type { Surroundings } from '../streams.js';
import { formatNumber } from '../summary.js';
import { version } from '../version.js';

interface AscendCommandOptions extends RunOptions {
  readonly target?: string;
  readonly classes?: string;
  readonly layer?: string;
  readonly unit?: readonly UnitAim[];
  readonly direction?: string;
  readonly preset: string;
  readonly steps?: number;
  readonly rate?: number;
  readonly seed: number;
  readonly start?: string;
  readonly canvas?: readonly [number, number];
  readonly preprocess: string;
  readonly png?: string;
  readonly raw?: string;
  readonly frames?: string;
  readonly frameEvery?: number;
  readonly curve?: string;
  readonly judge?: string;
  readonly judgePreprocess?: string;
}

/** `unitscope ascend MODEL`: pictures that a class, unit or direction answers most to. */
export function addAscendCommand(program: Command, surroundings: Surroundings): void {
  const command = program
    .command('ascend')
    .description('Pictures that raise a class, a unit, a channel or a direction, by gradient ascent.')
    .argument('<model>', 'the ONNX file')
    .option('--target <classes>', 'classes by number or name (see --classes), several by commas')
    .option('--classes <file>', 'the names of the classes, as JSON or one on each line')
    .option('--layer <name>', 'raise units of this layer instead: a node, a value, or last-conv')
    .option(
      '--unit <c[,y,x]>',
      'C (the middle of its map), C,Y,X (row and column) or C,mean; may be given again',
      collectUnit,
    )
    .option('--direction <file>', 'directions over the channels of --layer: .npy of [C], or [K, C]')
    .addOption(new Option('--preset <name>', 'the recipe').choices([...RECIPE_NAMES]).default('simonyan'))
    .option('--steps <n>', "steps (the preset's by default)", positiveInteger)
    .option('--rate <r>', "the optimiser's rate (the preset's by default)", parsePositive)
    .option('--seed <n>', 'of noise and transforms', parseSeed, 0)
    .option('--start <what>', "zero, noise, or a picture (the preset's by default)")
    .option('--canvas <h,w>', "the size of the picture (the preset's, or the network's)", parseSize)
    .addOption(preprocessOption())
    .option('--png <file>', 'write the picture; a montage where there are several')
    .option('--raw <file>', 'write pictures in 0..1 as .npy, or with input and curve as .npz')
    .option('--frames <folder>', 'write the pictures on the way')
    .option('--frame-every <n>', 'steps between them (a twentieth of all by default)', positiveInteger)
    .option('--curve <file>', 'draw the objective over the steps, .svg')
    .option('--judge <model>', 'another network of the same classes, which says where it ranks the pictures')
    .option('--judge-preprocess <preset>', "how pictures become the judge's input (as --preprocess)");
  addLoweringOption(addRunOptions(command)).action((model: string, options: AscendCommandOptions) =>
    runAscend(model, options, surroundings),
  );
  command.addHelpText(
    'after',
    `
Presets:
  simonyan      Eq 5: score less the L2 norm, from the zero image (Simonyan, Vedaldi, Zisserman 2013)
  yosinski-1..4 decay, blur and clipping by percentile, from noise (Yosinski et al. 2015)
  lucid         Fourier spectra of decorrelated colours, random transforms, Adam (Olah et al. 2017)

Examples:
  What two classes look like, and whether another network agrees:
    unitscope ascend net.onnx --target 130,417 --preset lucid --png classes.png --judge other.onnx
  What raises the mean of channel 12 of the last convolution, from noise:
    unitscope ascend net.onnx --layer last-conv --unit 12,mean --start noise --png channel.png --curve curve.svg`,
  );
}

async function runAscend(
  modelPath: string,
  options: AscendCommandOptions,
  { streams, signal }: Surroundings,
): Promise<void> {
  requireSense(options);
  const { png, raw, curve, frames, judge, classes, direction, start } = options;
  const outputs = [png, raw, curve].filter((path) => path !== undefined);
  const sources = [modelPath, judge, classes, direction, isPath(start) ? start : undefined];
  await requireOutputs(
    [...outputs, ...(frames === undefined ? [] : [frameAt(frames, 0, 1)])],
    sources.filter((path) => path !== undefined),
  );
  const preprocessing = await readPreprocessing(options.preprocess);
  const judgePreprocessing =
    options.judgePreprocess === undefined ? preprocessing : await readPreprocessing(options.judgePreprocess);
  const classNames = classes === undefined ? undefined : await readClassNames(classes);
  const model = await loadModel(modelPath, options, streams);
  try {
    const aims = await aimsOf(model, options, classNames);
    const [, channels, height, width] = model.input.dims ?? [];
    const scale = channels === 3 ? scaleOf(preprocessing) : undefined;
    const recipe = recipeNamed(options.preset, scale === undefined ? 1 : gainOf(scale), options.rate);
    const canvas = options.canvas ?? recipe.size ?? [Number(height), Number(width)];
    const begin = await readStart(start, recipe, preprocessing, canvas, signal);
    const steps = options.steps ?? recipe.steps;
    const quiet = options.quiet === true || options.json === true;
    const progress = createProgress(streams, 'ascending', quiet);
    const ascent = await ascend(
      model,
      aims.map(({ objective }) => objective),
      {
        ...{ recipe, steps, signal, seed: options.seed },
        ...(scale === undefined ? {} : { scale }),
        ...(options.canvas === undefined ? {} : { size: options.canvas }),
        ...(begin === undefined ? {} : { start: begin }),
        ...(frames === undefined
          ? {}
          : {
              frameEvery: options.frameEvery ?? Math.max(1, Math.floor(steps / 20)),
              onFrame: ({ step, picture }) =>
                writeFileAtomic(frameAt(frames, step, steps), drawPictures(model, picture, aims)),
            }),
        onProgress: ({ step }) => progress.update(step, steps),
      },
    ).finally(() => progress.stop());
    const standings =
      judge === undefined
        ? undefined
        : await judged(judge, options, judgePreprocessing, ascent, aims, signal);
    // All files are made before the first is written: what cannot be drawn leaves nothing behind.
    const files = new Map<string, Uint8Array | string>();
    if (png !== undefined) files.set(png, drawPictures(model, ascent.picture, aims));
    if (raw !== undefined) files.set(raw, encodeAscent(raw, ascent));
    if (curve !== undefined) files.set(curve, drawCurve(ascent, aims, recipe));
    throwIfAborted(signal);
    for (const [path, content] of files) await writeFileAtomic(path, content);
    const found: Found = { model, aims, ascent, preprocessing, standings, outputs };
    streams.out.write(
      options.json === true
        ? `${JSON.stringify(recordOf(found, options), null, 2)}\n`
        : describe(found, options),
    );
  } finally {
    await model.close();
  }
}

/** Where another network ranks the classes of the pictures. */
async function judged(
  path: string,
  options: AscendCommandOptions,
  preprocessing: Preprocessing,
  { picture }: Ascent,
  aims: readonly Aim[],
  signal: AbortSignal,
): Promise<Standing[]> {
  const { engine, threads } = options;
  const judge = await Model.load(path, { engine, ...(threads === undefined ? {} : { threads }) });
  try {
    inputSizeOf(judge);
    const logits = findScore(judge.graph)?.logits;
    if (logits === undefined) throw new UnitscopeError('unsupported', `${path} has no class scores`);
    const classes = aims.map(({ target }) => target ?? -1);
    return await standingsOf(judge, logits, preprocessing, picturesOf(picture), classes, signal);
  } finally {
    await judge.close();
  }
}

async function aimsOf(
  model: Model,
  { target, layer, unit, direction }: AscendCommandOptions,
  classNames: readonly string[] | undefined,
): Promise<Aim[]> {
  if (target !== undefined) return classAims(target, classNames);
  const { name } = model.layer(layer ?? '');
  return direction === undefined ? unitAims(name, unit ?? []) : directionAims(name, direction);
}

function requireSense(options: AscendCommandOptions): void {
  const refuse = (why: string) => new UnitscopeError('wrong-use', why);
  const { target, layer, unit, direction, png, raw, curve, frames, frameEvery, judge, judgePreprocess } =
    options;
  if ((target === undefined) === (layer === undefined)) {
    throw refuse('say what to raise: classes by --target, or a layer by --layer with --unit or --direction');
  }
  if (target !== undefined && (unit !== undefined || direction !== undefined)) {
    throw refuse('--unit and --direction are of a layer, which --layer names; --target names classes');
  }
  if (layer !== undefined && (unit === undefined) === (direction === undefined)) {
    throw refuse('of a layer, give either units by --unit or directions by --direction');
  }
  if (png !== undefined && !/\.png$/i.test(png)) throw refuse(`--png ${png}: name the file .png`);
  if (raw !== undefined && !/\.np[yz]$/.test(raw)) throw refuse(`--raw ${raw}: name the file .npy or .npz`);
  if (curve !== undefined && !/\.svg$/i.test(curve)) throw refuse(`--curve ${curve}: name the file .svg`);
  if (frameEvery !== undefined && frames === undefined) {
    throw refuse('--frame-every is about frames; name their folder by --frames');
  }
  if (judge !== undefined && target === undefined)
    throw refuse('--judge ranks classes; name them by --target');
  if (judgePreprocess !== undefined && judge === undefined) {
    throw refuse('--judge-preprocess is about another network; name it by --judge');
  }
}

function isPath(start: string | undefined): start is string {
  return start !== undefined && start !== 'zero' && start !== 'noise';
}

/** Names of frames sort as they follow each other. */
function frameAt(folder: string, step: number, steps: number): string {
  return join(folder, `step-${String(step).padStart(String(steps).length, '0')}.png`);
}

function drawPictures({ path, sha256 }: Model, picture: Tensor, aims: readonly Aim[]): Uint8Array {
  const pictures = picturesOf(picture);
  const drawn =
    pictures.length === 1
      ? pictures[0]!
      : montage(pictures.map((one, i) => ({ picture: one, label: aims[i]!.label })));
  return encodePng(drawn, {
    text: {
      Software: `unitscope ${version}`,
      Source: `${basename(path ?? '')} sha256 ${sha256}`,
      Description: aims.map(({ label }) => label).join('\n'),
    },
  });
}

function drawCurve({ curve }: Ascent, aims: readonly Aim[], { name }: AscentRecipe): string {
  return lineChart(
    curve.map((values, i) => ({ label: aims[i]!.label, values })),
    {
      title: aims.length === 1 ? `${aims[0]!.label}, by ${name}` : `By ${name}`,
      stepLabel: 'step',
      valueLabel: 'objective',
    },
  );
}

function encodeAscent(path: string, { picture, input, curve }: Ascent): Uint8Array {
  if (path.endsWith('.npy')) return writeNpy(picture);
  const steps = curve[0]?.length ?? 0;
  const data = Float32Array.from(curve.flat());
  return writeNpz(
    new Map([
      ['picture', picture],
      ['input', input],
      ['curve', { dims: [curve.length, steps], data }],
    ]),
  );
}

interface Found {
  readonly model: Model;
  readonly aims: readonly Aim[];
  readonly ascent: Ascent;
  readonly preprocessing: Preprocessing;
  readonly standings: readonly Standing[] | undefined;
  readonly outputs: readonly string[];
}

function describe(found: Found, { quiet, frames }: AscendCommandOptions): string {
  const { aims, ascent, preprocessing, standings, outputs } = found;
  const { record, steps, notes } = ascent;
  const lines = aims.map(({ label }, i) => {
    const from = ascent.curve[i]?.[0] ?? Number.NaN;
    const standing = standings?.[i];
    const judged = standing === undefined ? '' : `; rank ${standing.rank} for the judge`;
    return `${label}: ${formatNumber(from)} to ${formatNumber(ascent.score[i]!)}${judged}`;
  });
  const judgement =
    standings === undefined ? [] : [`${topFive(standings)} of ${aims.length} in the judge's top 5`];
  const head = [
    `preprocessing ${describePreprocessing(preprocessing)}`,
    `${record.recipe}: ${steps} steps from ${record.start}, seed ${record.seed}`,
  ];
  const written = [...outputs, ...(frames === undefined ? [] : [frames])];
  return [
    ...(quiet === true ? [] : head),
    ...lines,
    ...judgement,
    ...notes.map((note) => `note: ${note}`),
    ...(quiet === true ? [] : written.map((path) => `wrote ${path}`)),
    '',
  ].join('\n');
}

function topFive(standings: readonly Standing[]): number {
  return standings.filter(({ rank }) => rank <= 5).length;
}

/** Everything about the result but its pictures. */
function recordOf({ model, aims, ascent, preprocessing, standings }: Found, options: AscendCommandOptions) {
  const { png, raw, curve, frames, judge } = options;
  return {
    unitscope: version,
    model: { path: model.path, sha256: model.sha256 },
    engine: model.engine,
    preprocessing,
    ascent: { ...ascent.record, stepsMade: ascent.steps, notes: ascent.notes },
    samples: aims.map(({ label, target }, i) => ({
      ...{ label, target, first: ascent.curve[i]?.[0], score: ascent.score[i] },
      ...(standings === undefined ? {} : { judge: standings[i] }),
    })),
    ...(standings === undefined ? {} : { judge: { path: judge, inTopFive: topFive(standings) } }),
    files: { png, raw, curve, frames },
  };
}

function parsePositive(text: string): number {
  const number = Number(text);
  if (!(number > 0 && Number.isFinite(number)))
    throw new InvalidArgumentError('It must be a number above 0.');
  return number;
}

function parseSeed(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number >= 2 ** 31) {
    throw new InvalidArgumentError('It must be a whole number from 0 to 2147483647.');
  }
  return number;
}
