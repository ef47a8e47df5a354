import { type MapSimilarity, type MeanInterval, meanInterval, similarityTo } from '@unitscope/metrics';
import type { Model } from '@unitscope/model';
import { sliceBatch, type Tensor, throwIfAborted, UnitscopeError, unknownName } from '@unitscope/tensor';
import { type Explanation, explain } from '../methods/explain.js';
import type { MapForm, Method, MethodParameters } from '../methods/method.js';
import type { CheckOptions } from './options.js';
import { type RandomisationVerdict, verdictOf } from './randomisation-verdict.js';
import { randomiseLayers, type WeightedLayer, weightedLayers } from './randomise-layers.js';

/** From the output downwards, each layer and all above it (`cascading`), or one layer alone (`independent`). */
export type RandomisationOrder = 'cascading' | 'independent';

export const RANDOMISATION_ORDERS: readonly RandomisationOrder[] = ['cascading', 'independent'];

/** A map the check has made; of the trained network where `order` is undefined. */
export interface RandomisedMap {
  readonly order: RandomisationOrder | undefined;
  readonly layer: string | undefined;
  readonly explanation: Explanation;
}

export interface RandomisationOptions extends CheckOptions {
  /** Both by default. */
  readonly orders?: readonly RandomisationOrder[];
  /**
   * Layers with weights at which maps are compared; all by default. A cascade forgets the layers between them too.
   */
  readonly layers?: readonly string[];
  /** Of the weights; 0 by default. */
  readonly seed?: number;
  readonly onMap?: (map: RandomisedMap) => void;
}

/** Over the pictures; of the three measures, see `mapSimilarity`. */
export interface MeanSimilarity {
  readonly rankCorrelation: MeanInterval;
  readonly structuralSimilarity: MeanInterval;
  readonly orientedGradients: MeanInterval;
}

/** How alike a method's maps are before and after layers are forgotten. */
export interface RandomisationStep {
  /** The layer nearest the input that is forgotten. */
  readonly layer: string;
  /** How many layers are. */
  readonly forgotten: number;
  readonly signed: MeanSimilarity;
  readonly absolute: MeanSimilarity;
  /** Of each picture. */
  readonly similarities: readonly MapSimilarity[];
}

export interface RandomisationResult {
  readonly method: string;
  readonly parameters: MethodParameters;
  readonly form: MapForm;
  /** From the output to the input. */
  readonly orders: Readonly<Partial<Record<RandomisationOrder, readonly RandomisationStep[]>>>;
  /** Undefined without a cascade. */
  readonly verdict: RandomisationVerdict | undefined;
  readonly notes: readonly string[];
}

export interface RandomisationReport {
  readonly seed: number;
  /** The class explained in each picture: that of the trained network, in all networks. */
  readonly target: readonly number[];
  /** All layers with weights, from the input to the output. */
  readonly layers: readonly WeightedLayer[];
  readonly results: readonly RandomisationResult[];
}

/** A network with layers forgotten. */
interface State {
  readonly order: RandomisationOrder;
  readonly layer: string;
  readonly forgotten: readonly string[];
}

/**
 * Parameter randomisation (Adebayo, Gilmer, Muelly, Goodfellow, Hardt, Kim 2018, arXiv:1810.03292): layers forget what
 * they have learned (`randomiseLayers`), and a method that explains what the network has learned gives other maps. The
 * class that is explained stays the one the trained network gives each picture. For the verdict see `verdictOf`.
 *
 * Throws `unsupported` for a network without weights to draw, `not-found` for a layer that has none, `bad-input` for
 * maps with NaN or infinity, `wrong-use` without methods, layers or orders; else as `explain`.
 */
