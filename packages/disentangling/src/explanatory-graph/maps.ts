import { indexOfNonFinite, sizeOf, type Tensor, UnitscopeError } from '@unitscope/tensor';

// Below this share of a filter's typical deviation a place says more about padding than about pictures.
const LEAST_SHARE = 0.01;

/**
 * Mean and deviation of every place of the maps of a layer, one picture at a time (Welford's recurrence): the same bits
 * however the pictures come in batches.
 */
export class PlaceDeviations {
  readonly dims: readonly [filters: number, height: number, width: number];
  count = 0;
  readonly mean: Float64Array;
  /** Sums of squared differences from the mean. */
  readonly squares: Float64Array;

  constructor(dims: readonly [number, number, number]) {
    this.dims = dims;
    this.mean = new Float64Array(sizeOf(dims));
    this.squares = new Float64Array(this.mean.length);
  }

  /** @param maps `[pictures, filters, height, width]`; throws `bad-input` for other dims, NaN or infinity */
  add(maps: Tensor): void {
    requireMaps(maps, this.dims);
    const { mean, squares } = this;
    const { length } = mean;
    for (let start = 0; start < maps.data.length; start += length) {
      this.count++;
      for (let i = 0; i < length; i++) {
        const value = maps.data[start + i]!;
        const before = value - mean[i]!;
        mean[i] = mean[i]! + before / this.count;
        squares[i] = squares[i]! + before * (value - mean[i]!);
      }
    }
  }

  /**
   * The deviation at every place, `[filters, height, width]`, 1/count as in the authors' code. A place that varies less
   * than 1 % of its filter's root mean square gets that; a filter that does not vary at all gets 0, and is inactive.
   */
  scale(): Tensor {
    const [filters, height, width] = this.dims;
    const cells = height * width;
    const data = new Float32Array(this.mean.length);
    for (let filter = 0; filter < filters; filter++) {
      let sum = 0;
      for (let i = filter * cells; i < (filter + 1) * cells; i++) sum += this.squares[i]!;
      const least = LEAST_SHARE * Math.sqrt(sum / (cells * Math.max(1, this.count)));
      for (let i = filter * cells; i < (filter + 1) * cells; i++)
        data[i] = Math.max(least, Math.sqrt(this.squares[i]! / Math.max(1, this.count)));
    }
    return { dims: [...this.dims], data };
  }
}

/**
 * The maps as the graph sees them: divided by the deviation of their place, -1 where they are not above 0 or the filter
 * says nothing. Quantised, the active ones of each map are rounded to 256 levels of it.
 *
 * @param maps `[pictures, filters, height, width]`, a convolution's result before its ReLU
 * @param scale `[filters, height, width]`, of `PlaceDeviations`
 */
export function prepareMaps(maps: Tensor, scale: Tensor, options: { readonly quantised: boolean }): Tensor {
  requireMaps(maps, scale.dims);
  const data = new Float32Array(maps.data.length);
  const { length } = scale.data;
  for (let i = 0; i < data.length; i++) {
    const value = maps.data[i]!;
    const unit = scale.data[i % length]!;
    // Division in double, rounded once; a tiny unit could take it beyond float32.
    data[i] = value > 0 && unit > 0 ? Math.min(value / unit, MOST_ACTIVE) : -1;
  }
  if (options.quantised) quantise(data, sizeOf(scale.dims.slice(1)));
  return { dims: [...maps.dims], data };
}

const MOST_ACTIVE = 2 ** 64;
const LEVELS = 255;

function quantise(data: Float32Array, cells: number): void {
  for (let start = 0; start < data.length; start += cells) {
    const map = data.subarray(start, start + cells);
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const value of map) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    if (high <= low) continue;
    const step = (high - low) / LEVELS;
    for (let i = 0; i < cells; i++) {
      const value = low + Math.round((map[i]! - low) / step) * step;
      map[i] = value > 0 ? value : -1;
    }
  }
}

/** The pictures of a batch `[n, channels, height, width]` mirrored from left to right. */
export function mirrorBatch({ dims, data }: Tensor): Tensor {
  const width = dims.at(-1) ?? 0;
  const mirrored = new Float32Array(data.length);
  for (let start = 0; start < data.length; start += width) {
    for (let x = 0; x < width; x++) mirrored[start + x] = data[start + width - 1 - x]!;
  }
  return { dims: [...dims], data: mirrored };
}

function requireMaps({ dims, data }: Tensor, [filters = 0, height = 0, width = 0]: readonly number[]): void {
  const [pictures = 0, ...rest] = dims;
  const fits = dims.length === 4 && rest.join() === [filters, height, width].join();
  if (!fits || data.length !== pictures * filters * height * width) {
    throw new UnitscopeError(
      'bad-input',
      `maps must be [pictures, ${filters}, ${height}, ${width}], they have dims [${dims.join(', ')}]`,
    );
  }
  const broken = indexOfNonFinite(data);
  if (broken !== -1)
    throw new UnitscopeError('bad-input', `activation ${broken} is ${data[broken]}; it must be finite`);
}
