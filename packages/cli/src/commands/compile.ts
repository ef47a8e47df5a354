import { rm, stat } from 'node:fs/promises';
import { PREPROCESSING_NAMES, readClassNames, readPreprocessing } from '@unitscope/data';
import type { Model } from '@unitscope/model';
import { type Graph, readModelFile, type ValueInfo, writeModelFile } from '@unitscope/onnx';
import { throwIfAborted, UnitscopeError } from '@unitscope/tensor';
import {
  type Comparison,
  compareWithExplain,
  compileExplanation,
  methodNamed,
  type Standalone,
  type StandaloneOptions,
  standaloneMethodNamed,
  standaloneMethods,
} from '@unitscope/visualization';
import { type Command, Option } from 'commander';
import { loadModel } from '../load-model.js';
import { addMethodOptions, type MethodFlags, methodFlagsIn, methodOptionsFor } from '../method-options.js';
import { addRunOptions, parseTarget, type RunOptions } from '../options.js';
import { requireOutputs } from '../output-files.js';
import { createProgress } from '../progress.js';
import type { Surroundings } from '../streams.js';
import { formatTable } from '../table.js';
import { version } from '../version.js';

interface CompileCommandOptions extends RunOptions, MethodFlags {
  readonly method: string;
  readonly out: string;
  readonly force?: boolean;
  readonly target?: string;
  readonly classes?: string;
  readonly layer?: string;
  readonly position?: 'max' | 'mean';
  readonly preprocess?: string;
  readonly check: boolean;
}

const DEFAULT_PREPROCESSING = 'imagenet';

/**
 * How far the file's map may be from that of `explain`, in parts of its norm, before the file is taken back. Both run the
 * same nodes on the same engine, so float32 parts them by 1e-6. But a ReLU's input that near to zero lets a path through
 * in one and not in the other: in a SqueezeNet, one unit in the last place of SmoothGrad's noise moves the map of
 * `explain` itself by 1.4e-3. Another method, rule or weight matters ten times the bound and more.
 */
const TOLERANCE = 1e-2;

/** `unitscope compile MODEL --method M --out F.onnx`: the network and its explanation as one file. */
export function addCompileCommand(program: Command, surroundings: Surroundings): void {
  const command = program
    .command('compile')
    .description('Writes a network and its explanation as one ONNX file that any ONNX Runtime runs.')
    .argument('<model>', 'the ONNX file')
    .requiredOption('--method <name>', 'one of those below')
    .requiredOption('--out <file>', 'the file to write, .onnx')
    .option('--force', 'replace the file where it is there')
    .option('--target <class>', 'the class or channel, for good; the file has no input for it then')
    .option('--classes <file>', 'the names of the classes, as JSON or one on each line')
    .option(
      '--layer <name>',
      'explain channels of this layer instead of classes: a node, a value, or last-conv',
    )
    .addOption(
      new Option('--position <where>', 'the channel where it is strongest (default), or its mean').choices([
        'max',
        'mean',
      ]),
    )
    .option(
      '--preprocess <preset>',
      `what black is: ${PREPROCESSING_NAMES.join(', ')} or FILE.json (default: ${DEFAULT_PREPROCESSING})`,
    )
    .option('--no-check', 'do not run the file once and compare it with explain');
  addRunOptions(addMethodOptions(command, ['window', 'stride'])).action(
    (model: string, options: CompileCommandOptions) => runCompile(model, options, surroundings),
  );
  const summaries = standaloneMethods.map(({ name }) => [`  ${name}`, methodNamed(name).summary]);
  command.addHelpText(
    'after',
    `
Methods:
${formatTable(undefined, summaries)}
The file has the network's own input, and target (int64, one for each picture: the class, -1 for its highest), and
gives scores and map. It has standard operators only, set 18 (ONNX 1.13) or the network's own where that is later, and
its metadata says the method, its parameters and the SHA-256 of the network.

Examples:
  A file that explains any class of any picture, in a browser too:
    unitscope compile net.onnx --method guided-backprop --out guided.onnx
  One class, by fewer steps:
    unitscope compile net.onnx --method integrated-gradients --steps 20 --target 281 --out why.onnx
  Where a network of open size finds its class:
    unitscope compile net.onnx --method grad-cam --cam-layer conv10 --size 224,224 --out cam.onnx`,
  );
}

async function runCompile(
  path: string,
  options: CompileCommandOptions,
  { streams, signal }: Surroundings,
): Promise<void> {
  const { out, json, classes } = options;
  const { name } = standaloneMethodNamed(options.method);
  requireSense(options);
  await requireOutputs([out], [path, ...(classes === undefined ? [] : [classes])]);
  await requireAbsent(options);
  const preprocessing = await readPreprocessing(options.preprocess ?? DEFAULT_PREPROCESSING);
  const parameters = methodOptionsFor([name], methodFlagsIn(options), preprocessing);
  const classNames = classes === undefined ? undefined : await readClassNames(classes);
  const target = options.target === undefined ? undefined : parseTarget(options.target, classNames);
  // Of what the file is made of, so that both sides of the comparison run the same nodes.
  const model = await loadModel(path, { ...options, lowering: 'portable' }, streams);
  try {
    throwIfAborted(signal);
    const standalone = compileExplanation(model, name, {
      ...parameters,
      ...(target === undefined ? {} : { target }),
      ...unitOf(options),
    });
    throwIfAborted(signal);
    await writeModelFile(out, standalone.graph);
    const quiet = options.quiet === true || json === true;
    const progress = createProgress(streams, 'checking', quiet);
    const comparison = options.check
      ? await checkFile(out, model, standalone, {
          signal,
          onProgress: ({ done, total = done }) => progress.update(done, total),
        }).finally(() => progress.stop())
      : undefined;
    const written: Written = { model, standalone, comparison, file: out, bytes: (await stat(out)).size };
    streams.out.write(
      json === true
        ? `${JSON.stringify(recordOf(written), null, 2)}\n`
        : describe(written, options.quiet === true),
    );
  } finally {
    await model.close();
  }
}

