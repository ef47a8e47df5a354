import { sliceBatch, type Tensor, throwIfAborted, UnitscopeError } from '@unitscope/tensor';
import { smoothPlane } from '../gaussian.js';
import { strongestCells } from '../instability/strongest-cells.js';
import { type FieldTemplate, pixelOfUnit, type UnitPlacement } from './field-template.js';

interface Smoothing {
  readonly radius: number;
  readonly sigma: number;
}

export interface ImageResolutionFieldOptions extends UnitPlacement {
  /** Side of the square occluder, in pixels; odd. Default 33. */
  readonly occluder?: number;
  /** From one place of the occluder to the next, in pixels. Default 9. */
  readonly stride?: number;
  /** Places of the occluder that count in each picture. Default 4. */
  readonly strongest?: number;
  /** Of the Gaussian, in pixels; the template is smoothed by 2 radius + 1 taps. Defaults 25 and 30. */
  readonly smoothing?: Smoothing;
  /** A pixel belongs to the field from this share of the largest weight on. Default 0.5. */
  readonly fraction?: number;
  /** What the occluder shows in each channel; 0 by default, the mean colour of networks whose input has its mean taken off. */
  readonly fill?: readonly number[];
  /** Pictures in one call of `activationsOf`. Default 16. */
  readonly batchSize?: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Activations `[n, filters, h, w]` of the layer for pictures `[n, C, H, W]`. */
export type ActivationsOf = (pictures: Tensor) => Promise<Tensor>;

/**
 * What each filter of a layer looks at around a unit, measured by occlusion after Zhou et al. 2015 (Object Detectors
 * Emerge in Deep Scene CNNs, arXiv:1412.6856), with the constants of the drawings of interpretable CNNs.
 *
 * For each filter, in each of its top pictures: mu is the unit where it is strongest, the first of equals. A square
 * occluder stands once at every place of a grid, its middle on pixels 0, stride, 2 stride, ... of both axes, clipped to
 * the picture; the drop is x_mu without it less x_mu with it. Of the places where the drop is above 0 the `strongest`
 * count, of equals those that come first row by row. The drop is added to the weight of every pixel of the occluder there,
 * with mu's pixel moved to the middle. The sum over the pictures is smoothed by a Gaussian, zero outside; the field are
 * the pixels of at least `fraction` of the largest weight. A filter that no occluder weakens has an empty field.
 *
 * It departs from the paper in that the occluder is larger (33 pixels for 11), on a regular grid of stride 9 rather than
 * 3, that the strongest drops alone are added up rather than all averaged, and in the smoothing. It departs from the
 * drawings in that the Gaussian has 51 taps where theirs has 50, whose middle lies between two pixels.
 *
 * The network runs ceil(H / stride) ceil(W / stride) + 1 times for each picture, once for all filters that share it.
 *
 * @param pictures `[n, C, H, W]`, as the network takes them
 * @param topPictures of each filter, the places in `pictures` of those it is strongest in
 *
 * Throws `bad-input` for pictures and activations that do not fit, `wrong-use` for options that cannot be, `aborted`.
 */
export async function estimateImageResolutionField(
  pictures: Tensor,
  topPictures: readonly (readonly number[])[],
  activationsOf: ActivationsOf,
  options: ImageResolutionFieldOptions,
): Promise<FieldTemplate[]> {
  const { input, smoothing = { radius: 25, sigma: 30 }, fraction = 0.5, signal, onProgress } = options;
  requireOptions(options);
  requirePictures(pictures, topPictures, input);
  const [count = 0] = pictures.dims;
  const marks = topPictures.map((): Mark[] => []);
  for (let picture = 0; picture < count; picture++) {
    onProgress?.(picture, count);
    const filters = [...topPictures.keys()].filter((filter) => topPictures[filter]!.includes(picture));
    if (filters.length === 0) continue;
    const { units, drops, places } = await occlude(
      sliceBatch(pictures, picture, picture + 1),
      filters,
      activationsOf,
      {
        ...options,
        filters: topPictures.length,
      },
    );
    filters.forEach((filter, i) => {
      marks[filter]!.push(...strongestMarks(units[i]!, drops[i]!, places, options));
    });
    throwIfAborted(signal);
  }
  onProgress?.(count, count);
  return marks.map((own) => fieldOf(own, smoothing, fraction));
}

type Place = readonly [y: number, x: number];

/** For each of `filters` the pixel of its strongest unit, and the drop there for each place of the occluder. */
async function occlude(
  picture: Tensor,
  filters: readonly number[],
  activationsOf: ActivationsOf,
  options: ImageResolutionFieldOptions & { readonly filters: number },
) {
  const { stride = 9, batchSize = 16, input, signal } = options;
  const rows = Array.from({ length: Math.ceil(input[0] / stride) }, (_, i) => i * stride);
  const columns = Array.from({ length: Math.ceil(input[1] / stride) }, (_, i) => i * stride);
  const places = rows.flatMap((y) => columns.map((x): Place => [y, x]));
  const whole = requireMaps(await activationsOf(picture), 1, options.filters);
  const [, , height = 0, width = 0] = whole.dims;
  const strongest = await strongestCells(whole);
  const drops = filters.map(() => new Float64Array(places.length));
  for (let first = 0; first < places.length; first += batchSize) {
    throwIfAborted(signal);
    const part = places.slice(first, first + batchSize);
    const occluded = requireMaps(
      await activationsOf(coverAt(picture, part, options)),
      part.length,
      options.filters,
    );
    filters.forEach((filter, i) => {
      part.forEach((_, n) => {
        const map = (n * options.filters + filter) * height * width;
        const value = occluded.data[map + strongest.places[filter]!]!;
        drops[i]![first + n] = strongest.values[filter]! - value;
      });
    });
  }
  const units = filters.map((filter) => {
    const cell = strongest.places[filter]!;
    return pixelOfUnit(options, Math.floor(cell / width), cell % width);
  });
  return { units, drops, places };
}

/** The picture with the occluder at each of the places, a batch. */
function coverAt(
  { dims, data }: Tensor,
  places: readonly Place[],
  { occluder = 33, fill = [] }: ImageResolutionFieldOptions,
): Tensor {
  const [, channels = 0, height = 0, width = 0] = dims;
  const covered = new Float32Array(places.length * data.length);
  places.forEach((place, n) => {
    covered.set(data, n * data.length);
    const [top, bottom, left, right] = boundsOf(place, occluder, [height, width]);
    for (let channel = 0; channel < channels; channel++) {
      for (let y = top; y < bottom; y++) {
        const row = n * data.length + (channel * height + y) * width;
        covered.fill(fill[channel] ?? 0, row + left, row + right);
      }
    }
  });
  return { dims: [places.length, channels, height, width], data: covered };
}

/** Rows from the first to before the second, columns from the third to before the fourth. */
function boundsOf([y, x]: Place, occluder: number, [height, width]: readonly [number, number]) {
  const half = (occluder - 1) / 2;
  return [
    Math.max(0, y - half),
    Math.min(height, y + half + 1),
    Math.max(0, x - half),
    Math.min(width, x + half + 1),
  ] as const;
}

/** An occluder's pixels relative to a unit, the ends not included, and the drop they stand for. */
interface Mark {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
  readonly drop: number;
}

/** The strongest drops of one picture. */
function strongestMarks(
  [unitY, unitX]: Place,
  drops: Float64Array,
  places: readonly Place[],
  { strongest = 4, occluder = 33, input }: ImageResolutionFieldOptions,
): Mark[] {
  return [...drops.keys()]
    .filter((place) => drops[place]! > 0)
    .sort((a, b) => drops[b]! - drops[a]! || a - b)
    .slice(0, strongest)
    .map((place) => {
      const [top, bottom, left, right] = boundsOf(places[place]!, occluder, input);
      const drop = drops[place]!;
      return { top: top - unitY, bottom: bottom - unitY, left: left - unitX, right: right - unitX, drop };
    });
}

/** The smoothed sum of the marks, from the fraction of its largest weight on, as the smallest template that holds it. */
function fieldOf(marks: readonly Mark[], smoothing: Smoothing, fraction: number): FieldTemplate {
  const { middle, size, weights } = weigh(marks, smoothing);
  const largest = weights.reduce((most, weight) => Math.max(most, weight), 0);
  if (largest === 0) return { height: 1, width: 1, data: new Uint8Array(1) };
  const inside: Place[] = [];
  let [reachY, reachX] = [0, 0];
  weights.forEach((weight, i) => {
    if (weight < fraction * largest) return;
    const [y, x] = [Math.floor(i / size[1]) - middle[0], (i % size[1]) - middle[1]];
    inside.push([y, x]);
    reachY = Math.max(reachY, Math.abs(y));
    reachX = Math.max(reachX, Math.abs(x));
  });
  const columns = 2 * reachX + 1;
  const data = new Uint8Array((2 * reachY + 1) * columns);
  for (const [y, x] of inside) data[(y + reachY) * columns + x + reachX] = 1;
  return { height: 2 * reachY + 1, width: columns, data };
}

/** The smoothed sum of the marks, as far as it is not zero, and where the unit lies in it. */
function weigh(marks: readonly Mark[], { radius, sigma }: Smoothing) {
  const top = Math.min(0, ...marks.map((mark) => mark.top)) - radius;
  const left = Math.min(0, ...marks.map((mark) => mark.left)) - radius;
  const height = Math.max(1, ...marks.map((mark) => mark.bottom)) + radius - top;
  const width = Math.max(1, ...marks.map((mark) => mark.right)) + radius - left;
  const plane = new Float64Array(height * width);
  for (const mark of marks) {
    for (let y = mark.top - top; y < mark.bottom - top; y++) {
      for (let x = mark.left - left; x < mark.right - left; x++) plane[y * width + x]! += mark.drop;
    }
  }
  const weights = smoothPlane(plane, [height, width], { radius, sigma, edge: 'zero' });
  return { middle: [-top, -left] as const, size: [height, width] as const, weights };
}

function requireMaps(maps: Tensor, count: number, filters: number): Tensor {
  const { dims, data } = maps;
  const [images, units, height = 0, width = 0] = dims;
  const cells = height * width;
  const fits = dims.length === 4 && images === count && units === filters && cells > 0;
  if (fits && data.length === count * filters * cells) return maps;
  throw new UnitscopeError(
    'bad-input',
    `activations must be [${count}, ${filters}, h, w], they have dims [${dims.join(', ')}]`,
  );
}

function requirePictures(
  { dims, data }: Tensor,
  topPictures: readonly (readonly number[])[],
  input: readonly [number, number],
): void {
  const [count = 0, channels = 0, ...plane] = dims;
  if (plane.join() !== input.join() || data.length !== count * channels * input[0] * input[1])
    throw new UnitscopeError(
      'bad-input',
      `pictures must be [n, channels, ${input.join(', ')}], not [${dims.join(', ')}]`,
    );
  const stray = topPictures
    .flat()
    .find((picture) => !Number.isInteger(picture) || picture < 0 || picture >= count);
  if (stray !== undefined)
    throw new UnitscopeError('bad-input', `there is no picture ${stray}; there are ${count}`);
}

function requireOptions(options: ImageResolutionFieldOptions): void {
  const { occluder = 33, stride = 9, strongest = 4, batchSize = 16, fraction = 0.5, smoothing } = options;
  const refuse = (why: string) => new UnitscopeError('wrong-use', why);
  for (const [name, value] of Object.entries({ occluder, stride, strongest, batchSize })) {
    if (!Number.isInteger(value) || value < 1)
      throw refuse(`${name} must be a positive integer, it is ${value}`);
  }
  if (occluder % 2 === 0) throw refuse(`the occluder must have a middle pixel: ${occluder} is not odd`);
  if (!(fraction > 0 && fraction <= 1))
    throw refuse(`fraction must be above 0, at most 1, it is ${fraction}`);
  if (
    smoothing !== undefined &&
    !(Number.isInteger(smoothing.radius) && smoothing.radius >= 0 && smoothing.sigma > 0)
  )
    throw refuse('smoothing needs a radius of 0 or more whole pixels and a sigma above 0');
}
