import {
  describePreprocessing,
  isArrayPath,
  type LoadedInput,
  loadInputs,
  type Preprocessing,
  readClassNames,
  readPreprocessing,
} from '@unitscope/data';
import type { Model } from '@unitscope/model';
import { concatBatch, sameDims, UnitscopeError } from '@unitscope/tensor';
import { type ExplainOptions, type Explanation, explain, type Method, methodNamed, methods } from '@unitscope/visualization';
import { type Command, Option } from 'commander';
import { type Drawing, drawExplanations, STYLES, type Style } from '../drawing.js';
import { loadModel } from '../load-model.js';
import { addRunOptions, parseTarget, parseUnit, type RunOptions } from '../options.js';
import { createProgress } from '../progress.js';
import { explanationRecord, writeRaw } from '../results.js';
import type { Surroundings } from '../streams.js';
import { describeInput } from '../summary.js';

interface ExplainCommandOptions extends RunOptions {
  readonly method: string;
  readonly preprocess?: string;
  readonly classes?: string;
  readonly target?: string;
  readonly score: 'logit' | 'probability';
  readonly layer?: string;
  readonly unit?: { readonly channel: number; readonly position?: readonly [number, number] | 'mean' };
  readonly png?: string;
  readonly style: Style;
  readonly raw?: string;
  readonly plan?: boolean;
}

const DEFAULT_PREPROCESSING = 'imagenet';

/** `unitscope explain MODEL INPUT...`: why a network says what it says about pictures. */
export function addExplainCommand(program: Command, surroundings: Surroundings): void {
  const names = methods.map((method) => method.name);
  const command = program
    .command('explain')
    .description('what the network looks at in pictures, for a class or for a unit of a layer')
    .argument('<model>', 'the ONNX file')
    .argument('<input...>', 'pictures, or .npy files of float32 [N, C, H, W]')
    .option('--method <names>', `${names.join(', ')}; several by commas; or all`, 'guided-backprop')
    .option('--target <class>', 'class to explain: its number, its name, or top1 (default)')
    .addOption(
      new Option('--score <kind>', 'the score before the softmax, or after').choices(['logit', 'probability']).default('logit'),
    )
    .option('--layer <name>', 'explain a unit of this layer: a node, a value, or last-conv')
    .option('--unit <c[,y,x]>', 'the unit: C where it is strongest, C,Y,X or C,mean', parseUnit)
    .option('--preprocess <preset>', 'imagenet, tf, caffe, cifar10, raw255 or FILE.json (imagenet by default)')
    .option('--classes <file>', 'names of the classes, JSON or one a line')
    .option('--png <file>', 'write a picture')
    .addOption(new Option('--style <style>', 'what the picture shows').choices([...STYLES]).default('montage'))
    .option('--raw <file>', 'write the maps: .npy for one method, .npz for several')
    .option('--plan', 'print which rule every operator got');
  addRunOptions(command).action((model: string, inputs: string[], options: ExplainCommandOptions) =>
    runExplain(model, inputs, options, surroundings),
  );
}

