import { filterTargets, RunningZ } from '@unitscope/kernels';
import { decodeState, encodeState } from '@unitscope/metrics';
import type { Dim, ElementType, GraphBuilder } from '@unitscope/onnx';
import { type Tensor, type TensorData, UnitscopeError } from '@unitscope/tensor';
import type { BatchSummary } from './filter-state.js';
import {
  emitPaperGradient,
  emitReleasedGradient,
  FILTER_OUTPUTS,
  type FilterOutputs,
} from './gradient-subgraph.js';
import type { InterpretableLayer } from './interpretable-layer.js';
import { hasTwoSides, keepsZ, sideWeights } from './layer-options.js';

/** What the term needs of whoever writes a training graph: at a value, the signal that has arrived there. */
export interface TermContext {
  readonly value: string;
  readonly signal: string;
  readonly builder: GraphBuilder;
  input(name: string, type: ElementType, dims: readonly Dim[]): string;
  /** Gives a value out under a name of its own. */
  output(name: string, value: string, type: ElementType, dims: readonly Dim[] | undefined): void;
}

/** What it needs to know of a step. */
export interface TermView {
  /** Epochs done, with the fraction of the one under way. */
  readonly epoch: number;
  /** Pictures of the batch. */
  readonly count: number;
  /** The class of each picture. */
  readonly labels: readonly number[];
}

type Values = Readonly<Record<string, Tensor<TensorData>>>;

/** The filter losses of a layer as a term of training: written into the graph, fed before a step, told of its results. */
export interface FilterLossTerm {
  readonly name: string;
  readonly injections: readonly [{ readonly value: string; readonly emit: (context: TermContext) => string }];
  /** The loss of every filter at the last step, `[C]`; absent before it, and in the released reading. */
  readonly losses: Float32Array | undefined;
  feeds(view: TermView): Values;
  observe(outputs: ReadonlyMap<string, Tensor<TensorData>>, view: TermView): void;
  state(): ReadonlyMap<string, Float32Array>;
  restore(state: ReadonlyMap<string, Float32Array>): void;
}

export interface FilterLossTermOptions {
  /** Begins the names of its inputs; unique within a training graph. Default `filters`. */
  readonly name?: string;
  /**
   * Of each category of the layer, the class it is among those of the labels. By default category c is class c; a single
   * category is class 1, class 0 being the pictures without it.
   */
  readonly classes?: readonly number[];
  /**
   * The run-time input of the training graph that holds the slopes of the masks, `[C, 1, 1]`: needed where they are
   * learned.
   */
  readonly slopeInput?: string;
}

const STATE = 'bytes';

/**
 * Eq 10 inside a training graph: adds the gradient of the filter losses of `layer` to the signal at its maps, by standard
 * operators of version 18, so that a step stays one run. It has the numbers of `layer.filterLoss` to float32 rounding,
 * and the layer learns from every step in the same way.
 *
 * In the paper's reading the scores of all templates are one matrix product with the bank of templates, which maps of any
 * shape have; on maps that are not square a template falls along each axis by that axis's side, as the mask does.
 *
 * Throws `wrong-use` for classes that do not fit the layer's categories, `unsupported` for slopes that are learned but
 * are no input of the graph.
 *
 * @param value the maps before the mask, `[N, C, h, w]`
 */
