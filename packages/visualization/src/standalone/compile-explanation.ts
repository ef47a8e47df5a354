import { findScore } from '@unitscope/autodiff';
import { type Model, resolveTargets } from '@unitscope/model';
import { type Dim, type Graph, metadataOf, withMetadata } from '@unitscope/onnx';
import { UnitscopeError } from '@unitscope/tensor';
import { baselinePicture } from '../methods/baseline.js';
import { notesOnRules } from '../methods/explain.js';
import { methodNamed } from '../methods/table.js';
import {
  type ParameterName,
  type StandaloneMethod,
  type StandaloneParameters,
  standaloneMethodNamed,
} from './methods.js';
import { type LayerObjective, metadataFor, type StandaloneRecord } from './record.js';
import { type Explained, RESERVED, Sketch } from './sketch.js';
import { version } from './version.js';

export interface StandaloneOptions extends Partial<StandaloneParameters> {
  /** Explain channels of this layer; classes by default. `target` is then the channel. */
  readonly unit?: LayerObjective;
  /** The class or channel, once and for all; by default it is an input of the file. */
  readonly target?: number | 'top1';
}

/** A graph to be written as a file, and what its metadata says. */
export interface Standalone {
  readonly graph: Graph;
  readonly record: StandaloneRecord;
}

const DEFAULTS: StandaloneParameters = {
  steps: 50,
  baseline: 0,
  samples: 25,
  noise: 0.15,
  seed: 0,
  layer: 'last-conv',
};

/**
 * A network and its explanation as one graph of ONNX's standard operators, to be written by `writeModelFile` and run
 * anywhere ONNX Runtime runs. Operator set 18 and IR version 8 (ONNX 1.13), or later ones where the network's are.
 *
 * Inputs: the network's own, [N, C, H, W], and `target`, int64 [N], the class of each picture (below 0: its highest).
 * Outputs: `scores`, the class scores before the softmax, [N, K] (absent where the network has none); `map`, [N, C, H, W]
 * or [N, 1, H, W], as of the method; `score` [N], the scalar explained; `chosen`, int64 [N], the class explained. For a
 * unit, `target` is the channel and `chosen` the flat index of the unit into [C, h, w] (the channel, for means). A class
 * that is not there has a map of zeros; of a channel that is not there, nothing is promised. All steps of a method
 * explain what the picture itself chose.
 *
 * SmoothGrad and integrated gradients are a Loop around one forward and backward pass, so they take the memory of one.
 * The noise is that of `standaloneNoise`, the same on every machine.
 *
 * The metadata under `unitscope.*` says method, parameters, objective, convention, notes, version and the SHA-256 of the
 * network; the network's own metadata stays.
 *
 * Throws `wrong-use` for a method there is not, parameters it does not take or that cannot be, and pictures without a
 * fixed size; `not-found` for a layer, class or channel; `unsupported` for a network that cannot be differentiated,
 * naming the node, or whose names a file has taken.
 */
export function compileExplanation(
  model: Model,
  methodName: string,
  options: StandaloneOptions = {},
): Standalone {
  const method = standaloneMethodNamed(methodName);
  const parameters = parametersOf(method, options);
  const { unit } = options;
  const input = pictureOf(model);
  requireBaseline(parameters, input.dims);
  const objective = objectiveOf(model, unit);
  const sketch = new Sketch({
    graph: model.graph,
    input,
    objective,
    scores: classScores(model),
    target: targetOf(model, objective, options.target),
    cam: method.reads.includes('layer') ? camLayerOf(model, parameters.layer) : undefined,
  });
  const graph = sketch.finish(method.write(sketch, parameters), method.oneChannel);
  const described = methodNamed(method.name);
  const [first] = sketch.passes;
  const notes = [
    ...new Set(sketch.passes.flatMap((pass) => pass.notes)),
    ...notesOnRules(described, first?.plan ?? [], unit !== undefined),
  ];
  const record: StandaloneRecord = {
    version,
    method: method.name,
    form: described.form,
    parameters: Object.fromEntries(method.reads.map((name) => [name, parameters[name]])),
    objective:
      unit === undefined
        ? { kind: 'class', score: 'logit' }
        : { kind: 'unit', layer: model.layer(unit.layer).name, position: unit.position ?? 'max' },
    target: options.target ?? 'input',
    convention: method.convention,
    notes,
    source_sha256: model.sha256,
  };
  const metadata = new Map([...metadataOf(model.graph), ...metadataFor(record)]);
  return { graph: withMetadata(graph, metadata), record };
}

