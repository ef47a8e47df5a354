import { createHash } from 'node:crypto';
import {
  type CompiledPullback,
  type Composite,
  compile,
  findScore,
  gradient,
  type Objective,
} from '@unitscope/autodiff';
import { findLayer, type Layer, layersOf, Model } from '@unitscope/model';
import { cutGraph, type Dim, type Graph, inferShapes, withMetadata, writeModel } from '@unitscope/onnx';
import { UnitscopeError } from '@unitscope/tensor';
import { deriveFlippedWeights } from './flipped-weights.js';
import { GraphWriter } from './graph-writer.js';
import {
  type ParameterName,
  type Sketch,
  type StandaloneMethod,
  type StandaloneParameters,
  standaloneMethodNamed,
} from './methods.js';
import { readVersion } from './version.js';

/** Explains a channel of a layer instead of a class. */
export interface LayerObjective {
  readonly layer: string;
  /** Where it is strongest in each picture (`max`, the default), or its mean over the map. */
  readonly position?: 'max' | 'mean';
}

export interface StandaloneOptions extends Partial<StandaloneParameters> {
  /** Explain channels of this layer; classes by default. `target` is then the channel. */
  readonly unit?: LayerObjective;
  /** Dims of the picture instead of those in the file, as of `Model.load`; not with a `Model`, which has its own. */
  readonly inputDims?: readonly Dim[];
}

export const STANDALONE_DEFAULTS: StandaloneParameters = {
  steps: 50,
  baseline: 0,
  samples: 25,
  noise: 0.15,
  seed: 0,
  camLayer: 'last-conv',
};

const RESERVED = ['target', 'scores', 'map', 'chosen', 'score'] as const;

/** Of ONNX 1.13, which brought operator set 18. */
const IR_VERSION = 8;

/**
 * A network and its explanation as one graph of ONNX's standard operators (set 18), to be written by `writeModelFile`
 * and run anywhere ONNX Runtime runs.
 *
 * Inputs: the network's own, [N, C, H, W], and `target`, int64 [N], the class of each picture (-1: its highest).
 * Outputs: `scores`, the class scores before the softmax, [N, K] (absent where the network has none); `map`, signed
 * [N, C, H, W] or magnitudes [N, 1, H, W]; `score` [N], the scalar explained; `chosen`, int64 [N], the class explained.
 * For a unit, `target` is the channel and `chosen` the flat index of the unit into [C, h, w] (the channel, for means). A
 * class or channel that is not there has a map of zeros. All steps of a method explain what the picture itself chose.
 *
 * SmoothGrad and integrated gradients are a Loop around one forward and backward pass, so they take the memory of one.
 * The noise is a function of seed, sample and pixel alone, the same on every machine.
 *
 * The metadata under `unitscope.*` says method, parameters, objective, convention, notes, version and the SHA-256 of the
 * network.
 *
 * Throws `wrong-use` for a method there is not, parameters it does not take or that cannot be, and pictures without a
 * fixed size; `not-found` for a layer; `unsupported` for a network that cannot be differentiated, naming the node, or
 * whose target cannot be an input.
 */
export function compileExplanation(
  source: Graph | Model,
  methodName: string,
  options: StandaloneOptions = {},
): Graph {
  const method = standaloneMethodNamed(methodName);
  const parameters = parametersOf(method, options);
  const network = networkOf(source, options.inputDims);
  const { sketch, finish } = draw(network, method, parameters, options.unit);
  const map = method.write(sketch);
  const { unit } = options;
  const called = (layer: string) => findLayer(network.layers, layer).name;
  const { graph, notes } = finish(map);
  const record = {
    version: readVersion(),
    method: method.name,
    form: method.form,
    parameters: JSON.stringify(Object.fromEntries(method.parameters.map((name) => [name, parameters[name]]))),
    objective: JSON.stringify(
      unit === undefined
        ? { kind: 'class', score: 'logit' }
        : { kind: 'unit', layer: called(unit.layer), position: unit.position ?? 'max' },
    ),
    convention: method.convention,
    notes: notes.join('; '),
    source_sha256: network.sha256,
  };
  return withMetadata(
    graph,
    new Map(Object.entries(record).map(([key, value]) => [`unitscope.${key}`, value])),
  );
}

interface Network {
  readonly graph: Graph;
  readonly input: { readonly name: string; readonly dims: readonly Dim[] };
  readonly layers: readonly Layer[];
  readonly sha256: string;
}

