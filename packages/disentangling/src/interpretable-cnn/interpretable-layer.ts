import {
  argmaxMaps,
  betaOfReleasedSlope,
  filterTargets,
  type KernelOptions,
  maskBackward,
  maskForward,
  miGradient,
  miLoss,
  RunningZ,
  templateScores,
} from '@unitscope/kernels';
import type { StateReader, StateValue } from '@unitscope/metrics';
import { sameDims, type Tensor, UnitscopeError } from '@unitscope/tensor';
import { type BatchSummary, FilterState } from './filter-state.js';
import {
  hasTwoSides,
  type InterpretableLayerOptions,
  keepsZ,
  type ResolvedOptions,
  resolveOptions,
  sideWeights,
} from './layer-options.js';
import type { MapShape } from './map-shape.js';
import { readMaps, releasedDirection } from './released-gradient.js';
import { scaleToMagnitude } from './scale-to-magnitude.js';

/** Masked maps, and where the part of each was found. */
export interface MaskedMaps {
  /** `[N, C, n, n]`. */
  readonly masked: Tensor;
  /** The cell of each map's part, row * n + column, `[N, C]`. */
  readonly parts: Tensor<Int32Array>;
}

export interface FilterLoss {
  /**
   * Minus the mutual information between a filter's maps and the templates, `[C]`, in nats: with Z of the batch where
   * `zMode` is `exact` and in the released reading, else with the Z the layer keeps. Of the paper's templates in either.
   */
  readonly loss: Tensor;
  /**
   * To add to dL/dx of a classification loss L that is a mean over the batch (Eq 10), of the maps' dims. It holds the
   * strength of each filter.
   */
  readonly gradient: Tensor;
  /** lambda of each filter, `[C]`; of `magnitude`, which has no single one, NaN. */
  readonly strengths: Float64Array;
  /** 1 where a picture counted as one of the filter's category, `[N, C]`. */
  readonly targets: Tensor<Uint8Array>;
}

/**
 * An interpretable layer in training: masks its maps on the way forward and adds the gradient of the filter losses on the
 * way back (Zhang, Wu and Zhu, CVPR 2018, arXiv:1710.00935, Eq 8-11 of the survey). Over the native kernels; the same
 * layer inside a graph is written by `maskSubgraph` and `filterLossTerm`, and shares its state.
 */
export class InterpretableLayer {
  readonly shape: MapShape;
  readonly options: ResolvedOptions;
  readonly state: FilterState;
  readonly #kernels: KernelOptions;

  /** Throws `wrong-use` for options that cannot be. */
  constructor(shape: MapShape, options: InterpretableLayerOptions = {}) {
    const { backend } = options;
    this.shape = shape;
    this.options = resolveOptions(shape.channels, shape.height * shape.width, options);
    this.state = new FilterState(shape, this.options);
    this.#kernels = backend === undefined ? {} : { backend };
  }

