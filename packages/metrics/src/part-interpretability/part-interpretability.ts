import { type Tensor, UnitscopeError } from '@unitscope/tensor';
import type { Stat } from '../stat.js';
import type { StateReader, StateValue } from '../state.js';
import {
  type FieldTemplate,
  layTemplate,
  pixelOfUnit,
  type Region,
  runsOf,
  type UnitPlacement,
} from './field-template.js';

export interface PartInterpretabilityOptions extends UnitPlacement {
  /** T_f of each filter, P(x_ij > T_f) = 0.005 over the category's pictures (see `UnitThresholds`); NaN activates nothing. */
  readonly thresholds: Float64Array;
  /** What each filter looks at around a unit; or one template for all of them. */
  readonly fields: readonly FieldTemplate[];
  /** The parts, by their index in the label maps. */
  readonly parts: readonly { readonly index: number; readonly name: string }[];
  /** A filter hits a part above it. Default 0.2. */
  readonly iouThreshold?: number;
}

/** Pictures of one category. */
export interface PartBatch {
  /** `[n, filters, h, w]` */
  readonly activations: Tensor;
  /** `[n, layers, H, W]` at the size of the network's input: the label of every pixel in each layer, 0 for none. */
  readonly labels: Tensor<Int32Array>;
}

export interface FilterParts {
  /** 0-based channel. */
  readonly filter: number;
  /** max_k P_fk; NaN where no picture has a part. */
  readonly score: number;
  /** The part of the score; of equals the first in the list. Undefined where no picture has a part. */
  readonly part: string | undefined;
  /** P_fk of each part: hits over pictures that have it, NaN where none has. */
  readonly hitRates: readonly number[];
}

export interface PartInterpretabilityResult {
  /** Mean over the filters of max_k P_fk; NaN where no picture has a part. Larger is better. */
  readonly interpretability: number;
  readonly pictures: number;
  readonly parts: readonly { readonly name: string; readonly pictures: number }[];
  readonly filters: readonly FilterParts[];
}

/**
 * Part interpretability (Zhang, Wu and Zhu 2018, Interpretable Convolutional Neural Networks, arXiv:1710.00935,
 * section 4) over the pictures of one category. In a picture I the region S_f(I) of filter f is what it looks at around
 * its units with x_ij > T_f, laid over each other and clipped to the picture; f hits part k if
 * |S_f & S_k| / |S_f | S_k| > 0.2 in that picture; P_fk is the share of hits among the pictures that have the part,
 * max_k P_fk the filter's score, and its mean over the filters the result. Only integers are counted: every split of the
 * pictures gives the same result.
 */
export class PartInterpretability implements Stat<PartBatch, PartInterpretabilityResult> {
  readonly #options: PartInterpretabilityOptions;
  readonly #iouThreshold: number;
  readonly #runs: ReturnType<typeof runsOf>[];
  readonly #placeOf: Map<number, number>;
  #pictures = 0;
  /** Of each part the pictures that have it. */
  readonly #withPart: Float64Array;
  /** `[filters, parts]` */
  readonly #hits: Float64Array;

  constructor(options: PartInterpretabilityOptions) {
    const { thresholds, fields, parts, iouThreshold = 0.2 } = options;
    const refuse = (why: string) => new UnitscopeError('wrong-use', why);
    if (thresholds.length === 0) throw refuse('part interpretability needs thresholds of filters');
    if (fields.length !== 1 && fields.length !== thresholds.length)
      throw refuse(
        `${fields.length} fields are given for ${thresholds.length} filters; give one, or one for each`,
      );
    if (!(iouThreshold >= 0 && iouThreshold < 1))
      throw refuse(`iouThreshold must be from 0 to below 1, it is ${iouThreshold}`);
    this.#placeOf = new Map(parts.map(({ index }, place) => [index, place]));
    if (parts.length === 0 || this.#placeOf.size !== parts.length || this.#placeOf.has(0))
      throw refuse('parts need an index each, from 1');
    this.#options = options;
    this.#iouThreshold = iouThreshold;
    this.#runs = fields.map(runsOf);
    this.#withPart = new Float64Array(parts.length);
    this.#hits = new Float64Array(thresholds.length * parts.length);
  }

  /** Throws `bad-input` for shapes that do not fit and activations that are NaN, with nothing counted. */
  add(batch: PartBatch): Promise<void> {
    const { images, layers } = this.#check(batch);
    const [height, width] = this.#options.input;
    const region: Region = { mask: new Uint8Array(height * width), top: height, bottom: 0 };
    const size = layers * height * width;
    for (let image = 0; image < images; image++) {
      const labels = batch.labels.data.subarray(image * size, (image + 1) * size);
      this.#count(batch.activations, image, this.#partsAt(labels), region);
    }
    this.#pictures += images;
    return Promise.resolve();
  }

  /** Of each part its pixels, row by row. */
  #partsAt(labels: Int32Array): Int32Array[] {
    const [height, width] = this.#options.input;
    const pixels = height * width;
    const found = this.#options.parts.map(() => new Set<number>());
    for (let i = 0; i < labels.length; i++) {
      const place = labels[i] === 0 ? undefined : this.#placeOf.get(labels[i]!);
      if (place !== undefined) found[place]!.add(i % pixels);
    }
    return found.map((set) => Int32Array.from(set));
  }