function networkOf(source: Graph | Model, inputDims: readonly Dim[] | undefined): Network {
  const isModel = source instanceof Model;
  if (isModel && inputDims !== undefined) {
    throw new UnitscopeError(
      'wrong-use',
      'a Model has the dims it was loaded with; give inputDims to Model.load',
    );
  }
  const graph = isModel ? source.graph : source;
  const inputs = isModel ? [source.input] : graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  const [input] = inputs;
  if (input === undefined || inputs.length > 1 || input.type !== 'float32') {
    throw new UnitscopeError(
      'unsupported',
      `the network has inputs ${inputs.map(({ name, type }) => `${name} (${type})`).join(', ') || 'none'}; networks of one float32 input, the picture, are supported`,
    );
  }
  if (RESERVED.some((name) => name === input.name)) {
    throw new UnitscopeError(
      'unsupported',
      `the network's input is called "${input.name}", as one of the file's own would be; rename it`,
      { subject: input.name },
    );
  }
  const dims = fixedDims(input.name, input.dims, inputDims);
  const layers = isModel
    ? source.layers
    : layersOf(graph, inferShapes(graph, { inputs: { [input.name]: dims } }), input.name);
  const sha256 = isModel ? source.sha256 : createHash('sha256').update(writeModel(graph)).digest('hex');
  return { graph, input: { name: input.name, dims }, layers, sha256 };
}

/** The dims with a name for the batch axis where the file has none. */
function fixedDims(
  name: string,
  stated: readonly Dim[] | undefined,
  given: readonly Dim[] | undefined,
): readonly Dim[] {
  const [batch, ...sample] = given ?? stated ?? [];
  if (batch === undefined || !sample.every((dim) => typeof dim === 'number')) {
    const shown = stated === undefined ? 'unknown dims' : `[${stated.join(', ')}]`;
    throw new UnitscopeError(
      'wrong-use',
      `the network takes pictures of any size, ${name} ${shown}; choose one by inputDims (--size H,W on the command line)`,
      { subject: name },
    );
  }
  const fits = stated?.every((dim, axis) => typeof dim === 'string' || dim === given?.[axis]) ?? true;
  if (given !== undefined && (!fits || (stated ?? given).length !== given.length)) {
    throw new UnitscopeError(
      'wrong-use',
      `input "${name}" cannot have dims [${given.join(', ')}]; the file says [${stated?.join(', ')}]`,
      { subject: name },
    );
  }
  return [batch === '' ? 'N' : batch, ...sample];
}

function parametersOf(method: StandaloneMethod, options: StandaloneOptions): StandaloneParameters {
  const refuse = (why: string) => new UnitscopeError('wrong-use', why);
  const names = Object.keys(STANDALONE_DEFAULTS) as ParameterName[];
  const given = names.filter((name) => options[name] !== undefined);
  const foreign = given.find((name) => !method.parameters.includes(name));
  if (foreign !== undefined) {
    const takes = method.parameters.length === 0 ? 'no parameters' : method.parameters.join(', ');
    throw refuse(`${method.name} has no ${foreign}; it takes ${takes}`);
  }
  const parameters: StandaloneParameters = {
    ...STANDALONE_DEFAULTS,
    ...Object.fromEntries(given.map((name) => [name, options[name]])),
  };
  const { steps, samples, noise, seed, baseline } = parameters;
  for (const [name, count] of Object.entries({ steps, samples })) {
    if (!Number.isSafeInteger(count) || count < 1 || count > MOST_TURNS) {
      throw refuse(`${name} must be an integer from 1 to ${MOST_TURNS}, got ${count}`);
    }
  }
  if (!Number.isFinite(noise) || noise < 0) throw refuse(`noise must be 0 or more, got ${noise}`);
  if (!Number.isFinite(Math.fround(baseline))) throw refuse(`baseline must be a number, got ${baseline}`);
  if (!Number.isInteger(seed) || seed < 0 || seed > LARGEST_SEED) {
    throw refuse(`seed must be an integer from 0 to ${LARGEST_SEED}, got ${seed}`);
  }
  return parameters;
}

/** Nodes of Gauss and Legendre lie too close for float32 long before. */
const MOST_TURNS = 10_000;
const LARGEST_SEED = 2 ** 32 - 1;

/** The class scores before the softmax; undefined where the network ends in maps. */
function classScores(graph: Graph, dimsOf: (value: string) => readonly Dim[] | undefined) {
  const value = findScore(graph)?.logits;
  const dims = value === undefined ? undefined : dimsOf(value);
  const [, classes, ...positions] = dims ?? [];
  return value !== undefined && typeof classes === 'number' && positions.every((size) => size === 1)
    ? { value, classes }
    : undefined;
}

function camLayerOf({ layers, input }: Network, name: string): string {
  const layer = findLayer(layers, name);
  if (layer.dims?.length === 4 && input.dims.length === 4) return layer.value;
  throw new UnitscopeError(
    'wrong-use',
    `Grad-CAM weighs maps, ${layer.name} has dims [${layer.dims?.join(', ') ?? '?'}]; name a convolution`,
    { subject: layer.name },
  );
}

