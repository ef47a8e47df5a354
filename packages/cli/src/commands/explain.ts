import { findScore } from '@unitscope/autodiff';
import {
  describePreprocessing,
  type LoadedInput,
  PREPROCESSING_NAMES,
  readClassNames,
  readPreprocessing,
} from '@unitscope/data';
import type { Model } from '@unitscope/model';
import {
  concatBatch,
  indexOfNonFinite,
  type Tensor,
  throwIfAborted,
  UnitscopeError,
  writeFileAtomic,
} from '@unitscope/tensor';
import {
  type ExplainOptions,
  type Explanation,
  explain,
  type Method,
  methods,
  type UnitOfLayer,
} from '@unitscope/visualization';
import { type Command, Option } from 'commander';
import { loadBatch } from '../batch.js';
import { type Drawing, drawExplanations, STYLES, type Style } from '../drawing.js';
import { loadModel } from '../load-model.js';
import { addMethodOptions, type MethodFlags, methodFlagsIn, methodsNamed } from '../method-options.js';
import {
  addLoweringOption,
  addRunOptions,
  parseTarget,
  parseUnit,
  type RunOptions,
  type Unit,
} from '../options.js';
import { requireOutputs } from '../output-files.js';
import { describePlan, type Plan, planMethods } from '../plan.js';
import { createProgress } from '../progress.js';
import { encodeRaw, explanationRecord, planRecord } from '../results.js';
import type { Surroundings } from '../streams.js';
import { describeSamples, samplesOf } from '../summary.js';
import { formatTable } from '../table.js';

interface ExplainCommandOptions extends RunOptions, MethodFlags {
  readonly method: string;
  readonly preprocess?: string;
  readonly classes?: string;
  readonly target?: string;
  readonly score?: 'logit' | 'probability';
  readonly layer?: string;
  readonly unit?: Unit;
  readonly png?: string;
  readonly style?: Style;
  readonly raw?: string;
  readonly plan?: boolean;
}

const DEFAULT_PREPROCESSING = 'imagenet';

/** `unitscope explain MODEL INPUT...`: why a network says what it says about pictures. */
export function addExplainCommand(program: Command, surroundings: Surroundings): void {
  const command = program
    .command('explain')
    .description('What a network looks at in pictures, for a class or for a unit of a layer.')
    .argument('<model>', 'the ONNX file')
    .argument('[input...]', 'pictures, or .npy files of float32 [N, C, H, W], which are fed as they are')
    .option('--method <names>', 'one of those below, several by commas, or all', 'guided-backprop')
    .option(
      '--target <class>',
      "the class: its number, its name (see --classes), or top1, each picture's own (default)",
    )
    .addOption(
      new Option(
        '--score <kind>',
        'the class score before the softmax (logit, the default) or after',
      ).choices(['logit', 'probability']),
    )
    .option('--layer <name>', 'explain a unit of this layer instead: a node, a value, or last-conv')
    .option(
      '--unit <c[,y,x]>',
      'the unit: C (where it is strongest), C,Y,X (row and column) or C,mean',
      parseUnit,
    )
    .option(
      '--preprocess <preset>',
      `how pictures become input: ${PREPROCESSING_NAMES.join(', ')} or FILE.json (default: ${DEFAULT_PREPROCESSING})`,
    )
    .option('--classes <file>', 'the names of the classes, as JSON or one on each line')
    .option('--png <file>', 'write a picture')
    .addOption(new Option('--style <style>', 'what it shows (montage by default)').choices([...STYLES]))
    .option('--raw <file>', 'write the maps: .npy for one method, .npz for several')
    .option('--plan', 'print how every node is run: rule, lowering, layout, time; needs no picture');
  addLoweringOption(addRunOptions(addMethodOptions(command))).action(
    (model: string, inputs: string[], options: ExplainCommandOptions) =>
      runExplain(model, inputs, options, surroundings),
  );
  const summaries = methods.map(({ name, summary }) => [`  ${name}`, summary]);
  command.addHelpText(
    'after',
    `
Methods:
${formatTable(undefined, summaries)}
Examples:
  All methods side by side, for the class each picture is taken for:
    unitscope explain net.onnx cat.jpg dog.jpg --method all --classes classes.txt --png maps.png
  What the strongest place of unit 12 in the last convolution sees, as numbers:
    unitscope explain net.onnx cat.jpg --layer last-conv --unit 12 --method deconvnet --raw unit.npy`,
  );
}

