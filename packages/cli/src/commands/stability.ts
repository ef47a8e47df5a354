import { basename, join } from 'node:path';
import {
  DATA_SET_LAYOUTS,
  type DataSet,
  describePreprocessing,
  type ObjectBatch,
  type Preprocessing,
  readPreprocessing,
  streamObjects,
} from '@unitscope/data';
import {
  formatCsv,
  INSTABILITY_PROTOCOLS,
  type InstabilityProtocol,
  LocationInstability,
  type LocationInstabilityOptions,
  type LocationInstabilityResult,
} from '@unitscope/metrics';
import type { Layer, Model } from '@unitscope/model';
import { type Tensor, UnitscopeError, writeFileAtomic } from '@unitscope/tensor';
import { type Command, Option } from 'commander';
import { addSplitOption, dataRecordOf, openData } from '../data-options.js';
import { inputSizeOf, mapDimsOf } from '../layer-maps.js';
import { loadModel } from '../load-model.js';
import { addRunOptions, onErrorOption, preprocessOption, type RunOptions } from '../options.js';
import { type RunIdentity, WHOLE } from '../passes/identity.js';
import { runPass } from '../passes/run-pass.js';
import { type Pass, readPass, readRunIdentity, requireResumable, savePass } from '../passes/saved-pass.js';
import { createProgress } from '../progress.js';
import type { Surroundings } from '../streams.js';
import { formatTable } from '../table.js';
import { version } from '../version.js';

interface StabilityOptions extends RunOptions {
  readonly out: string;
  readonly data: string;
  readonly split?: string;
  readonly layer: string;
  readonly preprocess: string;
  readonly protocol: InstabilityProtocol;
  readonly onError: 'stop' | 'skip';
  readonly resume?: boolean;
}

const STATE_FILE = 'stability.npz';
const RESULT_FILES = ['stability.json', 'stability.csv'] as const;
const DEFAULT_BATCH_SIZE = 16;

/** `unitscope stability MODEL --data DIR --layer L --out DIR`: how steadily filters point at parts of objects. */
export function addStabilityCommand(program: Command, surroundings: Surroundings): void {
  const command = program
    .command('stability')
    .description(
      'Location instability: how much the distance between a filter and a landmark of objects varies.',
    )
    .argument('<model>', 'the ONNX file')
    .requiredOption('--out <dir>', 'the folder for results, and for the state of a run that is not finished')
    .requiredOption('--data <dir>', `objects with landmarks: ${DATA_SET_LAYOUTS}`)
    .option('--layer <name>', 'a node, a value, or last-conv; before its ReLU', 'last-conv')
    .addOption(
      new Option('--protocol <name>', 'whose way of measuring')
        .choices([...INSTABILITY_PROTOCOLS])
        .default(INSTABILITY_PROTOCOLS[0]),
    )
    .addOption(preprocessOption())
    .addOption(onErrorOption())
    .option('--resume', 'go on with a run that was stopped');
  addRunOptions(addSplitOption(command)).action((model: string, options: StabilityOptions) =>
    runStability(model, options, surroundings),
  );
}

interface StabilityPass extends Pass {
  readonly stat: LocationInstability;
}

async function runStability(
  modelPath: string,
  options: StabilityOptions,
  { streams, signal }: Surroundings,
): Promise<void> {
  const { out, json, quiet, onError } = options;
  const preprocessing = await readPreprocessing(options.preprocess);
  const dataSet = await openData(options);
  if (dataSet.landmarkNames.length === 0) {
    throw new UnitscopeError(
      'bad-input',
      `${options.data} has no landmarks; location instability is about them`,
      {
        subject: options.data,
      },
    );
  }
  const model = await loadModel(modelPath, options, streams);
  try {
    const layer = model.layer(options.layer);
    const measured = measureOf(model, layer, dataSet, options.protocol);
    const identity = identityOf(model, layer, dataSet, preprocessing, measured);
    const path = join(out, STATE_FILE);
    const saved = await readPass(path, readRunIdentity);
    requireResumable(path, saved?.pass, { identity, shard: WHOLE, resume: options.resume === true });
    const pass: StabilityPass =
      saved === undefined
        ? { identity, shard: WHOLE, done: 0, skipped: [], stat: new LocationInstability(measured) }
        : { ...saved.pass, stat: LocationInstability.fromState(saved.state.get('stat'), measured) };
    const isQuiet = quiet === true || json === true;
    const say = (text: string) => {
      if (!isQuiet) streams.out.write(text);
    };
    say(`preprocessing ${describePreprocessing(preprocessing)}\n`);
    const progress = createProgress(streams, 'measuring', isQuiet);
    const stream = (numbers: readonly number[], stop: AbortSignal) =>
      streamObjects(dataSet, {
        preprocessing,
        size: inputSizeOf(model),
        numbers,
        batchSize: options.batchSize ?? DEFAULT_BATCH_SIZE,
        onError,
        signal: stop,
      });
    await runPass(
      pass,
      stream,
      { signal, onProgress: (done, total) => progress.update(done, total) },
      {
        take: (batch) => take(pass.stat, batch, model, layer, signal),
        save: () => savePass(path, pass, { stat: pass.stat.toState() }),
      },
    ).finally(() => progress.stop());
    const result = pass.stat.result();
    requireObjects(result, options.data);
    const record = { ...identity.record, skipped: pass.skipped, ...result };
    await writeFileAtomic(join(out, RESULT_FILES[0]), `${JSON.stringify(record, null, 1)}\n`);
    await writeFileAtomic(join(out, RESULT_FILES[1]), formatFilters(result));
    if (json)
      streams.out.write(`${JSON.stringify({ out, files: RESULT_FILES, ...summaryOf(result) }, null, 2)}\n`);
    else streams.out.write(describe(result));
    if (pass.skipped.length > 0) say(`left out ${pass.skipped.length} pictures that could not be used\n`);
    say(`wrote ${RESULT_FILES.join(' and ')} to ${out}\n`);
  } finally {
    await model.close();
  }
}

