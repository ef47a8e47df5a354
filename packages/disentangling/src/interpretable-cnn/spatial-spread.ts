import { MAP_MOMENTS, mapMoments } from '@unitscope/kernels';
import { type Tensor, UnitscopeError } from '@unitscope/tensor';

export interface SpatialSpreadResult {
  /** Mean over the filters that have a value, in diagonals of the map; NaN without one. */
  readonly spread: number;
  /** Of each filter, the mean over the maps where it is active at all; NaN where it never is. */
  readonly filters: Float64Array;
  /** Of each filter, how many maps that were. */
  readonly active: Float64Array;
}

/**
 * How far the activations of a filter lie from their centre: sqrt(var_row + var_column) of a map with max(x, 0) as
 * weights, over the diagonal sqrt(h^2 + w^2), averaged over pictures. A filter of one part has a small spread, and
 * training it as an interpretable one makes it smaller; a map that is the same everywhere has about 0.41.
 */
export class SpatialSpread {
  readonly #sums: Float64Array;
  readonly #active: Float64Array;

  /** @param filters how many there are */
  constructor(filters: number) {
    this.#sums = new Float64Array(filters);
    this.#active = new Float64Array(filters);
  }

  /**
   * Takes in maps `[N, filters, h, w]`. Throws `bad-input` for other dims and for maps that are not finite, having taken
   * in nothing.
   */
  async add(maps: Tensor): Promise<void> {
    const filters = this.#sums.length;
    const [, channels, height = 0, width = 0] = maps.dims;
    if (maps.dims.length !== 4 || channels !== filters) {
      throw new UnitscopeError(
        'bad-input',
        `maps must be [N, ${filters}, height, width], they have dims [${maps.dims.join(', ')}]`,
      );
    }
    const { data } = (await mapMoments(maps)).moments;
    const stride = Object.keys(MAP_MOMENTS).length;
    const wrong = data.findIndex((value, at) => at % stride === MAP_MOMENTS.mass && !Number.isFinite(value));
    if (wrong !== -1) throw new UnitscopeError('bad-input', `map ${wrong / stride} is not finite`);
    const diagonal = Math.hypot(height, width);
    for (let map = 0; map * stride < data.length; map++) {
      const moment = (name: keyof typeof MAP_MOMENTS) => data[map * stride + MAP_MOMENTS[name]]!;
      if (!(moment('mass') > 0)) continue;
      this.#sums[map % filters]! += Math.sqrt(moment('varianceRow') + moment('varianceColumn')) / diagonal;
      this.#active[map % filters]!++;
    }
  }

  result(): SpatialSpreadResult {
    const filters = this.#sums.map((sum, filter) => sum / this.#active[filter]!);
    const known = filters.filter((spread) => !Number.isNaN(spread));
    const spread = known.reduce((sum, each) => sum + each, 0) / known.length;
    return { spread, filters, active: this.#active.slice() };
  }
}