async function runExplain(
  modelPath: string,
  paths: readonly string[],
  options: ExplainCommandOptions,
  { streams, signal }: Surroundings,
): Promise<void> {
  // Everything that can be refused without the network is refused before it is loaded.
  const flags = methodFlagsIn(options);
  requireSense(options, methodsNamed(options.method, flags), paths);
  const { png, raw, classes, style = 'montage', score = 'logit' } = options;
  const outputs = [png, raw].filter((path) => path !== undefined);
  await requireOutputs(outputs, [modelPath, ...paths, ...(classes === undefined ? [] : [classes])]);
  const preprocessing = await readPreprocessing(options.preprocess ?? DEFAULT_PREPROCESSING);
  const chosen = methodsNamed(options.method, flags, preprocessing);
  const classNames = classes === undefined ? undefined : await readClassNames(classes);
  const target = options.target === undefined ? undefined : parseTarget(options.target, classNames);

  const model = await loadModel(modelPath, options, streams);
  try {
    const unit = unitOf(model, options);
    if (classNames !== undefined && unit === undefined) requireNames(model, classNames, classes ?? '');
    if (png !== undefined) requireMaps(model);
    throwIfAborted(signal);
    const wanted: ExplainOptions = {
      score,
      signal,
      ...(target === undefined ? {} : { target }),
      ...(unit === undefined ? {} : { unit }),
    };
    if (paths.length === 0) {
      const plans = await planMethods(model, chosen, undefined, wanted);
      streams.out.write(formatPlans(plans, model, options));
      return;
    }

    const quiet = options.quiet === true || options.json === true;
    const reading = createProgress(streams, 'reading', quiet);
    const inputs = await loadBatch(model, paths, preprocessing, {
      signal,
      onProgress: ({ done, total }) => reading.update(done, total),
    }).finally(() => reading.stop());
    requireOneSample(inputs, style);
    const batch = concatBatch(inputs.map((input) => input.tensor));

    const progress = createProgress(streams, 'explaining', quiet);
    const explanations = await explainAll(model, chosen, batch, inputs, wanted, (done, total) =>
      progress.update(done, total),
    ).finally(() => progress.stop());

    const plans = options.plan === true ? await planMethods(model, chosen, batch, wanted) : [];

    const drawing: Drawing = { model, inputs, explanations, preprocessing, classNames, unit };
    // All files are made before the first is written: what cannot be drawn leaves nothing behind.
    const files = new Map<string, Uint8Array>();
    if (png !== undefined) files.set(png, drawExplanations(drawing, style));
    if (raw !== undefined) files.set(raw, encodeRaw(raw, explanations));
    throwIfAborted(signal);
    for (const [path, content] of files) await writeFileAtomic(path, content);
    const text = options.json
      ? `${JSON.stringify(explanationRecord(drawing, plans, { ...options, score }), null, 2)}\n`
      : describe(drawing, plans, options, outputs);
    streams.out.write(text);
  } finally {
    await model.close();
  }
}

/** Explains all samples by one method after the other. */
async function explainAll(
  model: Model,
  chosen: readonly Method[],
  batch: Tensor,
  inputs: readonly LoadedInput[],
  options: ExplainOptions,
  onProgress: (done: number, total: number) => void,
): Promise<Explanation[]> {
  const explanations: Explanation[] = [];
  // Each method is a hundred parts of the whole, however many passes it takes.
  onProgress(0, 100 * chosen.length);
  for (const [i, method] of chosen.entries()) {
    const explanation = await explain(model, method, batch, {
      ...options,
      onProgress: ({ done, total = done }) =>
        onProgress(Math.floor(100 * (i + done / total)), 100 * chosen.length),
    });
    requireFinite(model, explanation, inputs);
    explanations.push(explanation);
  }
  return explanations;
}

/** Throws `unsupported`, naming the sample, where a network or a backward pass overflows, or has weights that are NaN. */
function requireFinite({ path }: Model, explanation: Explanation, inputs: readonly LoadedInput[]): void {
  const { method, map, score } = explanation;
  const samples = samplesOf(inputs);
  const refuse = (what: string, value: number, sample: number) =>
    new UnitscopeError(
      'unsupported',
      `${what} of ${samples[sample]?.label} is ${value}; check the weights of ${path} and --preprocess`,
      path === undefined ? {} : { subject: path },
    );
  const unsound = score.findIndex((value) => !Number.isFinite(value));
  if (unsound !== -1) throw refuse('the score', score[unsound]!, unsound);
  const broken = indexOfNonFinite(map.data);
  if (broken === -1) return;
  const perSample = map.data.length / samples.length;
  throw refuse(`the map by ${method}`, map.data[broken]!, Math.floor(broken / perSample));
}