  #count(activations: Tensor, image: number, parts: readonly Int32Array[], region: Region): void {
    parts.forEach((pixels, place) => {
      if (pixels.length > 0) this.#withPart[place]! += 1;
    });
    const filters = this.#options.thresholds.length;
    for (let filter = 0; filter < filters; filter++) {
      const size = this.#layRegion(activations, image, filter, region);
      if (size === 0) continue;
      parts.forEach((pixels, place) => {
        let intersection = 0;
        for (const pixel of pixels) intersection += region.mask[pixel]!;
        const isHit = intersection / (size + pixels.length - intersection) > this.#iouThreshold;
        if (isHit && pixels.length > 0) this.#hits[filter * parts.length + place]! += 1;
      });
    }
  }

  /** Makes S_f(I) in `region`, and says how many pixels it has. */
  #layRegion({ dims, data }: Tensor, image: number, filter: number, region: Region): number {
    const [, filters = 0, rows = 0, columns = 0] = dims;
    const { input, thresholds } = this.#options;
    region.mask.fill(0, region.top * input[1], region.bottom * input[1]);
    region.top = input[0];
    region.bottom = 0;
    const runs = this.#runs[this.#runs.length === 1 ? 0 : filter]!;
    const start = (image * filters + filter) * rows * columns;
    for (let unit = 0; unit < rows * columns; unit++) {
      if (!(data[start + unit]! > thresholds[filter]!)) continue;
      const place = pixelOfUnit(this.#options, Math.floor(unit / columns), unit % columns);
      layTemplate(runs, place, input, region);
    }
    let size = 0;
    for (let i = region.top * input[1]; i < region.bottom * input[1]; i++) size += region.mask[i]!;
    return size;
  }

  #check({ activations, labels }: PartBatch): { images: number; layers: number } {
    const { thresholds, input } = this.#options;
    const [images = 0, filters, rows = 0, columns = 0] = activations.dims;
    const size = images * thresholds.length * rows * columns;
    if (activations.dims.length !== 4 || filters !== thresholds.length || activations.data.length !== size) {
      throw new UnitscopeError(
        'bad-input',
        `activations must be [n, ${thresholds.length}, h, w], they have dims [${activations.dims.join(', ')}]`,
      );
    }
    const [, layers = 0] = labels.dims;
    const expected = [images, layers, ...input];
    if (
      labels.dims.join() !== expected.join() ||
      labels.data.length !== images * layers * input[0] * input[1]
    ) {
      throw new UnitscopeError(
        'bad-input',
        `labels must be [${images}, layers, ${input.join(', ')}], they have dims [${labels.dims.join(', ')}]`,
      );
    }
    if (activations.data.some(Number.isNaN))
      throw new UnitscopeError('bad-input', 'the activations are not all numbers');
    return { images, layers };
  }

  merge(other: PartInterpretability): void {
    if (JSON.stringify(other.#identity()) !== JSON.stringify(this.#identity()))
      throw new UnitscopeError('wrong-use', 'only part interpretabilities of the same options can be merged');
    this.#pictures += other.#pictures;
    other.#withPart.forEach((count, i) => {
      this.#withPart[i]! += count;
    });
    other.#hits.forEach((count, i) => {
      this.#hits[i]! += count;
    });
  }

  #identity() {
    const { thresholds, parts, origin, step, input, fields } = this.#options;
    return {
      // As text, in which NaN and infinity differ.
      thresholds: Array.from(thresholds, String),
      fields: fields.map(({ height, width, data }) => [height, width, Buffer.from(data).toString('base64')]),
      parts: parts.map(({ index, name }) => ({ index, name })),
      placement: [...origin, ...step, ...input],
      iouThreshold: this.#iouThreshold,
    };
  }

  result(): PartInterpretabilityResult {
    const { parts, thresholds } = this.#options;
    const filters = Array.from({ length: thresholds.length }, (_, filter): FilterParts => {
      const hitRates = parts.map((__, k) => this.#hits[filter * parts.length + k]! / this.#withPart[k]!);
      const best = hitRates.reduce((most, rate, k) => (rate > (hitRates[most] ?? -1) ? k : most), -1);
      return { filter, score: hitRates[best] ?? Number.NaN, part: parts[best]?.name, hitRates };
    });
    return {
      interpretability: filters.reduce((sum, { score }) => sum + score, 0) / filters.length,
      pictures: this.#pictures,
      parts: parts.map(({ name }, k) => ({ name, pictures: this.#withPart[k]! })),
      filters,
    };
  }

  toState(): StateValue {
    return { ...this.#identity(), pictures: this.#pictures, withPart: this.#withPart, hits: this.#hits };
  }

  /** @param options those it was saved under */
  static fromState(state: StateReader, options: PartInterpretabilityOptions): PartInterpretability {
    const made = new PartInterpretability(options);
    made.#pictures = state.get('pictures').count();
    made.#withPart.set(state.get('withPart').array(Float64Array, made.#withPart.length));
    made.#hits.set(state.get('hits').array(Float64Array, made.#hits.length));
    return made;
  }
}