function pictureOf({ input, path, graph }: Model): Explained['input'] {
  const { name } = input;
  const [batch, ...sample] = input.dims ?? [];
  if (batch === undefined || !sample.every((dim) => typeof dim === 'number')) {
    throw new UnitscopeError(
      'wrong-use',
      `${path ?? (graph.name || 'the network')} takes pictures of any size, [${input.dims?.join(', ')}]; choose one by inputDims (--size H,W on the command line)`,
      { subject: name },
    );
  }
  if (RESERVED.some((reserved) => reserved === name)) {
    throw new UnitscopeError(
      'unsupported',
      `the network's input is called "${name}", as one of the file's own values is; rename it`,
      { subject: name },
    );
  }
  return { name, dims: [batch, ...sample] };
}

function parametersOf(method: StandaloneMethod, options: StandaloneOptions): StandaloneParameters {
  const refuse = (why: string) => new UnitscopeError('wrong-use', why);
  const names: readonly ParameterName[] = ['steps', 'baseline', 'samples', 'noise', 'seed', 'layer'];
  const given = Object.fromEntries(
    names.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
  );
  const foreign = Object.keys(given).find((name) => !method.reads.some((own) => own === name));
  if (foreign !== undefined) {
    const takes = method.reads.length === 0 ? 'no parameters' : method.reads.join(', ');
    throw refuse(`${method.name} has no ${foreign}; it takes ${takes}`);
  }
  // What the method itself refuses is refused here.
  methodNamed(method.name, given);
  const parameters: StandaloneParameters = { ...DEFAULTS, ...given };
  const { steps, samples, seed } = parameters;
  for (const [name, count] of Object.entries({ steps, samples })) {
    if (count > MOST_TERMS) throw refuse(`${name} must be at most ${MOST_TERMS}, got ${count}`);
  }
  if (!Number.isInteger(seed) || seed < 0 || seed > LARGEST_SEED) {
    throw refuse(`seed must be a whole number from 0 to ${LARGEST_SEED}, got ${seed}`);
  }
  return parameters;
}

/** A float32 sum of more terms has errors one could see. */
const MOST_TERMS = 10_000;
const LARGEST_SEED = 2 ** 32 - 1;

function requireBaseline({ baseline }: StandaloneParameters, [, ...sample]: readonly Dim[]): void {
  const { data } = baselinePicture(baseline, { dims: [1, ...sample.map(Number)], data: new Float32Array() });
  if (data.every(Number.isFinite)) return;
  throw new UnitscopeError('wrong-use', `the baseline must be finite in float32, got ${baseline}`, {
    subject: 'baseline',
  });
}

function objectiveOf(model: Model, unit: LayerObjective | undefined): Explained['objective'] {
  if (unit !== undefined) {
    const { value } = model.layer(unit.layer);
    return { kind: 'unit', value, position: unit.position ?? 'max' };
  }
  const score = findScore(model.graph);
  if (score !== undefined) return { kind: 'class', value: score.logits };
  throw new UnitscopeError('bad-file', `${model.graph.name || 'the network'} has no outputs`);
}

function targetOf(
  { layers }: Model,
  objective: Explained['objective'],
  target: StandaloneOptions['target'],
): number | undefined {
  const dims = layers.find(({ value }) => value === objective.value)?.dims;
  if (target === undefined || dims === undefined) return undefined;
  return Number(resolveTargets(target, objective, dims, 1)[0]);
}

/** The class scores before the softmax; undefined where the network ends in maps. */
function classScores({ graph, layers }: Model): Explained['scores'] {
  const value = findScore(graph)?.logits;
  const [, classes, ...positions] = layers.find((layer) => layer.value === value)?.dims ?? [];
  return value !== undefined && typeof classes === 'number' && positions.every((size) => size === 1)
    ? { value, classes }
    : undefined;
}

function camLayerOf(model: Model, name: string): string {
  const layer = model.layer(name);
  if (layer.dims?.length === 4 && model.input.dims?.length === 4) return layer.value;
  throw new UnitscopeError(
    'wrong-use',
    `${layer.name} has dims [${layer.dims?.join(', ') ?? '?'}], Grad-CAM needs a layer with maps, [N, C, h, w]`,
    { subject: layer.name },
  );
}
