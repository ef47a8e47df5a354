import { basename, extname, join } from 'node:path';
import {
  describePreprocessing,
  type Preprocessing,
  readClassNames,
  readPreprocessing,
} from '@unitscope/data';
import type { Model } from '@unitscope/model';
import { concatBatch, throwIfAborted, UnitscopeError, writeFileAtomic, writeNpy } from '@unitscope/tensor';
import {
  ATTACK_NAMES,
  type AttackName,
  type AttackOptions,
  type AttackRecord,
  methodNamed,
  NORM_NAMES,
  type NormName,
} from '@unitscope/visualization';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { scaleOf } from '../ascent/pictures.js';
import { type Attacked, attackPictures, type Probe } from '../attack/attack-pictures.js';
import { readDetectors } from '../attack/concepts.js';
import { drawAttack } from '../attack/figure.js';
import { describeAttack, recordOf, type SampleRecord, sampleRecordOf } from '../attack/results.js';
import { loadBatch } from '../batch.js';
import { mapDimsOf } from '../layer-maps.js';
import { loadModel } from '../load-model.js';
import { parseSeed } from '../method-options.js';
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

interface AttackCommandOptions extends RunOptions {
  readonly method: AttackName;
  readonly norm: NormName;
  readonly epsilon?: number;
  readonly range: '1' | '255';
  readonly steps?: number;
  readonly stepSize?: number;
  readonly start?: 'random' | 'picture';
  readonly seed?: number;
  readonly target?: string;
  readonly classes?: string;
  readonly layer: string;
  readonly explain: string;
  readonly dissection?: string;
  readonly preprocess: string;
  readonly out: string;
}

const RECORD_FILE = 'attack.json';
const ARRAY_FILE = 'adversarial.npy';
/** Pictures attacked together: as many as a backward pass takes at a time, so that a step is one run. */
const PICTURES_AT_ONCE = 4;

/** `unitscope attack MODEL PICTURE..`: small changes that make a network take pictures for something else. */
export function addAttackCommand(program: Command, surroundings: Surroundings): void {
  const command = program
    .command('attack')
    .description(
      'Adversarial pictures by FGSM or PGD, and what the attack changed: units, concepts, places, maps.',
    )
    .argument('<model>', 'the ONNX file')
    .argument('<input...>', 'pictures, or .npy files of float32 [N, C, H, W], which are fed as they are')
    .addOption(new Option('--method <name>', 'one step, or many').choices([...ATTACK_NAMES]).default('pgd'))
    .addOption(
      new Option('--norm <name>', 'what epsilon bounds: the largest change, or the length of all')
        .choices([...NORM_NAMES])
        .default('linf'),
    )
    .option(
      '--epsilon <e>',
      'the largest norm of the change (4 levels of 255; for l2, 2 levels for every value on average)',
      parsePositive,
    )
    .addOption(
      new Option('--range <r>', 'what the whole range of a picture is in --epsilon and --step-size')
        .choices(['255', '1'])
        .default('255'),
    )
    .option('--steps <n>', 'pgd: steps (10)', positiveInteger)
    .option('--step-size <a>', 'pgd: the length of a step (a quarter of epsilon)', parsePositive)
    .addOption(
      new Option('--start <where>', 'pgd: a random point of the ball, or the picture (random)').choices([
        'random',
        'picture',
      ]),
    )
    .option('--seed <n>', 'pgd: of the random start (0)', parseSeed)
    .option('--target <class>', 'the class to reach, by number or name (see --classes); else any other')
    .option('--classes <file>', 'the names of the classes, as JSON or one on each line')
    .option('--layer <name>', 'whose units are compared: a node, a value, or last-conv', 'last-conv')
    .option('--explain <method>', 'the maps before and after, see explain --help', 'grad-cam')
    .option('--dissection <file>', 'dissection.json of that layer: which concepts the units detect')
    .addOption(preprocessOption())
    .requiredOption('--out <dir>', `write ${RECORD_FILE}, ${ARRAY_FILE} and a PNG of each picture there`);
  addLoweringOption(addRunOptions(command)).action(
    (model: string, inputs: string[], options: AttackCommandOptions) =>
      runAttack(model, inputs, options, surroundings),
  );
  command.addHelpText(
    'after',
    `
Without --target the attack leaves the class a picture is taken for, whatever it is. Changes are bounded in the range of
pictures, before preprocessing, and never leave it. ${RECORD_FILE} also says whether a picture still deceives when it is
rounded to 8 bits; ${ARRAY_FILE} is what the network takes, for explain.

Examples:
  One step of 2 grey levels, and 20 steps towards a class:
    unitscope attack net.onnx cat.jpg --method fgsm --epsilon 2 --out fgsm
    unitscope attack net.onnx cat.jpg --target 340 --epsilon 4 --steps 20 --out zebra
  Within a length of 3, where the range of a picture is 1:
    unitscope attack net.onnx cat.jpg --norm l2 --range 1 --epsilon 3 --out l2
  Which concepts were seen less or more:
    unitscope dissect net.onnx --data camvid --layer conv5 --out concepts
    unitscope attack net.onnx street.jpg --layer conv5 --dissection concepts/dissection.json --out attack`,
  );
}