/** The result in lines of text. */
function describe(
  drawing: Drawing,
  plans: readonly Plan[],
  options: ExplainCommandOptions,
  outputs: readonly string[],
): string {
  const { inputs, explanations, preprocessing } = drawing;
  const lines: string[] = [];
  if (!options.quiet && inputs.some((input) => input.kind === 'picture')) {
    const by = options.preprocess === undefined ? ' (the default; see --preprocess)' : '';
    lines.push(`preprocessing ${describePreprocessing(preprocessing)}${by}`);
  }
  lines.push(...describeSamples(drawing));
  lines.push(...plans.map((plan) => describePlan(plan, drawing.model.engine)));
  const notes = new Set(explanations.flatMap((explanation) => explanation.notes));
  lines.push(...[...notes].map((note) => `note: ${note}`));
  if (!options.quiet) lines.push(...outputs.map((path) => `wrote ${path}`));
  return `${lines.join('\n')}\n`;
}

/** The result without pictures: the plans alone. */
function formatPlans(plans: readonly Plan[], model: Model, options: ExplainCommandOptions): string {
  if (options.json === true) return `${JSON.stringify(planRecord(plans, model), null, 2)}\n`;
  return plans.map((plan) => `${describePlan(plan, model.engine)}\n`).join('');
}

/** Throws `wrong-use` for options that cannot be meant together. */
function requireSense(
  options: ExplainCommandOptions,
  chosen: readonly Method[],
  paths: readonly string[],
): void {
  const refuse = (why: string) => new UnitscopeError('wrong-use', why);
  const { layer, unit, target, score, png, raw, style } = options;
  if (paths.length === 0 && options.plan !== true) {
    throw refuse("missing required argument 'input'; only --plan does without");
  }
  if (paths.length === 0 && (png !== undefined || raw !== undefined)) {
    throw refuse('without a picture there is nothing to write; --plan is printed');
  }
  if ((layer === undefined) !== (unit === undefined)) {
    throw refuse('a unit is named by --layer and --unit together');
  }
  if (unit !== undefined && target !== undefined) {
    throw refuse('either a class (--target) or a unit (--layer and --unit) can be explained, not both');
  }
  if (unit !== undefined && score !== undefined) throw refuse('--score is about classes; a unit has none');
  if (png !== undefined && !/\.png$/i.test(png)) throw refuse(`--png ${png}: name the file .png`);
  if (style !== undefined && png === undefined)
    throw refuse('--style is about the picture; name it by --png');
  if (style !== undefined && style !== 'montage' && (chosen.length > 1 || paths.length > 1)) {
    throw refuse(`--style ${style} shows one sample and one method; use --style montage`);
  }
  if (raw === undefined || raw.endsWith('.npz')) return;
  if (!raw.endsWith('.npy')) throw refuse(`--raw ${raw}: name the file .npy or .npz`);
  if (chosen.length > 1) {
    throw refuse(`--raw ${raw} holds one map, ${chosen.length} methods were asked for; name it .npz`);
  }
}

function unitOf(model: Model, { layer, unit }: ExplainCommandOptions): Required<UnitOfLayer> | undefined {
  return layer === undefined || unit === undefined ? undefined : { ...unit, layer: model.layer(layer).name };
}

/** Throws `bad-input` where the names are those of another network: every one of them could be wrong. */
function requireNames(model: Model, classNames: readonly string[], path: string): void {
  const logits = findScore(model.graph)?.logits;
  const count = model.layers.find(({ value }) => value === logits)?.dims?.[1];
  if (typeof count !== 'number' || count === classNames.length) return;
  throw new UnitscopeError(
    'bad-input',
    `${path} names ${classNames.length} classes, the network has ${count}; give the names it was trained with`,
    { subject: path },
  );
}

function requireMaps({ input }: Model): void {
  if (input.dims?.length === 4) return;
  throw new UnitscopeError(
    'wrong-use',
    `the network takes [${input.dims?.join(', ')}], of which no picture can be drawn; write the maps by --raw`,
  );
}

function requireOneSample(inputs: readonly LoadedInput[], style: Style): void {
  const count = inputs.reduce((sum, { tensor }) => sum + (tensor.dims[0] ?? 0), 0);
  if (style === 'montage' || count === 1) return;
  throw new UnitscopeError(
    'wrong-use',
    `--style ${style} shows one sample, ${count} are given; use --style montage`,
  );
}
