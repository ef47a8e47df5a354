import { sizeOf, UnitscopeError, unknownName } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import type { AnyArray, AnyTensor, Place, PlaceOf, TensorIn, TensorOver } from './device-buffer.js';
import type { IouParams } from './kernel-arguments.js';
import type { MapPlacement } from './map-placement.js';
import { requireDims } from './pooling.js';
import { iouCountsReference } from './reference/iou-counts.js';
import { sumLike } from './storage.js';

/** Images of a batch: what the units said and what is there. */
export interface IouBatch<S extends AnyArray = Float32Array> {
  /** `[images, units, height, width]`. NaN is above no threshold. */
  readonly activations: TensorOver<S>;
  /** `[images, layers, pixelHeight, pixelWidth]`: at most one label for a pixel in each layer, 0 for none. */
  readonly pixelLabels: AnyTensor<Int32Array>;
  /** `[images, n]`: labels of whole images, 0 for none; each is worth all the pixels. */
  readonly imageLabels?: AnyTensor<Int32Array>;
}

export interface IouConcepts {
  /** The category of every label, -1 for none: as long as the largest label plus 1. Entry 0 is not used. */
  readonly categoryOf: Int32Array;
  readonly categories: number;
}

/** Integer counts over all images seen, `concepts` being the length of `categoryOf`; entries of label 0 stay 0. */
export interface IouCounts<P extends Place = 'host'> {
  /** `[units, concepts]`: pixels where the unit is active and the label is. */
  readonly intersection: TensorIn<P, BigInt64Array>;
  /** `[concepts]`: pixels with the label. */
  readonly labelPixels: TensorIn<P, BigInt64Array>;
  /** `[units, categories]`: active pixels in images that carry a label of the category. */
  readonly categoryArea: TensorIn<P, BigInt64Array>;
  /** `[units]`: active pixels. */
  readonly area: TensorIn<P, BigInt64Array>;
}

export interface IouCountsOptions<P extends Place = 'host'> extends KernelOptions {
  /** Counts to add to instead of new ones, where those would lie. Their integers make the sum of any split of the images the same. */
  readonly into?: IouCounts<P>;
}

export interface IouCountsResult<P extends Place = 'host'> {
  readonly counts: IouCounts<P>;
  readonly backend: BackendName;
}

const EDGES = { clamp: 0, zero: 1 } as const satisfies Record<MapPlacement['edge'], number>;

interface Prepared {
  readonly call: KernelCall<'iouCounts'>;
  readonly counts: IouCounts<Place>;
}

function requireAxes(
  name: string,
  { dims, data }: TensorOver<{ readonly length: number }>,
  count: number,
): void {
  if (dims.length !== count || sizeOf(dims) !== data.length) {
    throw new UnitscopeError(
      'bad-input',
      `${name} must have ${count} axes and as many elements as they say; dims [${dims.join(', ')}] with ${data.length}`,
      { subject: name },
    );
  }
}

/** The counts that are added to, which lie where the activations do. */
function countsOf(
  { units, concepts, categories }: IouParams,
  activations: AnyArray,
  into: IouCounts<Place> | undefined,
): IouCounts<Place> {
  const sum = (name: keyof IouCounts, ...dims: number[]) => {
    const given = into?.[name];
    if (given !== undefined) requireDims(name, given, dims);
    return { dims, data: sumLike(activations, name, given?.data, BigInt64Array, sizeOf(dims)) };
  };
  return {
    intersection: sum('intersection', units, concepts),
    labelPixels: sum('labelPixels', concepts),
    categoryArea: sum('categoryArea', units, categories),
    area: sum('area', units),
  };
}

