import type { Model } from '@unitscope/model';
import { sameDims, sizeOf, type Tensor, UnitscopeError } from '@unitscope/tensor';

/** What a unit was and became, over the places of its map. */
export interface UnitChange {
  readonly unit: number;
  readonly maximum: { readonly before: number; readonly after: number };
  readonly mean: { readonly before: number; readonly after: number };
  /** The mean of |after - before| over the places. */
  readonly change: number;
}

/** How the activations of a layer differ between two versions of one picture. */
export interface ActivationChange {
  /** All units, those that changed most first; of equals the lower number. */
  readonly units: readonly UnitChange[];
  /** [h, w]: the Euclidean length of the change over the units at each place. */
  readonly places: Tensor;
}

/**
 * How a layer's activations of each picture differ between two batches of one size, [N, C, H, W].
 *
 * Throws `bad-input` for batches of different dims, `wrong-use` for a layer that gives no maps [N, units, h, w],
 * `not-found` for a layer, and as `Model.activations`.
 */
export async function compareActivations(
  model: Model,
  layer: string,
  before: Tensor,
  after: Tensor,
  options: { readonly signal?: AbortSignal } = {},
): Promise<ActivationChange[]> {
  if (!sameDims(before.dims, after.dims)) {
    throw new UnitscopeError(
      'bad-input',
      `[${before.dims.join(', ')}] cannot be compared with [${after.dims.join(', ')}]`,
    );
  }
  const maps = async (batch: Tensor) => (await model.activations([layer], batch, options)).get(layer)!;
  const [first, second] = [await maps(before), await maps(after)];
  const { dims } = first;
  if (dims.length !== 4) {
    throw new UnitscopeError(
      'wrong-use',
      `layer ${layer} gives [${dims.join(', ')}], not maps [N, units, height, width]; choose a convolution`,
      { subject: layer },
    );
  }
  const [count = 0, units = 0, height = 0, width = 0] = dims;
  const size = units * height * width;
  return Array.from({ length: count }, (_, n) => {
    const of = ({ data }: Tensor) => data.subarray(n * size, (n + 1) * size);
    return changeOf(of(first), of(second), [units, height, width]);
  });
}

function changeOf(
  before: Float32Array,
  after: Float32Array,
  [units, height, width]: readonly [number, number, number],
): ActivationChange {
  const plane = sizeOf([height, width]);
  const squares = new Float64Array(plane);
  const changes = Array.from({ length: units }, (_, unit): UnitChange => {
    let sum = 0;
    for (let i = 0; i < plane; i++) {
      const difference = after[unit * plane + i]! - before[unit * plane + i]!;
      squares[i]! += difference ** 2;
      sum += Math.abs(difference);
    }
    const [old, now] = [before, after].map((map) =>
      momentsOf(map.subarray(unit * plane, (unit + 1) * plane)),
    );
    return {
      unit,
      maximum: { before: old!.maximum, after: now!.maximum },
      mean: { before: old!.mean, after: now!.mean },
      change: sum / plane,
    };
  });
  changes.sort((a, b) => b.change - a.change || a.unit - b.unit);
  return { units: changes, places: { dims: [height, width], data: Float32Array.from(squares, Math.sqrt) } };
}

function momentsOf(map: Float32Array): { readonly maximum: number; readonly mean: number } {
  let [maximum, sum] = [Number.NEGATIVE_INFINITY, 0];
  for (const value of map) {
    maximum = Math.max(maximum, value);
    sum += value;
  }
  return { maximum, mean: sum / map.length };
}
