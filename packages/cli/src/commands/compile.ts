import { stat } from 'node:fs/promises';
import { type Graph, metadataOf, readModelFile, type ValueInfo, writeModelFile } from '@unitscope/onnx';
import { throwIfAborted, UnitscopeError } from '@unitscope/tensor';
import {
  compileExplanation,
  STANDALONE_DEFAULTS,
  type StandaloneOptions,
  standaloneMethodNamed,
  standaloneMethods,
} from '@unitscope/visualization';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { sizedDims } from '../load-model.js';
import { parseSize, positiveInteger } from '../options.js';
import { requireOutputs } from '../output-files.js';
import type { Surroundings } from '../streams.js';
import { formatTable } from '../table.js';
import { version } from '../version.js';

interface CompileCommandOptions {
  readonly method: string;
  readonly out: string;
  readonly size?: readonly [height: number, width: number];
  readonly layer?: string;
  readonly position?: 'max' | 'mean';
  readonly camLayer?: string;
  readonly steps?: number;
  readonly baseline?: number;
  readonly samples?: number;
  readonly noise?: number;
  readonly seed?: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `unitscope compile MODEL --method M --out F.onnx`: the network and its explanation as one file. */
export function addCompileCommand(program: Command, surroundings: Surroundings): void {
  const { steps, samples, noise, seed, baseline, camLayer } = STANDALONE_DEFAULTS;
  const names = standaloneMethods.map(({ name }) => name);
  program
    .command('compile')
    .description('Writes a network and its explanation as one ONNX file that any ONNX Runtime runs.')
    .argument('<model>', 'the ONNX file')
    .requiredOption('--method <name>', `one of ${names.join(', ')}`)
    .requiredOption('--out <file>', 'the file to write, .onnx')
    .option('--size <h,w>', 'input size, where the network leaves it open', parseSize)
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
    .option('--cam-layer <name>', `the layer whose maps Grad-CAM weighs (default: ${camLayer})`)
    .option('--steps <n>', `steps of integrated gradients (default: ${steps})`, positiveInteger)
    .option(
      '--baseline <value>',
      `where its way starts, in the network's units (default: ${baseline})`,
      parseNumber,
    )
    .option('--samples <n>', `noisy copies of SmoothGrad (default: ${samples})`, positiveInteger)
    .option('--noise <fraction>', `their noise, of max - min of the picture (default: ${noise})`, parseNumber)
    .option('--seed <n>', `another seed, other noise (default: ${seed})`, parseNumber)
    .option('--json', 'print one JSON record instead of text')
    .option('--quiet', 'print results only')
    .addHelpText(
      'after',
      `
The file has the network's own input and target (int64, one for each picture: the class, -1 for its highest), and
gives scores and map. Its metadata says the method, its parameters and the SHA-256 of the network.

Examples:
  unitscope compile net.onnx --method guided-backprop --out guided.onnx
  unitscope compile net.onnx --method integrated-gradients --steps 20 --out why.onnx
  unitscope compile net.onnx --method grad-cam --cam-layer conv10 --size 224,224 --out cam.onnx`,
    )
    .action((model: string, options: CompileCommandOptions) => runCompile(model, options, surroundings));
}

async function runCompile(
  path: string,
  options: CompileCommandOptions,
  { streams, signal }: Surroundings,
): Promise<void> {
  const { method, out, size, layer, position, json, quiet } = options;
  standaloneMethodNamed(method);
  if (!/\.onnx$/i.test(out)) throw new UnitscopeError('wrong-use', `--out ${out}: name the file .onnx`);
  if (position !== undefined && layer === undefined) {
    throw new UnitscopeError('wrong-use', '--position is about channels of a layer; name it by --layer');
  }
  await requireOutputs([out], [path]);
  const network = await readModelFile(path);
  throwIfAborted(signal);
  const graph = compileExplanation(network, method, {
    ...parametersOf(options),
    ...(size === undefined ? {} : { inputDims: sizedDims(network, size) }),
    ...(layer === undefined ? {} : { unit: { layer, ...(position === undefined ? {} : { position }) } }),
  });
  throwIfAborted(signal);
  await writeModelFile(out, graph);
  const bytes = (await stat(out)).size;
  streams.out.write(
    json === true
      ? `${JSON.stringify(record(path, out, bytes, graph), null, 2)}\n`
      : describe(path, out, bytes, graph, quiet === true),
  );
}

function parametersOf({
  camLayer,
  steps,
  baseline,
  samples,
  noise,
  seed,
}: CompileCommandOptions): StandaloneOptions {
  return Object.fromEntries(
    Object.entries({ camLayer, steps, baseline, samples, noise, seed }).filter(
      ([, value]) => value !== undefined,
    ),
  );
}

/** The metadata of the file under `unitscope.*`, without the prefix. */
function said(graph: Graph): Readonly<Record<string, string>> {
  const entries = [...metadataOf(graph)].map(([key, value]) => [key.replace('unitscope.', ''), value]);
  return Object.fromEntries(entries);
}

function isAboutClasses(graph: Graph): boolean {
  return JSON.parse(said(graph)['objective'] ?? '{}').kind === 'class';
}

function record(path: string, file: string, bytes: number, graph: Graph) {
  const { source_sha256: sha256, method, form, convention, notes, parameters, objective } = said(graph);
  return {
    unitscope: version,
    model: { path, sha256 },
    method,
    form,
    convention,
    parameters: JSON.parse(parameters ?? '{}'),
    objective: JSON.parse(objective ?? '{}'),
    notes: notes === undefined || notes === '' ? [] : notes.split('; '),
    inputs: graph.inputs,
    outputs: graph.outputs,
    opset: graph.opsets.get(''),
    file,
    bytes,
  };
}

function describe(path: string, out: string, bytes: number, graph: Graph, quiet: boolean): string {
  const { method, parameters = '{}', notes = '' } = said(graph);
  const isClass = isAboutClasses(graph);
  const given = parameters === '{}' ? '' : ` ${parameters}`;
  const meaning: Readonly<Record<string, string>> = {
    target: isClass ? 'the class; -1: the highest of each picture' : 'the channel',
    scores: 'class scores before the softmax',
    map: method ?? '',
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
  const table = formatTable(undefined, [
    ...graph.inputs.map((info) => row('input', info)),
    ...graph.outputs.map((info) => row('output', info)),
  ]);
  const lines = [
    `wrote ${out}: ${method}${given} of ${path}, ${(bytes / 1e6).toFixed(2)} MB, operator set ${graph.opsets.get('')}`,
    table.trimEnd(),
    ...(notes === '' ? [] : notes.split('; ').map((note) => `note: ${note}`)),
  ];
  if (!quiet) lines.push(...usage(out, graph));
  return `${lines.join('\n')}\n`;
}

function usage(out: string, graph: Graph): readonly string[] {
  const { outputs } = graph;
  const [picture] = graph.inputs;
  const wanted = outputs
    .map((output) => output.name)
    .filter((output) => output === 'scores' || output === 'map');
  const [file, name] = [JSON.stringify(out), JSON.stringify(picture?.name)];
  const dims = (picture?.dims ?? []).map((dim) => (typeof dim === 'number' ? dim : 1));
  const [count = 1] = dims;
  const aim = isAboutClasses(graph) ? -1 : 0;
  const targets = (target: string) => Array.from({ length: count }, () => target).join(', ');
  return [
    '',
    'JavaScript, with onnxruntime-node or onnxruntime-web as ort:',
    `  const session = await ort.InferenceSession.create(${file});`,
    `  const feeds = { ${name}: new ort.Tensor('float32', pixels, [${dims.join(', ')}]), target: new ort.Tensor('int64', [${targets(`${aim}n`)}], [${count}]) };`,
    `  const { ${wanted.join(', ')} } = await session.run(feeds);`,
    `Python, with onnxruntime and numpy; pixels: float32 [${dims.join(', ')}]:`,
    `  session = onnxruntime.InferenceSession(${file})`,
    `  feeds = {${name}: pixels, "target": numpy.array([${targets(`${aim}`)}], numpy.int64)}`,
    `  ${wanted.join(', ')}${wanted.length === 1 ? ',' : ''} = session.run(${JSON.stringify(wanted)}, feeds)`,
  ];
}

function parseNumber(text: string): number {
  const number = Number(text);
  if (text.trim() === '' || !Number.isFinite(number)) throw new InvalidArgumentError('It must be a number.');
  return number;
}