function paramsOf(
  batch: IouBatch<AnyArray>,
  { categoryOf, categories }: IouConcepts,
  placement: MapPlacement,
) {
  requireAxes('activations', batch.activations, 4);
  requireAxes('pixelLabels', batch.pixelLabels, 4);
  const [images = 0, units = 0, height = 0, width = 0] = batch.activations.dims;
  const [labelled = 0, layers = 0, outHeight = 0, outWidth = 0] = batch.pixelLabels.dims;
  const imageLabels = batch.imageLabels ?? { dims: [images, 0], data: new Int32Array(0) };
  requireAxes('imageLabels', imageLabels, 2);
  if (labelled !== images || imageLabels.dims[0] !== images) {
    throw new UnitscopeError(
      'bad-input',
      `activations are of ${images} images, pixelLabels of ${labelled}, imageLabels of ${imageLabels.dims[0]}`,
    );
  }
  const edge = EDGES[placement.edge];
  if (edge === undefined) throw unknownName('edge', String(placement.edge), Object.keys(EDGES), 'wrong-use');
  const params: IouParams = {
    images,
    units,
    height,
    width,
    outHeight,
    outWidth,
    layers,
    imageLabelCount: imageLabels.dims[1] ?? 0,
    concepts: categoryOf.length,
    categories,
    edge,
    originY: placement.origin[0],
    originX: placement.origin[1],
    stepY: placement.step[0],
    stepX: placement.step[1],
  };
  for (const number of [params.originY, params.originX, 1 / params.stepY, 1 / params.stepX]) {
    if (!Number.isFinite(number))
      throw new UnitscopeError('wrong-use', 'origin and step of a placement must be finite, the step not 0');
  }
  if (Math.min(params.stepY, params.stepX) <= 0)
    throw new UnitscopeError('wrong-use', 'the step of a placement must be positive');
  if (!Number.isInteger(categories) || categories < 0 || categoryOf.length < 1)
    throw new UnitscopeError(
      'wrong-use',
      'categories must be a number of them, categoryOf must not be empty',
    );
  if (Math.min(height, width, outHeight, outWidth) < 1)
    throw new UnitscopeError('bad-input', 'maps and label maps must have at least one cell');
  return { params, imageLabels: imageLabels.data };
}

function prepare(
  batch: IouBatch<AnyArray>,
  thresholds: AnyArray<Float64Array>,
  concepts: IouConcepts,
  placement: MapPlacement,
  { into }: IouCountsOptions<Place>,
): Prepared {
  const { params, imageLabels } = paramsOf(batch, concepts, placement);
  if (thresholds.length !== params.units) {
    throw new UnitscopeError(
      'bad-input',
      `thresholds must be one for each of ${params.units} units, they are ${thresholds.length}`,
      { subject: 'thresholds' },
    );
  }
  const counts = countsOf(params, batch.activations.data, into);
  const call = {
    ...params,
    x: batch.activations.data,
    thresholds,
    pixelLabels: batch.pixelLabels.data,
    imageLabels,
    categoryOf: concepts.categoryOf,
    intersection: counts.intersection.data,
    labelPixels: counts.labelPixels.data,
    categoryArea: counts.categoryArea.data,
    area: counts.area.data,
  };
  return {
    call: { kernel: 'iouCounts', arguments: call, runReference: iouCountsReference },
    counts,
  };
}

/**
 * What Network Dissection (Bau et al., arXiv:1704.05796) counts over images: with the mask M_u = up(x_u) > T_u of the
 * bilinearly upsampled map and the label sets L_c, the pixels of M_u and L_c, of L_c, of M_u, and of M_u in the images
 * that carry a label of each category. IoU = I / (A + L - I) with either area.
 *
 * The map is evaluated at the label pixels in float64 (rows, then columns), so that every back end gives the same
 * integers; a reduction, where labels are coarser than the map, samples it. Throws `bad-input` for labels out of range,
 * with no count changed; labels that lie on `cuda` are not looked at, and one that is out of range is none. The arrays must not be transferred or written to until the promise is settled.
 *
 * @param thresholds T_u, one for each unit; NaN activates nothing
 */
export function iouCounts<S extends AnyArray>(
  batch: IouBatch<S>,
  thresholds: AnyArray<Float64Array>,
  concepts: IouConcepts,
  placement: MapPlacement,
  options?: IouCountsOptions<PlaceOf<S>>,
): Promise<IouCountsResult<PlaceOf<S>>>;
export async function iouCounts(
  batch: IouBatch<AnyArray>,
  thresholds: AnyArray<Float64Array>,
  concepts: IouConcepts,
  placement: MapPlacement,
  options: IouCountsOptions<Place> = {},
): Promise<IouCountsResult<Place>> {
  const { call, counts } = prepare(batch, thresholds, concepts, placement, options);
  return { counts, backend: await run(call, options) };
}

/** As `iouCounts`, on the calling thread: for small work. */
export function iouCountsSync<S extends AnyArray>(
  batch: IouBatch<S>,
  thresholds: AnyArray<Float64Array>,
  concepts: IouConcepts,
  placement: MapPlacement,
  options?: IouCountsOptions<PlaceOf<S>>,
): IouCountsResult<PlaceOf<S>>;
export function iouCountsSync(
  batch: IouBatch<AnyArray>,
  thresholds: AnyArray<Float64Array>,
  concepts: IouConcepts,
  placement: MapPlacement,
  options: IouCountsOptions<Place> = {},
): IouCountsResult<Place> {
  const { call, counts } = prepare(batch, thresholds, concepts, placement, options);
  return { counts, backend: runSync(call, options) };
}