export function filterLossTerm(
  layer: InterpretableLayer,
  value: string,
  options: FilterLossTermOptions = {},
): FilterLossTerm {
  const { name = 'filters', slopeInput } = options;
  const { categories, slopeRate } = layer.options;
  const classes =
    options.classes ??
    (categories === 1 ? [1] : Array.from({ length: categories }, (_, category) => category));
  if (classes.length !== categories) {
    throw new UnitscopeError(
      'wrong-use',
      `the layer has ${categories} categories, classes are given for ${classes.length}`,
      { subject: 'classes' },
    );
  }
  if (slopeRate > 0 && slopeInput === undefined) {
    throw new UnitscopeError(
      'unsupported',
      'slopes that are learned must be an input of the training graph: name it as slopeInput, or take slopeRate 0',
      { subject: 'slopeInput' },
    );
  }
  const { channels } = layer.shape;
  let losses: Float32Array | undefined;
  const labelsOf = ({ labels, count }: TermView): Tensor<Uint8Array> => {
    if (labels.length !== count) {
      throw new UnitscopeError('bad-input', `filter losses need the class of each of ${count} pictures`);
    }
    const data = Uint8Array.from(labels.flatMap((label) => classes.map((own) => (label === own ? 1 : 0))));
    return { dims: [count, categories], data };
  };
  const find = (outputs: ReadonlyMap<string, Tensor<TensorData>>, kind: keyof FilterOutputs) => {
    const found = outputs.get(`${name}.${kind}`);
    return found?.data instanceof Float32Array ? { dims: found.dims, data: found.data } : undefined;
  };
  const read = (outputs: ReadonlyMap<string, Tensor<TensorData>>, kind: keyof FilterOutputs): Tensor => {
    const found = find(outputs, kind);
    if (found !== undefined) return found;
    throw new UnitscopeError('bad-input', `the step gave out no "${name}.${kind}"`, { subject: name });
  };
  const emit = ({ value: maps, signal, builder, input, output }: TermContext): string => {
    const writer = {
      builder,
      name,
      input: (stem: string, dims: readonly Dim[]) => input(`${name}.${stem}`, 'float32', dims),
    };
    const gradient =
      layer.options.reading === 'paper'
        ? emitPaperGradient(writer, maps, layer.shape, layer.options)
        : emitReleasedGradient(writer, maps, layer.shape, layer.options, slopeInput);
    for (const kind of FILTER_OUTPUTS) {
      const of = gradient.outputs[kind];
      if (of !== undefined) output(`${name}.${kind}`, of, 'float32', gradient.dims(kind));
    }
    return builder.node('Add', [signal, gradient.total], {}, { name: `${name}/Add` });
  };

  return {
    name,
    injections: [{ value, emit }],
    get losses() {
      return losses;
    },
    feeds: (view) => {
      layer.state.startEpoch(Math.floor(view.epoch) + 1);
      const targets = filterTargets(layer.state.categories, labelsOf(view));
      const feeds = new Map<string, Tensor>();
      feedTo((stem, tensor) => feeds.set(`${name}.${stem}`, tensor), layer, targets, view.count);
      if (slopeInput !== undefined) feeds.set(slopeInput, slopesOf(layer));
      return Object.fromEntries(feeds);
    },
    observe: (outputs, view) => {
      const labels = labelsOf(view);
      const targets = filterTargets(layer.state.categories, labels);
      const [logSum, loss] = [find(outputs, 'logSum'), find(outputs, 'loss')];
      const [strengths, spreads] = [find(outputs, 'strengths'), find(outputs, 'spreads')];
      const flat = (tensor: Tensor): Tensor => ({ dims: [view.count, channels], data: tensor.data });
      const summary: BatchSummary = {
        sums: flat(read(outputs, 'sums')),
        largest: flat(read(outputs, 'largest')),
        ...(logSum === undefined ? {} : { z: partitionOf(logSum, view.count) }),
        ...(strengths === undefined || spreads === undefined
          ? {}
          : { spread: { strengths: flat(strengths), spreads: flat(spreads) } }),
      };
      layer.state.take(summary, labels, targets);
      losses = loss?.data.slice();
    },
    // A byte is a whole number of float32: what a checkpoint of float32 arrays keeps exactly.
    state: () => new Map([[STATE, Float32Array.from(encodeState(layer.toState()))]]),
    restore: (state) => {
      const bytes = state.get(STATE);
      if (bytes === undefined) {
        throw new UnitscopeError('bad-file', `the checkpoint has no state of the filter losses "${name}"`, {
          subject: name,
        });
      }
      layer.restore(decodeState(Uint8Array.from(bytes), `the state of "${name}"`));
    },
  };
}

/** Z of a batch from log sum e^score, `[1, C, T]`. */
function partitionOf({ dims, data }: Tensor, images: number): RunningZ {
  const [, channels = 0, templates = 0] = dims;
  return RunningZ.fromState({
    ...{ channels, templates, images },
    largest: Float64Array.from(data),
    sum: new Float64Array(data.length).fill(1),
  });
}

function slopesOf(layer: InterpretableLayer): Tensor {
  return { dims: [layer.shape.channels, 1, 1], data: layer.state.slopes };
}

/** Gives the run-time inputs of a step, by the ends of their names. */
function feedTo(
  feed: (stem: string, tensor: Tensor) => void,
  { options, state, shape }: InterpretableLayer,
  targets: Tensor<Uint8Array>,
  count: number,
): void {
  const { strength } = options;
  const scalar = (number: number): Tensor => ({ dims: [], data: Float32Array.of(number) });
  if (hasTwoSides(options)) feed('targets', { dims: targets.dims, data: Float32Array.from(targets.data) });
  if (keepsZ(options)) {
    const z = state.zSoFar();
    const { largest, sum } = z.toState();
    const data = new Float32Array(sum.length);
    for (let at = 0; at < data.length; at++) {
      // e^-1e30 is nothing, and unlike minus infinity it can be subtracted from itself.
      data[at] = sum[at] === 0 ? -1e30 : largest[at]! + Math.log(sum[at]!);
    }
    feed('logSumBefore', { dims: [z.channels, z.templates], data });
    feed('logShare', scalar(Math.log(count / (z.images + count))));
  }
  if (options.reading === 'released') feed('logCount', scalar(Math.log(count)));
  if (strength.kind === 'magnitude') {
    const size = (strength.magnitude ?? 0) / (state.epoch * count);
    const weights = sideWeights(options, state.categories);
    const data = Float32Array.from(targets.data, (target, at) => {
      const [positive, negative] = weights[at % shape.channels]!;
      return size * (target !== 0 || !hasTwoSides(options) ? positive : negative);
    });
    feed('sizes', { dims: targets.dims, data });
    return;
  }
  const { previous, decay } = state.largestSoFar();
  const share = strength.kind === 'constant' ? 0 : (strength.scale ?? 1) / state.epoch;
  const base = previous.map((mean) =>
    strength.kind === 'constant' ? strength.lambda : share * decay * mean,
  );
  feed('strength', { dims: [shape.channels], data: Float32Array.from(base) });
  feed('strengthShare', scalar(share * (1 - decay)));
}