export async function checkParameterRandomisation(
  model: Model,
  batch: Tensor,
  methods: readonly Method[],
  options: RandomisationOptions = {},
): Promise<RandomisationReport> {
  const { orders = RANDOMISATION_ORDERS, seed = 0, signal, score, onMap, onProgress } = options;
  const layers = weightedLayers(model.graph);
  if (layers.length === 0)
    throw new UnitscopeError('unsupported', 'the network has no float32 weights that could be drawn anew');
  const states = statesOf(layers, orders, options.layers);
  if (methods.length === 0) throw new UnitscopeError('wrong-use', 'no method is checked; name at least one');
  const total = methods.length * (states.length + 1);
  let done = 0;
  let target = options.target;
  const explainAll = async (
    network: Model,
    receive: (explanation: Explanation, index: number) => void,
    at: Pick<RandomisedMap, 'order' | 'layer'>,
  ) => {
    for (const [i, method] of methods.entries()) {
      const explanation = await explain(network, method, batch, {
        ...(score === undefined ? {} : { score }),
        ...(signal === undefined ? {} : { signal }),
        ...(target === undefined ? {} : { target }),
      });
      target = explanation.target;
      receive(explanation, i);
      onMap?.({ ...at, explanation });
      onProgress?.({ done: ++done, total });
    }
  };
  onProgress?.({ done, total });

  const originals: (Explanation & { readonly similarities: Similarities })[] = [];
  const trained = { order: undefined, layer: undefined };
  const keep = (explanation: Explanation) =>
    originals.push({ ...explanation, similarities: eachPicture(explanation.map).map(similarityTo) });
  await explainAll(model, keep, trained);
  const steps = methods.map(() => new Map<RandomisationOrder, RandomisationStep[]>());
  for (const { order, layer, forgotten } of states) {
    throwIfAborted(signal);
    const network = await model.loadVariant(randomiseLayers(model.graph, forgotten, seed));
    try {
      const receive = ({ map }: Explanation, i: number) => {
        const own = steps[i]!.get(order) ?? [];
        own.push(stepOf(layer, forgotten.length, map, originals[i]!.similarities));
        steps[i]!.set(order, own);
      };
      await explainAll(network, receive, { order, layer });
    } finally {
      await network.close();
    }
  }
  return {
    seed,
    target: originals[0]!.target,
    layers,
    results: originals.map(({ method, parameters, form, notes }, i) => ({
      method,
      parameters,
      form,
      orders: Object.fromEntries(steps[i]!),
      verdict: verdictOf(steps[i]!.get('cascading') ?? [], layers.length),
      notes,
    })),
  };
}

/** At most so many of the layers, evenly over the network, the first and the last among them. */
export function spreadLayers(layers: readonly WeightedLayer[], count: number): readonly string[] {
  const names = layers.map(({ name }) => name);
  if (names.length <= count) return names;
  if (count < 2) return names.slice(-count);
  const places = Array.from({ length: count }, (_, i) => Math.round((i * (names.length - 1)) / (count - 1)));
  return places.map((place) => names[place]!);
}

function statesOf(
  layers: readonly WeightedLayer[],
  orders: readonly RandomisationOrder[],
  wanted: readonly string[] | undefined,
): readonly State[] {
  const downwards = layers.map(({ name }) => name).reverse();
  const missing = wanted?.find((name) => !downwards.includes(name));
  if (missing !== undefined) throw unknownName('layer with weights', missing, downwards);
  const stops = downwards.filter((name) => wanted?.includes(name) ?? true);
  if (stops.length === 0 || orders.length === 0)
    throw new UnitscopeError(
      'wrong-use',
      'no layer or no order of forgetting is asked for; name at least one',
    );
  return orders.flatMap((order) =>
    stops.map((layer) => ({
      order,
      layer,
      forgotten: order === 'independent' ? [layer] : downwards.slice(0, downwards.indexOf(layer) + 1),
    })),
  );
}

/** How alike a map is to the original's, of each picture. */
type Similarities = readonly ((map: Tensor) => MapSimilarity)[];

function eachPicture(map: Tensor): Tensor[] {
  return Array.from({ length: map.dims[0] ?? 0 }, (_, n) => sliceBatch(map, n, n + 1));
}

function stepOf(layer: string, forgotten: number, map: Tensor, originals: Similarities): RandomisationStep {
  const similarities = eachPicture(map).map((one, n) => originals[n]!(one));
  const means = (form: keyof MapSimilarity): MeanSimilarity => {
    const mean = (measure: keyof MeanSimilarity) =>
      meanInterval(similarities.map((similarity) => similarity[form][measure]));
    return {
      rankCorrelation: mean('rankCorrelation'),
      structuralSimilarity: mean('structuralSimilarity'),
      orientedGradients: mean('orientedGradients'),
    };
  };
  return { layer, forgotten, signed: means('signed'), absolute: means('absolute'), similarities };
}
