import {
  type Dim,
  type Graph,
  type GraphBuilder,
  indexGraph,
  inferShapes,
  insertAfter,
  type Node,
  nodeLabel,
  opsetOf,
  upgradeOpset,
} from '@unitscope/onnx';
import { Random, UnitscopeError, unknownName } from '@unitscope/tensor';
import { type MaskRecord, masksOf, withMasks } from './interpretable-record.js';
import type { MapShape, Reading } from './map-shape.js';
import { maskSubgraph } from './mask-subgraph.js';
import { nonNegativeValues } from './non-negative.js';

/** How the weights of the added convolution begin: the papers' N(0, 0.01), or He's N(0, sqrt(2 / 9 C)). */
export type AddedInit = (typeof ADDED_INITS)[number];

export const ADDED_INITS = ['normal', 'he'] as const;

export interface AddedConvolution {
  /** Default `normal`; `he` keeps the scale of the maps, which layers trained before count on. */
  readonly init?: AddedInit;
  /** Of the weights. Default 0. */
  readonly seed?: number;
}

export interface MakeInterpretableOptions {
  /** Default `paper`. */
  readonly reading?: Reading;
  /** Of the masks; the reading's own by default. */
  readonly slope?: number;
  /**
   * Puts another convolution (3 x 3, as many channels, bias 0) and a ReLU behind the last of the layers, and masks its
   * maps too, as the papers do. None by default.
   */
  readonly addedConvolution?: AddedConvolution | undefined;
  /** Dims of the network's input, where the file leaves a size open: they become those of the file. */
  readonly inputDims?: readonly Dim[];
}

/**
 * The network with the filters of some layers made interpretable (Zhang, Wu and Zhu, CVPR 2018): behind the activation of
 * each layer, before whatever reads it, its maps are masked (`maskSubgraph`). Training it with the filter losses of these
 * maps, `filterLossTerm`, is what makes filters stand for parts; `masksOf` tells which values they are.
 *
 * The masked network has the operators and version of the file it comes from, is brought to version 18 only from below 8,
 * and runs in any ONNX Runtime. Values keep their names; an output of the file that is one of the maps stays unmasked.
 *
 * Throws `not-found` for a layer; `unsupported` for a layer without maps or of one position, with maps of open size, or
 * whose maps may be negative; `wrong-use` for a layer that is masked already or named twice.
 *
 * @param layers names of nodes or values: an activation, or what is followed by one
 */
export function makeInterpretable(
  graph: Graph,
  layers: string | readonly string[],
  options: MakeInterpretableOptions = {},
): Graph {
  const names = typeof layers === 'string' ? [layers] : layers;
  if (names.length === 0) throw new UnitscopeError('wrong-use', 'no layer is named; name at least one');
  const base = opsetOf(graph) < FIRST_OPSET ? upgradeOpset(graph, RAISED_OPSET) : graph;
  const sized = options.inputDims === undefined ? base : withInputDims(base, options.inputDims);
  const before = masksOf(sized);
  const found = placesOf(sized, names);
  const masked = new Set(before.map(({ maps }) => maps));
  for (const { layer, maps } of found) {
    if (masked.has(maps)) {
      throw new UnitscopeError('wrong-use', `the maps of ${layer}, ${maps}, are masked already`, {
        subject: layer,
      });
    }
    masked.add(maps);
  }
  let made = sized;
  const records: MaskRecord[] = [];
  for (const [i, place] of found.entries()) {
    const added = i === found.length - 1 ? options.addedConvolution : undefined;
    made = insertAfter(made, place.maps, (builder) => {
      const record = writeMask(builder, place, false, options);
      records.push(record);
      if (added === undefined) return record.masked;
      const maps = writeConvolution(builder, record.masked, place, added);
      const second = writeMask(builder, { ...place, maps }, true, options);
      records.push(second);
      return second.masked;
    });
  }
  const order = new Map(
    made.nodes.flatMap(({ outputs }, at) => outputs.map((output) => [output, at] as const)),
  );
  const all = [...before, ...records].sort((a, b) => order.get(a.maps)! - order.get(b.maps)!);
  return withMasks(made, all);
}

// Below version 7 operators do not broadcast, and Max and Min do from version 8 on.
const FIRST_OPSET = 8;
const RAISED_OPSET = 18;

interface Place extends MapShape {
  readonly layer: string;
  readonly maps: string;
}

function writeMask(
  builder: GraphBuilder,
  { layer, maps, channels, height, width }: Place,
  added: boolean,
  { reading = 'paper', slope }: MakeInterpretableOptions,
): MaskRecord {
  const shape = { channels, height, width };
  const name = `interpretable/${layer}${added ? '/added' : ''}`;
  const steep = slope === undefined ? {} : { slope };
  const { masked, mask, slopes } = maskSubgraph(builder, maps, shape, { reading, name, ...steep });
  return { layer, reading, maps, masked, mask, slopes, added, ...shape };
}