async function runExplain(
  modelPath: string,
  paths: readonly string[],
  options: ExplainCommandOptions,
  { streams, signal }: Surroundings,
): Promise<void> {
  // Everything that can be refused without the network is refused before it is loaded.
  const chosen = methodsNamed(options.method);
  if ((options.layer === undefined) !== (options.unit === undefined)) {
    throw new UnitscopeError('wrong-use', 'a unit is named by --layer and --unit together');
  }
  if (options.raw !== undefined) checkRawPath(options.raw, chosen);
  if (options.style !== 'montage' && (chosen.length > 1 || paths.length > 1)) {
    throw new UnitscopeError('wrong-use', `--style ${options.style} shows one picture and method; use --style montage`);
  }
  const preprocessing = await readPreprocessing(options.preprocess ?? DEFAULT_PREPROCESSING);
  const classNames = options.classes === undefined ? undefined : await readClassNames(options.classes);
  const target = options.target === undefined ? undefined : parseTarget(options.target, classNames);

  const model = await loadModel(modelPath, options);
  try {
    const inputs = await loadBatch(model, paths, preprocessing, signal);
    const batch = concatBatch(inputs.map((input) => input.tensor));
    const total = chosen.length * (batch.dims[0] ?? 0);
    const progress = createProgress(streams, 'explaining', options.quiet === true || options.json === true);
    const explanations: Explanation[] = [];
    try {
      for (const [i, method] of chosen.entries()) {
        const before = i * (batch.dims[0] ?? 0);
        const explainOptions: ExplainOptions = {
          score: options.score,
          signal,
          onProgress: ({ done }) => progress.update(before + done, total),
          ...(target === undefined ? {} : { target }),
          ...(options.layer === undefined || options.unit === undefined
            ? {}
            : { unit: { layer: options.layer, ...options.unit } }),
        };
        explanations.push(await explain(model, method, batch, explainOptions));
      }
    } finally {
      progress.stop();
    }

    const drawing: Drawing = { model, inputs, explanations, preprocessing, classNames, layer: options.layer };
    if (options.png !== undefined) await drawExplanations(options.png, drawing, options.style);
    if (options.raw !== undefined) await writeRaw(options.raw, explanations);
    const record = explanationRecord(drawing, options);
    if (options.json) {
      streams.out.write(`${JSON.stringify(record, null, 2)}\n`);
      return;
    }
    if (!options.quiet && inputs.some((input) => input.kind === 'picture')) {
      const by = options.preprocess === undefined ? ' (the default; see --preprocess)' : '';
      streams.out.write(`preprocessing ${describePreprocessing(preprocessing)}${by}\n`);
    }
    for (const line of describeInput(drawing)) streams.out.write(`${line}\n`);
    if (options.plan) {
      for (const { method, plan } of explanations) {
        streams.out.write(`plan of ${method}\n`);
        for (const { node, operator, rule } of plan) streams.out.write(`  ${node} (${operator}): ${rule}\n`);
      }
    }
    for (const note of new Set(explanations.flatMap((explanation) => explanation.notes))) {
      streams.out.write(`note: ${note}\n`);
    }
    if (!options.quiet) {
      for (const written of [options.png, options.raw]) if (written !== undefined) streams.out.write(`wrote ${written}\n`);
    }
  } finally {
    await model.close();
  }
}

function methodsNamed(names: string): readonly Method[] {
  if (names === 'all') return methods;
  const chosen = names.split(',').map((name) => methodNamed(name.trim()));
  return [...new Set(chosen)];
}

function checkRawPath(path: string, chosen: readonly Method[]): void {
  if (path.endsWith('.npz') || (path.endsWith('.npy') && chosen.length === 1)) return;
  throw new UnitscopeError(
    'wrong-use',
    path.endsWith('.npy')
      ? `${path} holds one map, ${chosen.length} methods were asked for; name it .npz`
      : `--raw ${path}: name the file .npy or .npz`,
    { subject: path },
  );
}

async function loadBatch(
  model: Model,
  paths: readonly string[],
  preprocessing: Preprocessing,
  signal: AbortSignal,
): Promise<LoadedInput[]> {
  const dims = model.input.dims ?? [];
  const [channels, height, width] = dims.slice(1);
  const pictures = paths.some((path) => !isArrayPath(path));
  const shown = `[${dims.join(', ')}]`;
  if (pictures && (dims.length !== 4 || (typeof channels === 'number' && channels !== 3))) {
    throw new UnitscopeError('bad-input', `the network takes ${shown}, not pictures; give an .npy file of those dims`);
  }
  if (pictures && (typeof height !== 'number' || typeof width !== 'number')) {
    throw new UnitscopeError('wrong-use', `the network takes pictures of any size, ${shown}; choose one by --size H,W`);
  }
  const size = { height: Number(height), width: Number(width) };
  const inputs = await loadInputs(paths, preprocessing, size, { signal });
  const [first] = inputs;
  for (const { path, tensor } of inputs) {
    if (sameDims(tensor.dims.slice(1), first!.tensor.dims.slice(1))) continue;
    throw new UnitscopeError('bad-input', `${path} has dims [${tensor.dims.join(', ')}], ${first!.path} [${first!.tensor.dims.join(', ')}]; explain them one by one`);
  }
  return inputs;
}