  /** The beta of the kernels' masks: that of the paper, or what the released slopes come to. */
  #betas(): Float32Array {
    const { slopes } = this.state;
    return this.options.reading === 'paper'
      ? slopes
      : slopes.map((slope) => betaOfReleasedSlope(slope, this.shape.height));
  }

  get #location() {
    return this.options.reading === 'paper' ? ('argmax' as const) : ('centroid' as const);
  }

  /**
   * The masked maps, at training and test alike, pictures of other categories included.
   *
   * @param maps `[N, C, n, n]`, not negative; throws `bad-input` for other dims and `unsupported` for maps that are not
   *   square, which `maskSubgraph` alone masks
   */
  async forward(maps: Tensor): Promise<MaskedMaps> {
    this.#check(maps);
    const masks = { beta: this.#betas(), location: this.#location };
    const { y, mu } = await maskForward(maps, { ...this.#kernels, ...masks });
    return { masked: y, parts: mu };
  }

  /** dL/dx from dL/dy of the masked maps, the parts held where they are: dx = dy max(T, 0). */
  async backward(signal: Tensor, parts: Tensor<Int32Array>): Promise<Tensor> {
    this.#check(signal);
    return (await maskBackward(signal, parts, { ...this.#kernels, beta: this.#betas() })).dx;
  }

  /**
   * The filter losses of a batch and their gradient; the layer learns from the batch. Z and the mean activation include
   * the batch itself; filters keep the categories they had before it, so that a picture does not choose its own.
   *
   * Throws `bad-input` for other dims and for maps that are not finite, having learned nothing.
   *
   * @param maps `[N, C, n, n]`, not masked
   * @param labels `[N, categories]`, not 0 where the picture is of the category
   */
  async filterLoss(maps: Tensor, labels: Tensor<Uint8Array>): Promise<FilterLoss> {
    this.#check(maps);
    const [batch = 0] = maps.dims;
    this.#checkLabels(labels, batch);
    const targets = filterTargets(this.state.categories, labels);
    const { beta, tau, alpha } = this.options;
    const prior = { ...this.#kernels, beta, tau, alpha };
    const largest = await argmaxMaps(maps, this.#kernels);
    this.#requireFinite(largest.value);
    const { z, logZ } = await this.#partition(maps);
    const released = this.options.reading === 'released' ? readMaps(maps, this.state.slopes) : undefined;
    const direction =
      released === undefined
        ? (await miGradient(maps, { ...prior, ...logZ, mode: this.options.zMode, targets })).dx.data
        : releasedDirection(maps, targets, this.state.slopes, released);
    const { loss } = await miLoss(maps, { ...prior, ...logZ });
    const strengths = this.#strengths(largest.value);
    this.#scale(direction, targets, strengths);
    const [count = 0, channels = 0] = targets.dims;
    const summary: BatchSummary = {
      ...(z === undefined ? {} : { z }),
      sums: sumsOf(maps),
      largest: { dims: [count, channels], data: largest.value.data },
      ...(released === undefined ? {} : { spread: spreadOf(released, [count, channels]) }),
    };
    this.state.take(summary, labels, targets);
    return { loss, gradient: { dims: maps.dims, data: direction }, strengths, targets };
  }

  /** Z of the batch, and log Z of all that is kept with it, scaled to the batch; nothing where Z is the batch's own. */
  async #partition(
    maps: Tensor,
  ): Promise<{ readonly z?: RunningZ; readonly logZ?: { readonly logZ: Tensor } }> {
    const [batch = 0] = maps.dims;
    if (!keepsZ(this.options) || batch === 0) return {};
    const { beta, tau } = this.options;
    const { scores } = await templateScores(maps, { ...this.#kernels, beta, tau });
    const z = new RunningZ(this.shape.channels, this.shape.height * this.shape.width + 1);
    z.add(scores);
    const kept = this.state.zSoFar();
    kept.merge(z);
    return { z, logZ: { logZ: kept.logZ(batch) } };
  }

  /** lambda of each filter at this epoch. */
  #strengths({ data }: Tensor): Float64Array {
    const { strength } = this.options;
    const { channels } = this.shape;
    if (strength.kind === 'magnitude') return new Float64Array(channels).fill(Number.NaN);
    if (strength.kind === 'constant') return new Float64Array(channels).fill(strength.lambda);
    const batch = data.length / channels;
    const means = new Float64Array(channels);
    data.forEach((value, at) => {
      means[at % channels]! += value / batch;
    });
    const share = (strength.scale ?? 1) / this.state.epoch;
    return this.state.largestWith(means).map((mean) => share * mean);
  }

  #scale(direction: Float32Array, targets: Tensor<Uint8Array>, strengths: Float64Array): void {
    const { strength } = this.options;
    const { channels, height, width } = this.shape;
    const cells = height * width;
    const [batch = 0] = targets.dims;
    if (strength.kind !== 'magnitude') {
      for (let at = 0; at < direction.length; at++)
        direction[at]! *= strengths[Math.floor(at / cells) % channels]!;
      return;
    }
    const size = (strength.magnitude ?? 0) / (this.state.epoch * batch);
    // Where every picture has all templates there are no two sides to bring to one size.
    const sides = hasTwoSides(this.options) ? targets.data : undefined;
    scaleToMagnitude(
      direction,
      { batch, channels, cells },
      size,
      sides,
      sideWeights(this.options, this.state.categories),
    );
  }

  #check({ dims, data }: Tensor): void {
    const { channels, height, width } = this.shape;
    if (height !== width) {
      throw new UnitscopeError(
        'unsupported',
        `the filter loss needs square maps, these are ${height} x ${width}; let the network take square pictures`,
      );
    }
    const expected = [dims[0] ?? 0, channels, height, width];
    if (sameDims(dims, expected) && data.length === expected.reduce((size, dim) => size * dim, 1)) return;
    throw new UnitscopeError(
      'bad-input',
      `maps must be [N, ${channels}, ${height}, ${width}], they have dims [${dims.join(', ')}]`,
    );
  }

  #checkLabels({ dims, data }: Tensor<Uint8Array>, batch: number): void {
    const { categories } = this.options;
    if (sameDims(dims, [batch, categories]) && data.length === batch * categories) return;
    throw new UnitscopeError(
      'bad-input',
      `labels must be [${batch}, ${categories}], they have dims [${dims.join(', ')}]`,
      { subject: 'labels' },
    );
  }

  #requireFinite({ data }: Tensor): void {
    const wrong = data.findIndex((value) => !Number.isFinite(value));
    if (wrong === -1) return;
    const { channels } = this.shape;
    throw new UnitscopeError(
      'bad-input',
      `the map of picture ${Math.floor(wrong / channels)} and filter ${wrong % channels} is not finite; lower the learning rate`,
    );
  }

  /** Everything an exact resume needs, with the shape and the options it is of. */
  toState(): StateValue {
    return { identity: identityOf(this), state: this.state.toState() };
  }

  /** Takes on a saved state. Throws `bad-file` for one of another shape or other options, or that is damaged. */
  restore(saved: StateReader): void {
    const identity = saved.get('identity');
    if (identity.string() !== identityOf(this))
      throw identity.bad(`is of another layer or other options (${identity.string()})`);
    this.state.restore(saved.get('state'));
  }
}

/** What must be the same for a state to be of use; the slopes a layer starts with are part of its state. */
function identityOf({ shape, options: { slope: _, ...options } }: InterpretableLayer): string {
  return JSON.stringify({ shape, options });
}

function sumsOf({ dims, data }: Tensor): Tensor {
  const [batch = 0, channels = 0, height = 0, width = 0] = dims;
  const cells = height * width;
  const sums = Float32Array.from({ length: batch * channels }, (_, map) => {
    let sum = 0;
    for (let cell = map * cells; cell < (map + 1) * cells; cell++) sum += data[cell]!;
    return sum;
  });
  return { dims: [batch, channels], data: sums };
}

function spreadOf(
  { strengths, spreads }: ReturnType<typeof readMaps>,
  dims: readonly number[],
): NonNullable<BatchSummary['spread']> {
  return {
    strengths: { dims, data: Float32Array.from(strengths) },
    spreads: { dims, data: Float32Array.from(spreads) },
  };
}