type OneObjective = Extract<Objective, { readonly kind: 'class' | 'unit' }>;

function objectiveIn({ graph, layers }: Network, unit: LayerObjective | undefined): OneObjective {
  if (unit !== undefined) {
    const { value } = findLayer(layers, unit.layer);
    return { kind: 'unit', value, position: unit.position ?? 'max' };
  }
  const score = findScore(graph);
  if (score !== undefined) return { kind: 'class', value: score.logits };
  throw new UnitscopeError('bad-file', `${graph.name || 'the network'} has no outputs`);
}

/** The file with its inputs; passes are written as the method asks for them. */
function draw(
  network: Network,
  method: StandaloneMethod,
  parameters: StandaloneParameters,
  unit: LayerObjective | undefined,
) {
  const { graph, input } = network;
  const inputDims = { [input.name]: input.dims };
  const shapes = inferShapes(graph, { inputs: inputDims });
  const objective = objectiveIn(network, unit);
  const classes = classScores(graph, shapes.dims);
  const [batch] = input.dims as [Dim];
  // All passes keep the same values, so that the forward passes in them are one.
  const cam = method.parameters.includes('camLayer') ? camLayerOf(network, parameters.camLayer) : undefined;
  const outputs = [classes?.value, cam].filter((value) => value !== undefined);
  const notes = new Set<string>();

  const pass = (composite: Composite, wrt: string, explained: OneObjective = objective) => {
    const compiled = compile(graph, {
      objective: explained,
      wrt: [wrt],
      composite,
      outputs: [...new Set(outputs)],
      inputDims,
    });
    for (const note of compiled.notes) notes.add(note);
    return compiled;
  };
  // What is explained is compiled first, since the operator set is that of the rules, or later where the network's is.
  const head = pass(gradient, input.name);
  const opset = head.graph.opsets.get('') ?? 0;
  const writer = new GraphWriter(graph.name || 'network', opset);
  for (const name of RESERVED) writer.reserve(name);
  const picture = writer.input({ name: input.name, type: 'float32', dims: input.dims });
  const target = writer.input({ name: 'target', type: 'int64', dims: [batch] });

  const insert = (into: GraphWriter, compiled: CompiledPullback, at: string, aim: string, values: string[]) =>
    into.insert(
      deriveFlippedWeights(cutGraph(compiled.graph, { outputs: values })),
      new Map([
        [input.name, at],
        [compiled.targetInput, aim],
      ]),
    );
  const signalOf = (compiled: CompiledPullback, wrt: string) => compiled.signals.get(wrt)!;
  const explained = [head.score, head.index].filter((value) => value !== undefined);
  const inHead = insert(writer, head, picture, target, [...explained, ...outputs]);
  const chosen = head.index === undefined ? target : inHead(head.index);

  let step: CompiledPullback | undefined;
  const sketch: Sketch = {
    writer,
    picture,
    dims: input.dims,
    parameters,
    signal: (composite) => {
      const compiled = pass(composite, input.name);
      const signal = signalOf(compiled, input.name);
      return insert(writer, compiled, picture, target, [signal])(signal);
    },
    camLayer: () => {
      if (cam === undefined) throw new Error(`${method.name} does not declare its layer`);
      const compiled = pass(gradient, cam);
      const signal = signalOf(compiled, cam);
      const values = insert(writer, compiled, picture, target, [signal, cam]);
      return { activation: values(cam), gradient: values(signal) };
    },
    stepGradient: (body, at) => {
      const fixed: OneObjective =
        objective.kind === 'unit' && objective.position === 'mean'
          ? objective
          : { kind: 'unit', value: objective.value, position: 'given' };
      step ??= pass(gradient, input.name, fixed);
      const signal = signalOf(step, input.name);
      return insert(body, step, at, chosen, [signal])(signal);
    },
  };

  const finish = (map: string) => {
    const mapDims = method.form === 'signed' ? input.dims : [batch, 1, ...input.dims.slice(2)];
    if (classes !== undefined) {
      const rows = writer.node('Reshape', [inHead(classes.value), writer.ints([-1, classes.classes])]);
      writer.output(rows, { name: 'scores', type: 'float32', dims: [batch, classes.classes] });
    }
    writer.output(map, { name: 'map', type: 'float32', dims: mapDims });
    if (head.score !== undefined) {
      writer.output(inHead(head.score), { name: 'score', type: 'float32', dims: [batch] });
    }
    writer.output(chosen, { name: 'chosen', type: 'int64', dims: [batch] });
    const built = writer.build();
    const irVersion = Math.max(IR_VERSION, graph.irVersion);
    return { graph: { ...built, irVersion }, notes: [...notes] };
  };
  return { sketch, finish };
}