/** Throws `wrong-use` for options that cannot be meant together. */
function requireSense({
  out,
  position,
  layer,
  target,
  classes,
  preprocess,
  baseline,
}: CompileCommandOptions) {
  const refuse = (why: string) => new UnitscopeError('wrong-use', why);
  if (!/\.onnx$/i.test(out)) throw refuse(`--out ${out}: name the file .onnx`);
  if (position !== undefined && layer === undefined) {
    throw refuse('--position is about channels of a layer; name it by --layer');
  }
  if (classes !== undefined && (target === undefined || layer !== undefined)) {
    throw refuse('--classes is about the name of a class; give it by --target');
  }
  if (preprocess !== undefined && baseline !== 'black') {
    throw refuse('--preprocess says what black is; the file takes pictures as the network does');
  }
}

/** Throws `wrong-use` where the file is there already: it may be a network nobody has a copy of. */
async function requireAbsent({ out, force }: CompileCommandOptions): Promise<void> {
  const found = force === true ? undefined : await stat(out).catch(() => undefined);
  if (found === undefined) return;
  throw new UnitscopeError(
    'wrong-use',
    `${out} is there already; name another file, or replace it by --force`,
    { subject: out },
  );
}

function unitOf({ layer, position }: CompileCommandOptions): Pick<StandaloneOptions, 'unit'> {
  return layer === undefined ? {} : { unit: { layer, ...(position === undefined ? {} : { position }) } };
}

/** Compares what was written with `explain`. Takes it away and throws where they differ, or cannot be compared. */
async function checkFile(
  out: string,
  model: Model,
  { record }: Standalone,
  options: Parameters<typeof compareWithExplain>[2],
): Promise<Comparison> {
  try {
    const comparison = await compareWithExplain(model, { graph: await readModelFile(out), record }, options);
    if (comparison.map <= TOLERANCE && (comparison.scores ?? 0) <= TOLERANCE) return comparison;
    const worst = Math.max(comparison.map, comparison.scores ?? 0);
    if (worst === Number.POSITIVE_INFINITY) {
      throw new UnitscopeError(
        'unsupported',
        `the map of the file is not finite; check the weights of ${model.path}`,
        { subject: out },
      );
    }
    throw new UnitscopeError(
      'backend',
      `the file does not say what explain says: they differ by ${worst.toExponential(1)} of the norm; --no-check writes it nonetheless`,
      { subject: out },
    );
  } catch (error) {
    await rm(out, { force: true });
    throw error;
  }
}

interface Written {
  readonly model: Model;
  readonly standalone: Standalone;
  readonly comparison: Comparison | undefined;
  readonly file: string;
  readonly bytes: number;
}

function recordOf({ model, standalone, comparison, file, bytes }: Written) {
  const { graph, record } = standalone;
  const { version: _, source_sha256: sha256, ...rest } = record;
  return {
    unitscope: version,
    model: { path: model.path, sha256 },
    engine: model.engine,
    ...rest,
    inputs: graph.inputs,
    outputs: graph.outputs,
    opset: graph.opsets.get(''),
    irVersion: graph.irVersion,
    file,
    bytes,
    ...(comparison === undefined ? {} : { check: comparison }),
  };
}

function describe({ model, standalone, comparison, file, bytes }: Written, quiet: boolean): string {
  const { graph, record } = standalone;
  const given = Object.entries(record.parameters).map(([name, value]) => `, ${name} ${value}`);
  const lines = [
    `${record.method}${given.join('')}: ${(bytes / 1e6).toFixed(2)} MB, operator set ${graph.opsets.get('')}, IR version ${graph.irVersion}`,
    ...(comparison === undefined ? [] : [describeComparison(comparison)]),
    ...record.notes.map((note) => `note: ${note}`),
  ];
  if (quiet) return `${lines.join('\n')}\n`;
  return `${lines.join('\n')}\n${describeValues(graph, record)}wrote ${file}, made of ${model.path}\n`;
}

function describeComparison({ map, silent }: Comparison): string {
  const where = 'on a picture of noise';
  if (silent) return `check: ${where} the map is zero everywhere, as explain says`;
  return `check: ${where} the map is that of explain but for ${map.toExponential(1)} of its norm`;
}

function describeValues({ inputs, outputs }: Graph, { method, objective }: Standalone['record']): string {
  const isClass = objective.kind === 'class';
  const meaning: Readonly<Record<string, string>> = {
    target: isClass ? 'the class; -1: the highest of each picture' : 'the channel',
    scores: 'class scores before the softmax',
    map: method,
    score: 'the scalar explained',
    chosen: isClass ? 'the class explained' : 'the unit explained',
  };
  const row = (kind: string, { name, type, dims }: ValueInfo) => [
    kind,
    name,
    type,
    `[${dims?.join(', ')}]`,
    meaning[name] ?? 'the picture, as the network takes it',
  ];
  return formatTable(undefined, [
    ...inputs.map((info) => row('input', info)),
    ...outputs.map((info) => row('output', info)),
  ]);
}
