import { type Tensor, UnitscopeError } from '@unitscope/tensor';

/**
 * Pictures as the tree sees them: N pictures, D filters of the network's top convolution (SPEC: decision tree, 1 and 2).
 * All arrays are rows of pictures; a score is y = g·x + b exactly.
 */
export interface TreeSamples {
  readonly filters: number;
  /** [N, D]: what every filter finds, in units of its mean over the positive pictures. */
  readonly x: Float64Array;
  /** [N, D]: how the score changes with it, of length 1. */
  readonly g: Float64Array;
  /** [N]: the score, in the units in which the gradient has length 1. */
  readonly y: Float64Array;
  /** [N]: y - g·x. */
  readonly b: Float64Array;
  /** [N]: the length that the gradient had, so `y * norms` is the network's score. */
  readonly norms: Float64Array;
  /** The pictures of the category. */
  readonly positive: readonly boolean[];
  /** [D]: the mean activation of every filter over the positive pictures; 0 of a dead one. */
  readonly scales: Float64Array;
}

/** Pictures left out of a tree, by their numbers in the order they came in. */
export interface ExcludedPicture {
  readonly picture: number;
  readonly reason: string;
}

export interface CollectedSamples {
  readonly samples: TreeSamples;
  /** For every row of the samples, the number of the picture in the order they came in. */
  readonly pictures: readonly number[];
  readonly excluded: readonly ExcludedPicture[];
  /** Filters that no positive picture activates; their columns are zero. */
  readonly deadFilters: readonly number[];
}

/**
 * Samples of gradients of any length, with y the score: every gradient is brought to length 1, and the score with it
 * (SPEC: decision tree, 2). Rows whose gradient is zero must have been left out.
 */
export function normalizeSamples(parts: {
  readonly filters: number;
  readonly x: Float64Array;
  readonly g: Float64Array;
  readonly y: Float64Array;
  readonly positive: readonly boolean[];
  readonly scales: Float64Array;
}): TreeSamples {
  const { filters, x, positive, scales } = parts;
  const g = Float64Array.from(parts.g);
  const y = Float64Array.from(parts.y);
  const b = new Float64Array(y.length);
  const norms = new Float64Array(y.length);
  for (let n = 0; n < y.length; n++) {
    const row = g.subarray(n * filters, (n + 1) * filters);
    const norm = Math.hypot(...row);
    norms[n] = norm;
    let product = 0;
    for (let d = 0; d < filters; d++) {
      row[d]! /= norm;
      product += row[d]! * x[n * filters + d]!;
    }
    y[n]! /= norm;
    b[n] = y[n]! - product;
  }
  return { filters, x, g, y, b, norms, positive, scales };
}

/**
 * Takes the top maps of pictures and the gradients of the score at them, batch by batch, and keeps only their sums
 * over the map.
 */
export class SampleCollector {
  readonly #sumsOfMaps: Float64Array[] = [];
  readonly #sumsOfGradients: Float64Array[] = [];
  readonly #scores: number[] = [];
  readonly #positive: boolean[] = [];
  readonly #given: Float64Array | undefined;
  #filters: number | undefined;
  #cells = 0;

  /** `scales` of a tree, to see pictures as it does; by default, those of the pictures that are added. */
  constructor(scales?: Float64Array) {
    this.#given = scales;
    this.#filters = scales?.length;
  }

