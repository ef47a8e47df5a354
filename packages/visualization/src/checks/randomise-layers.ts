import {
  type Constant,
  floatAttribute,
  type Graph,
  indexGraph,
  type Node,
  tensorAttribute,
} from '@unitscope/onnx';
import { Random, UnitscopeError, unknownName } from '@unitscope/tensor';

/** A layer that has weights of its own. */
export interface WeightedLayer {
  /** The node's name; the name of its output where the file names it not. */
  readonly name: string;
  readonly operator: string;
  /** How many numbers are drawn or reset. */
  readonly parameters: number;
}

/** What becomes of one constant of a layer, by the name of its value. */
interface Parameter {
  readonly value: string;
  readonly constant: Constant;
  readonly renew: (data: Float32Array, random: Random) => Float32Array;
}

interface Found extends WeightedLayer {
  readonly own: readonly Parameter[];
}

const LINEAR = ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'];
/** Operators whose only input that matters is the first, if that is a constant. */
const REARRANGES = ['Identity', 'Transpose', 'Reshape', 'Squeeze', 'Unsqueeze', 'Flatten'];

/**
 * The layers that have weights, from the input to the output: convolutions, transposed convolutions, fully connected
 * ones, each with its bias and the batch normalisations that come before the next. Weights that two layers share belong
 * to the first.
 */
export function weightedLayers(graph: Graph): readonly WeightedLayer[] {
  return findLayers(graph).map(({ name, operator, parameters }) => ({ name, operator, parameters }));
}

/**
 * The network with some layers forgotten: their weights are drawn anew from the normal distribution of mean 0 and of
 * the root mean square the trained weights have, which keeps the scale of what comes out; biases are 0. A batch
 * normalisation has no mean, variance 1 and no shift, and for its scale, the same in all channels, the root mean square
 * of the trained ones, γ / √(σ² + ε). Everything else, slopes of PRelu and constants that are no weights, stays.
 *
 * A layer's draw depends on the seed and on its place in the network alone, not on which others are drawn.
 *
 * Throws `not-found` for a layer that has no weights.
 */
export function randomiseLayers(graph: Graph, names: Iterable<string>, seed: number): Graph {
  const layers = findLayers(graph);
  const master = new Random(seed);
  const seeds = new Map(layers.map(({ name }) => [name, master.integer(-(2 ** 31), 2 ** 31 - 1)]));
  const renewed = new Map<string, Constant>();
  for (const name of names) {
    const layer = layers.find((candidate) => candidate.name === name);
    if (layer === undefined) {
      throw unknownName(
        'layer with weights',
        name,
        layers.map((candidate) => candidate.name),
      );
    }
    const random = new Random(seeds.get(name)!);
    for (const { value, constant, renew } of layer.own) {
      renewed.set(value, { ...plain(constant), data: renew(floatsOf(constant, name), random) });
    }
  }
  return withConstants(graph, renewed);
}

function findLayers(graph: Graph): readonly Found[] {
  const index = indexGraph(graph);
  const source = (value: string): { readonly value: string; readonly constant: Constant } | undefined => {
    for (let at = value; ; ) {
      const initializer = graph.initializers.get(at);
      if (initializer !== undefined) return { value: at, constant: initializer };
      const maker = index.maker(at);
      const constant = maker?.operator === 'Constant' ? tensorAttribute(maker, 'value') : undefined;
      if (constant !== undefined) return { value: at, constant };
      if (maker === undefined || !REARRANGES.includes(maker.operator)) return undefined;
      at = maker.inputs[0] ?? '';
    }
  };
  const taken = new Set<string>();
  const take = (value: string | undefined, renew: Parameter['renew']): Parameter[] => {
    const found = value === undefined || value === '' ? undefined : source(value);
    if (found === undefined || taken.has(found.value) || found.constant.type !== 'float32') return [];
    taken.add(found.value);
    return [{ ...found, renew }];
  };
  const layers: { name: string; operator: string; own: Parameter[] }[] = [];
  const early: Parameter[] = [];
  for (const node of graph.nodes) {
    if (node.domain !== '') continue;
    if (LINEAR.includes(node.operator)) {
      const own = take(weightOf(node, source), draw);
      if (own.length === 0) continue;
      const [output = ''] = node.outputs;
      own.push(...take(node.inputs[2], reset(0)));
      for (const next of index.consumers(output)) {
        if (next.operator !== 'Add') continue;
        const other = next.inputs.find((input) => input !== output);
        const constant = other === undefined ? undefined : source(other)?.constant;
        if (constant !== undefined && constant.data.length > 1) own.push(...take(other, reset(0)));
      }
      layers.push({ name: node.name === '' ? output : node.name, operator: node.operator, own });
    } else if (node.operator === 'BatchNormalization') {
      (layers.at(-1)?.own ?? early).push(...normalisation(node, take, source));
    }
  }
  const [first] = layers;
  if (first !== undefined) first.own.unshift(...early);
  return layers.map(({ name, operator, own }) => ({
    name,
    operator,
    own,
    parameters: own.reduce((sum, { constant }) => sum + constant.data.length, 0),
  }));
}

type Source = (value: string) => { readonly constant: Constant } | undefined;

/** The constant factor of a linear node: never the first input, but for a product of matrices. */
function weightOf(node: Node, source: Source): string | undefined {
  const [first = '', second = ''] = node.inputs;
  return node.operator === 'MatMul' && source(second) === undefined ? first : second;
}

function normalisation(
  node: Node,
  take: (value: string | undefined, renew: Parameter['renew']) => Parameter[],
  source: Source,
): Parameter[] {
  const [, scale = '', shift, mean, variance = ''] = node.inputs;
  const [gamma, sigma] = [scale, variance].map((value) => source(value)?.constant.data);
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  if (!(gamma instanceof Float32Array) || !(sigma instanceof Float32Array)) return [];
  const gain = rootMeanSquare(gamma.map((value, c) => value / Math.sqrt(sigma[c]! + epsilon)));
  return [
    ...take(scale, reset(gain * Math.sqrt(1 + epsilon))),
    ...take(shift, reset(0)),
    ...take(mean, reset(0)),
    ...take(variance, reset(1)),
  ];
}

function draw(data: Float32Array, random: Random): Float32Array {
  const deviation = rootMeanSquare(data);
  return data.map(() => deviation * random.normal());
}

const reset = (value: number) => (data: Float32Array) => new Float32Array(data.length).fill(value);

function rootMeanSquare(data: Float32Array): number {
  let squares = 0;
  for (const value of data) squares += value * value;
  return Math.sqrt(squares / Math.max(data.length, 1));
}

const plain = ({ type, dims }: Constant) => ({ type, dims });

function floatsOf({ data }: Constant, layer: string): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new UnitscopeError('unsupported', `the weights of ${layer} are not float32`, { subject: layer });
}

function withConstants(graph: Graph, constants: ReadonlyMap<string, Constant>): Graph {
  const initializers = new Map(graph.initializers);
  for (const [name, constant] of constants) {
    if (initializers.has(name)) initializers.set(name, { name, ...constant });
  }
  const nodes = graph.nodes.map((node): Node => {
    const constant = node.operator === 'Constant' ? constants.get(node.outputs[0] ?? '') : undefined;
    if (constant === undefined) return node;
    return { ...node, attributes: new Map([['value', { kind: 'tensor', value: constant }]]) };
  });
  return { ...graph, initializers, nodes };
}