async function take(
  stat: LocationInstability,
  { inputs, landmarks, categories, objectNumbers }: ObjectBatch,
  model: Model,
  layer: Layer,
  signal: AbortSignal,
): Promise<void> {
  if (objectNumbers.length === 0) return;
  const maps: Tensor | undefined = (await model.activations([layer.name], inputs, { signal })).get(
    layer.name,
  );
  if (maps === undefined) throw new UnitscopeError('not-found', `${layer.name} gave no activations`);
  await stat.add({ activations: maps, landmarks, categories, numbers: objectNumbers });
}

function measureOf(
  model: Model,
  layer: Layer,
  { landmarkNames, objectCategories }: DataSet,
  protocol: InstabilityProtocol,
): LocationInstabilityOptions {
  const { height, width } = inputSizeOf(model);
  const { receptiveField } = layer;
  if (receptiveField === undefined) {
    throw new UnitscopeError(
      'unsupported',
      `layer ${layer.name} lies behind an operator that is not local, so its units have no place in the picture`,
      { subject: layer.name },
    );
  }
  return {
    protocol,
    filters: mapDimsOf(layer)[0],
    landmarks: landmarkNames,
    categories: objectCategories,
    origin: receptiveField.centre,
    step: receptiveField.stride,
    input: [height, width],
  };
}

function identityOf(
  model: Model,
  layer: Layer,
  dataSet: DataSet,
  preprocessing: Preprocessing,
  { origin, step, input, protocol = INSTABILITY_PROTOCOLS[0] }: LocationInstabilityOptions,
): RunIdentity {
  return {
    record: {
      unitscope: version,
      method: 'location-instability',
      model: { file: basename(model.path ?? ''), sha256: model.sha256 },
      engine: { name: model.engine.name, versions: model.engine.versions },
      layer: layer.name,
      data: dataRecordOf(dataSet),
      preprocessing: { ...preprocessing },
      parameters: { protocol, origin, step, input },
    },
    count: dataSet.examples.length,
  };
}

function requireObjects({ categories }: LocationInstabilityResult, path: string): void {
  if (categories.some(({ objects }) => objects > 0)) return;
  throw new UnitscopeError(
    'bad-input',
    `${path} has no object of 50 x 50 pixels or more with a landmark that can be seen`,
    { subject: path },
  );
}

const summaryOf = ({ protocol, instability, landmarks, categories }: LocationInstabilityResult) => ({
  protocol,
  instability,
  landmarks,
  categories,
});

function describe({
  protocol,
  instability,
  filters,
  landmarks,
  categories,
}: LocationInstabilityResult): string {
  const counted = filters.filter((filter) => !Number.isNaN(filter.instability)).length;
  const shown = (value: number) => (Number.isNaN(value) ? 'too few' : value.toFixed(4));
  return [
    `location instability ${shown(instability)} diagonals, over ${counted} of ${filters.length} filters (${protocol})\n`,
    formatTable(
      ['landmark', 'instability'],
      landmarks.map((each) => [each.name, shown(each.instability)]),
    ),
    formatTable(
      ['category', 'objects', 'instability'],
      categories.map((each) => [each.name, each.objects, shown(each.instability)]),
    ),
  ].join('\n');
}

/** One line for each filter: its category, its instability and that of each landmark, empty where there is none. */
function formatFilters({ filters, landmarks }: LocationInstabilityResult): string {
  const header = ['filter', 'category', 'instability', ...landmarks.map(({ name }) => name)];
  const rows = filters.map((each) => [each.filter, each.category, each.instability, ...each.landmarks]);
  return formatCsv([header, ...rows]);
}
