import { argmaxMaps } from '@unitscope/kernels';
import {
  estimateImageResolutionField,
  type FieldTemplate,
  type ImageResolutionFieldOptions,
} from '@unitscope/metrics';
import type { Model } from '@unitscope/model';
import { type Tensor, UnitscopeError } from '@unitscope/tensor';
import { placementOf } from './interpretability-report.js';

export interface FilterFieldsOptions extends Omit<ImageResolutionFieldOptions, 'origin' | 'step' | 'input'> {
  /** The filters of the figure; all by default. */
  readonly filters?: readonly number[];
  /** How many pictures of each. Default 6. */
  readonly count?: number;
}

/** Where a filter is strongest in a picture. */
export interface FilterPlace {
  /** Its place in the batch. */
  readonly picture: number;
  readonly activation: number;
  readonly unit: readonly [row: number, column: number];
  /** The middle of what the unit sees, in pixels of the input. */
  readonly pixel: readonly [y: number, x: number];
}

export interface FilterFields {
  readonly filter: number;
  /** The pictures it is strongest in, the strongest first. */
  readonly places: readonly FilterPlace[];
  /** What it looks at around a unit, at image resolution; the unit lies in the middle. */
  readonly field: FieldTemplate;
}

/**
 * What a figure of filters is drawn from: for each filter the pictures it is strongest in, where in them, and the field it
 * looks at there, found by covering places of the picture (Zhou et al., arXiv:1412.6856; `estimateImageResolutionField`).
 * Of an interpretable filter all places lie on one part.
 *
 * Throws `not-found` for the layer or a filter, `unsupported` for a layer whose units have no place in the picture.
 *
 * @param layer the convolution, whose maps are those before ReLU and mask
 * @param pictures `[N, C, H, W]`, as the network takes them
 */
export async function filterFields(
  model: Model,
  layer: string,
  pictures: Tensor,
  options: FilterFieldsOptions = {},
): Promise<FilterFields[]> {
  const { count = 6, filters: chosen, ...occlusion } = options;
  const placement = placementOf(model, model.layer(layer));
  const filters = chosen ?? Array.from({ length: placement.filters }, (_, filter) => filter);
  const stray = filters.find(
    (filter) => !Number.isInteger(filter) || filter < 0 || filter >= placement.filters,
  );
  if (stray !== undefined) {
    throw new UnitscopeError(
      'not-found',
      `layer ${layer} has no filter ${stray}; there are ${placement.filters}`,
      {
        subject: String(stray),
      },
    );
  }
  if (!Number.isInteger(count) || count < 1)
    throw new UnitscopeError('wrong-use', `count must be a positive integer, it is ${count}`, {
      subject: 'count',
    });
  const run = occlusion.signal === undefined ? {} : { signal: occlusion.signal };
  const mapsOf = async (batch: Tensor) => (await model.activations([layer], batch, run)).get(layer)!;
  const { index, value } = await argmaxMaps(await mapsOf(pictures));
  const [batch = 0] = pictures.dims;
  const places = filters.map((filter) =>
    Array.from({ length: batch }, (_, picture): FilterPlace => {
      const at = picture * placement.filters + filter;
      const [row, column] = [
        Math.floor(index.data[at]! / placement.width),
        index.data[at]! % placement.width,
      ];
      const { origin, step } = placement;
      const pixel = [origin[0] + row * step[0], origin[1] + column * step[1]] as const;
      return { picture, activation: value.data[at]!, unit: [row, column], pixel };
    })
      .sort((a, b) => b.activation - a.activation || a.picture - b.picture)
      .slice(0, count),
  );
  const fields = await estimateImageResolutionField(
    pictures,
    places.map((own) => own.map(({ picture }) => picture)),
    async (occluded) => selectFilters(await mapsOf(occluded), filters),
    { ...occlusion, origin: placement.origin, step: placement.step, input: placement.input },
  );
  return filters.map((filter, i) => ({ filter, places: places[i]!, field: fields[i]! }));
}

function selectFilters({ dims, data }: Tensor, filters: readonly number[]): Tensor {
  const [batch = 0, channels = 0, height = 0, width = 0] = dims;
  const cells = height * width;
  const selected = new Float32Array(batch * filters.length * cells);
  for (let image = 0; image < batch; image++) {
    for (const [i, filter] of filters.entries()) {
      const from = (image * channels + filter) * cells;
      selected.set(data.subarray(from, from + cells), (image * filters.length + i) * cells);
    }
  }
  return { dims: [batch, filters.length, height, width], data: selected };
}