function writeConvolution(
  builder: GraphBuilder,
  input: string,
  { layer, channels }: Place,
  { init = 'normal', seed = 0 }: AddedConvolution,
): string {
  if (!ADDED_INITS.includes(init)) throw unknownName('init', String(init), ADDED_INITS, 'wrong-use');
  const name = `interpretable/${layer}/added`;
  const deviation = init === 'normal' ? 0.01 : Math.sqrt(2 / (9 * channels));
  const weights = new Random(seed).normalTensor([channels, channels, 3, 3], 0, deviation);
  const weight = builder.constant({ type: 'float32', ...weights }, `${name}.weight`);
  const bias = builder.floats(new Array<number>(channels).fill(0), undefined, `${name}.bias`);
  const attributes = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
  const conv = builder.node('Conv', [input, weight, bias], attributes, { name: `${name}/Conv` });
  return builder.node('Relu', [conv], {}, { name: `${name}/Relu` });
}

function withInputDims(graph: Graph, dims: readonly Dim[]): Graph {
  const [input, ...others] = graph.inputs;
  if (input === undefined || others.length > 0) {
    throw new UnitscopeError(
      'unsupported',
      `the network has ${graph.inputs.length} inputs; dims can be given to one`,
    );
  }
  const stated = input.dims ?? dims;
  const fits =
    stated.length === dims.length &&
    stated.every((dim, axis) => typeof dim === 'string' || dim === dims[axis]);
  if (!fits) {
    throw new UnitscopeError(
      'wrong-use',
      `input "${input.name}" cannot have dims [${dims.join(', ')}]; the file says [${stated.join(', ')}]`,
      { subject: input.name },
    );
  }
  // What the file states of inner values may be of the open size.
  return { ...graph, inputs: [{ name: input.name, type: input.type, dims }], valueInfo: new Map() };
}

/** Where the maps of the layers are, in the order of the forward pass. */
function placesOf(graph: Graph, names: readonly string[]): readonly Place[] {
  const shapes = inferShapes(graph);
  const nonNegative = nonNegativeValues(graph);
  const { consumers } = indexGraph(graph);
  const places = names.map((layer): Place => {
    const maps = activationOf(graph, layer, nonNegative, consumers);
    return { layer, maps, ...shapeOf(layer, maps, shapes.dims(maps)) };
  });
  const order = new Map(
    graph.nodes.flatMap(({ outputs }, at) => outputs.map((output) => [output, at] as const)),
  );
  return places.sort((a, b) => order.get(a.maps)! - order.get(b.maps)!);
}

/** Operators a layer may have between itself and its activation. */
const BETWEEN: ReadonlySet<string> = new Set(
  'BatchNormalization InstanceNormalization Identity Dropout Relu Clip Sigmoid HardSigmoid Softplus'.split(
    ' ',
  ),
);

/** The value of the layer that is never negative: its own, or that of the activation that alone reads it. */
function activationOf(
  graph: Graph,
  layer: string,
  nonNegative: ReadonlySet<string>,
  consumers: (value: string) => readonly Node[],
): string {
  const node =
    graph.nodes.find(({ name }) => name === layer) ??
    graph.nodes.find(({ outputs }) => outputs.includes(layer));
  if (node === undefined) {
    const known = graph.nodes
      .flatMap(({ name, outputs }) => [name, ...outputs])
      .filter((name) => name !== '');
    throw unknownName('layer', layer, [...new Set(known)]);
  }
  let value = node.outputs.includes(layer) ? layer : node.outputs[0]!;
  while (!nonNegative.has(value)) {
    const [reader, ...others] = consumers(value);
    const isBias =
      (reader?.operator === 'Add' || reader?.operator === 'Mul') &&
      reader.inputs.some((input) => graph.initializers.has(input));
    if (reader === undefined || others.length > 0 || !(isBias || BETWEEN.has(reader.operator))) {
      const readers = [reader, ...others].flatMap((each) => (each === undefined ? [] : [nodeLabel(each)]));
      throw new UnitscopeError(
        'unsupported',
        `the maps of ${layer} may be negative, and a mask needs those of an activation such as a ReLU; ${
          readers.length === 0 ? `nothing reads ${value}` : `${value} is read by ${readers.join(', ')}`
        }: name the layer whose activation follows`,
        { subject: layer },
      );
    }
    value = reader.outputs[0]!;
  }
  return value;
}

function shapeOf(layer: string, maps: string, dims: readonly Dim[] | undefined): MapShape {
  const refuse = (why: string) => new UnitscopeError('unsupported', why, { subject: layer });
  const shown = dims === undefined ? 'unknown dims' : `dims [${dims.join(', ')}]`;
  if (dims === undefined || dims.length !== 4)
    throw refuse(`${layer} has no maps: ${maps} has ${shown}; name a convolution or its activation`);
  const [, channels, height, width] = dims;
  if (typeof channels !== 'number' || typeof height !== 'number' || typeof width !== 'number') {
    throw refuse(
      `the maps of ${layer} have ${shown}, and a mask needs their size; fix the input's by inputDims (--size on the command line)`,
    );
  }
  if (height * width === 1)
    throw refuse(`the maps of ${layer} have one position, so there is nothing to mask`);
  return { channels, height, width };
}