  /**
   * Adds n pictures: `maps`, x after ReLU and mask, and `gradients`, dy/dx, are [n, D, L, L]; `scores` is y before a
   * softmax, [n]. Throws `bad-input` for maps of other dims than before, and for what is not finite.
   */
  add(maps: Tensor, gradients: Tensor, scores: Tensor, positive: readonly boolean[]): void {
    const [count = 0, filters = 0, height = 0, width = 0] = maps.dims;
    const cells = height * width;
    if (maps.dims.length !== 4 || cells * filters === 0) {
      throw new UnitscopeError(
        'bad-input',
        `a tree is learned from maps [N, D, h, w], the layer has dims [${maps.dims.join(', ')}]; name a convolutional layer`,
        { subject: 'maps' },
      );
    }
    this.#filters ??= filters;
    if (this.#cells === 0) this.#cells = cells;
    const fits =
      this.#filters === filters &&
      this.#cells === cells &&
      gradients.data.length === maps.data.length &&
      scores.data.length === count &&
      positive.length === count;
    if (!fits) {
      throw new UnitscopeError(
        'bad-input',
        `maps [${maps.dims.join(', ')}], gradients [${gradients.dims.join(', ')}], ${scores.data.length} scores and ${positive.length} labels do not belong to the same pictures and filters`,
        { subject: 'maps' },
      );
    }
    for (let n = 0; n < count; n++) {
      this.#sumsOfMaps.push(sumsOf(maps.data, n * filters, filters, cells));
      this.#sumsOfGradients.push(sumsOf(gradients.data, n * filters, filters, cells));
      this.#scores.push(scores.data[n]!);
      this.#positive.push(positive[n]!);
    }
  }

  /**
   * The samples of all pictures. A picture whose gradient is zero, or where something is not finite, is left out and
   * recorded. Throws `bad-input` where a tree is to be learned and fewer than two positive pictures are left.
   */
  samples(): CollectedSamples {
    const filters = this.#filters ?? 0;
    const scales = this.#given ?? this.#meanActivations();
    const excluded: ExcludedPicture[] = [];
    const kept: { picture: number; x: Float64Array; g: Float64Array }[] = [];
    for (const [picture, maps] of this.#sumsOfMaps.entries()) {
      const x = maps.map((sum, d) => (scales[d] === 0 ? 0 : sum / scales[d]!));
      const g = this.#sumsOfGradients[picture]!.map((sum, d) => (scales[d]! / this.#cells) * sum);
      const norm = Math.hypot(...g);
      if (!Number.isFinite(norm + x.reduce((sum, value) => sum + value, this.#scores[picture]!))) {
        excluded.push({ picture, reason: 'its maps, gradients or score are not finite' });
      } else if (norm === 0) {
        excluded.push({ picture, reason: 'its score does not change with any filter' });
      } else {
        kept.push({ picture, x, g });
      }
    }
    const pictures = kept.map(({ picture }) => picture);
    const positive = pictures.map((picture) => this.#positive[picture]!);
    const found = positive.filter(Boolean).length;
    if (found < 2 && this.#given === undefined) {
      throw new UnitscopeError(
        'bad-input',
        `a tree needs at least two pictures of the category with a gradient, there ${found === 1 ? 'is one' : 'are none'} among ${this.#scores.length} pictures`,
        { subject: 'pictures' },
      );
    }
    const samples = normalizeSamples({
      filters,
      x: joined(kept.map(({ x }) => x)),
      g: joined(kept.map(({ g }) => g)),
      y: Float64Array.from(pictures, (picture) => this.#scores[picture]!),
      positive,
      scales,
    });
    const deadFilters = Array.from(scales.keys()).filter((d) => scales[d] === 0);
    return { samples, pictures, excluded, deadFilters };
  }

  /** s_d: the mean of filter d over places and positive pictures. */
  #meanActivations(): Float64Array {
    const scales = new Float64Array(this.#filters ?? 0);
    let count = 0;
    for (const [picture, sums] of this.#sumsOfMaps.entries()) {
      if (!this.#positive[picture] || !sums.every(Number.isFinite)) continue;
      count++;
      for (let d = 0; d < scales.length; d++) scales[d]! += sums[d]!;
    }
    return scales.map((sum) => (count === 0 ? 0 : sum / (count * this.#cells)));
  }
}

function sumsOf(data: Float32Array, first: number, filters: number, cells: number): Float64Array {
  return Float64Array.from({ length: filters }, (_, d) => {
    let sum = 0;
    const from = (first + d) * cells;
    for (let i = 0; i < cells; i++) sum += data[from + i]!;
    return sum;
  });
}

function joined(rows: readonly Float64Array[]): Float64Array {
  const length = rows[0]?.length ?? 0;
  const all = new Float64Array(rows.length * length);
  for (const [i, row] of rows.entries()) all.set(row, i * length);
  return all;
}