async function runAttack(
  modelPath: string,
  paths: readonly string[],
  options: AttackCommandOptions,
  { streams, signal }: Surroundings,
): Promise<void> {
  requireSense(options);
  const { out, classes, dissection, json } = options;
  const files = [RECORD_FILE, ARRAY_FILE].map((name) => join(out, name));
  const sources = [classes, dissection].filter((path) => path !== undefined);
  await requireOutputs(files, [modelPath, ...paths, ...sources]);
  const method = methodNamed(options.explain);
  const preprocessing = await readPreprocessing(options.preprocess);
  const classNames = classes === undefined ? undefined : await readClassNames(classes);
  const target = targetOf(options, classNames);
  const model = await loadModel(modelPath, options, streams);
  try {
    const layer = model.layer(options.layer);
    mapDimsOf(layer);
    const detectors = dissection === undefined ? undefined : await readDetectors(dissection, model, layer);
    const quiet = options.quiet === true || json === true;
    const reading = createProgress(streams, 'reading', quiet);
    const inputs = await loadBatch(model, paths, preprocessing, {
      signal,
      onProgress: ({ done, total }) => reading.update(done, total),
    }).finally(() => reading.stop());
    const batch = concatBatch(inputs.map(({ tensor }) => tensor));
    const [total = 0] = batch.dims;
    const progress = createProgress(streams, 'attacking', quiet);
    const probe: Probe = {
      ...{ model, layer, method, detectors },
      options: {
        ...attackOptionsOf(model, options, preprocessing),
        ...(target === undefined ? {} : { target }),
        signal,
      },
    };
    const labels = samplesOf(inputs).map(({ label }) => label);
    const samples: SampleRecord[] = [];
    const written: string[] = [];
    const notes = new Set<string>();
    const adversarial = new Float32Array(batch.data.length);
    let record: AttackRecord | undefined;
    try {
      for (let first = 0; first < total; first += PICTURES_AT_ONCE) {
        const count = Math.min(PICTURES_AT_ONCE, total - first);
        const onProgress: AttackOptions['onProgress'] = ({ step, steps }) =>
          progress.update(first * steps + step * count, total * steps);
        const part = { ...probe, options: { ...probe.options, onProgress } };
        const { attack, attacked } = await attackPictures(part, inputs, batch, { first, count });
        record = attack.record;
        adversarial.set(attack.input.data, (first * batch.data.length) / total);
        for (const note of notesOn(attacked, attack.notes)) notes.add(note);
        for (const [i, one] of attacked.entries()) {
          const png = pngName(first + i, one);
          const context = { model, layer: layer.name, preprocessing, record, classNames, detectors };
          const picture = await drawAttack(one, context);
          throwIfAborted(signal);
          await writeFileAtomic(join(out, png), picture);
          written.push(join(out, png));
          // Of what is drawn only the record is still needed: memory does not grow with maps and activations.
          samples.push(sampleRecordOf(one, probe, classNames, png));
        }
      }
    } finally {
      progress.stop();
    }
    if (record === undefined) throw new UnitscopeError('bad-input', 'there is no picture to attack');
    const result = recordOf(probe, { attack: record, preprocessing, dissection, samples, notes: [...notes] });
    await writeFileAtomic(join(out, ARRAY_FILE), writeNpy({ dims: batch.dims, data: adversarial }));
    await writeFileAtomic(join(out, RECORD_FILE), `${JSON.stringify(result, null, 1)}\n`);
    const lines = [
      ...(quiet ? [] : [`preprocessing ${describePreprocessing(preprocessing)}`]),
      ...describeAttack(result, labels, classNames),
      ...(quiet ? [] : [...written, ...files].map((path) => `wrote ${path}`)),
    ];
    streams.out.write(json === true ? `${JSON.stringify(result, null, 2)}\n` : `${lines.join('\n')}\n`);
  } finally {
    await model.close();
  }
}

function requireSense(options: AttackCommandOptions): void {
  const { method, norm, epsilon, range } = options;
  const refuse = (why: string) => new UnitscopeError('wrong-use', why);
  if (method === 'fgsm') {
    for (const [name, value] of [
      ['--steps', options.steps],
      ['--step-size', options.stepSize],
      ['--start', options.start],
      ['--seed', options.seed],
    ] as const) {
      if (value !== undefined) throw refuse(`${name} is about pgd; fgsm is one step of epsilon`);
    }
    if (norm !== 'linf') throw refuse('fgsm is an attack under linf; under l2 take --method pgd');
  }
  if (norm === 'linf' && epsilon !== undefined && epsilon > Number(range)) {
    throw refuse(`--epsilon ${epsilon} is more than the whole range of a picture, ${range} by --range`);
  }
}

function targetOf(
  { target }: AttackCommandOptions,
  classNames: readonly string[] | undefined,
): number | undefined {
  if (target === undefined) return undefined;
  const parsed = parseTarget(target, classNames);
  if (parsed !== 'top1') return parsed;
  throw new UnitscopeError(
    'wrong-use',
    '--target names the class to reach; to leave the top class, give none',
  );
}

function attackOptionsOf(
  { input }: Model,
  { method, norm, epsilon, range, steps, stepSize, start, seed }: AttackCommandOptions,
  preprocessing: Preprocessing,
): AttackOptions {
  const part = (value: number) => value / Number(range);
  return {
    method,
    norm,
    ...(epsilon === undefined ? {} : { epsilon: part(epsilon) }),
    ...(stepSize === undefined ? {} : { stepSize: part(stepSize) }),
    ...(steps === undefined ? {} : { steps }),
    ...(start === undefined ? {} : { randomStart: start === 'random' }),
    ...(seed === undefined ? {} : { seed }),
    // Of other channels than three there is no preprocessing: arrays are taken to be in 0..1.
    ...(input.dims?.[1] === 3 ? { scale: scaleOf(preprocessing) } : {}),
  };
}

function notesOn(attacked: readonly Attacked[], notes: readonly string[]): string[] {
  const ofMaps = attacked.flatMap(({ maps }) =>
    [maps.before, maps.after].flatMap(({ explanation }) => explanation.notes),
  );
  return [...notes, ...ofMaps];
}

/** Names that sort as the pictures follow each other, and differ where theirs do not. */
function pngName(number: number, { path, index, label }: Attacked): string {
  const stem = basename(path, extname(path));
  const row = label.endsWith(']') ? `-${index}` : '';
  return `${String(number + 1).padStart(3, '0')}-${stem}${row}.png`;
}

function parsePositive(text: string): number {
  const number = Number(text);
  if (text.trim() === '' || !(number > 0 && Number.isFinite(number)))
    throw new InvalidArgumentError('It must be a number above 0.');
  return number;
}
