import { Random, type Tensor } from '@unitscope/tensor';
import { type Features, featuresInMemory, mirrorBatch, prepareMaps } from '../../src/index.js';

export const INPUT = [224, 224] as const;
/** Sides of the maps, from the top down. */
export const SIZES = [14, 28] as const;
const FILTERS = [4, 3] as const;

type Place = readonly [row: number, column: number];

export interface PlantedLayer {
  readonly name: string;
  readonly size: number;
  readonly filters: number;
  /** Of each filter the cells it is active at, where the thing is not shifted. */
  readonly anchors: readonly (readonly Place[])[];
  /** As the network gives them. */
  readonly maps: Tensor;
  readonly mirroredMaps: Tensor;
}

export interface PlantedWorld {
  readonly layers: readonly PlantedLayer[];
  /** How far the thing is moved in each picture, in pixels. */
  readonly shifts: readonly (readonly [number, number])[];
  /** Of each picture, 1 where it is shown mirrored. */
  readonly mirrored: readonly number[];
}

/** Places of the thing's patterns, in pixels: of each layer, of each filter. They are on no line of symmetry. */
const PATTERNS: readonly (readonly (readonly Place[])[])[] = [
  [
    [[56, 56]],
    [
      [120, 72],
      [72, 152],
    ],
    [[136, 136]],
    [[88, 104]],
  ],
  [
    [[60, 60]],
    [
      [116, 76],
      [140, 140],
    ],
    [[84, 148]],
  ],
];

/**
 * Pictures of one thing, a rigid set of patterns, moved by whole cells of the top layer, at most `spread` to each side: each
 * filter is active in a bump at its patterns, with noise below zero and some stray activations.
 */
export function plantedWorld(
  pictures: number,
  seed: number,
  { mirroredShare = 0, spread = 1 }: { readonly mirroredShare?: number; readonly spread?: number } = {},
): PlantedWorld {
  const random = new Random(seed);
  const shifts = Array.from(
    { length: pictures },
    () => [16 * random.integer(-spread, spread), 16 * random.integer(-spread, spread)] as const,
  );
  const mirrored = Array.from({ length: pictures }, () => (random.uniform() < mirroredShare ? 1 : 0));
  const layers = SIZES.map((size, layer): PlantedLayer => {
    const filters = FILTERS[layer]!;
    const stride = INPUT[0] / size;
    const centre = (stride - 1) / 2;
    const cellOf = (pixel: number) => (pixel - centre) / stride;
    const places = PATTERNS[layer]!;
    const data = new Float32Array(pictures * filters * size * size);
    for (let picture = 0; picture < pictures; picture++) {
      const [dy, dx] = shifts[picture]!;
      for (let filter = 0; filter < filters; filter++) {
        const start = (picture * filters + filter) * size * size;
        for (let cell = 0; cell < size * size; cell++) {
          const [row, column] = [Math.floor(cell / size), cell % size];
          let value = -0.5 + 0.2 * random.normal();
          for (const [y, x] of places[filter]!) {
            const away = (row - cellOf(y + dy)) ** 2 + (column - cellOf(x + dx)) ** 2;
            value += 3 * Math.exp(-away / 2);
          }
          if (random.uniform() < 0.01) value += 1;
          data[start + cell] = value;
        }
      }
    }
    const straight = { dims: [pictures, filters, size, size], data };
    const turned = mirrorBatch(straight);
    const pick = (flag: number): Tensor => {
      const picked = data.slice();
      const each = filters * size * size;
      mirrored.forEach((isMirrored, i) => {
        const from = isMirrored === flag ? turned : straight;
        picked.set(from.data.subarray(i * each, (i + 1) * each), i * each);
      });
      return { dims: straight.dims, data: picked };
    };
    return {
      name: ['top', 'low'][layer]!,
      size,
      filters,
      anchors: places.map((of) => of.map(([y, x]): Place => [cellOf(y), cellOf(x)])),
      maps: pick(1),
      mirroredMaps: pick(0),
    };
  });
  return { layers, shifts, mirrored };
}

/** The maps prepared with a deviation of 1 everywhere. */
export function inMemory({ layers }: PlantedWorld): Features {
  return featuresInMemory(
    INPUT,
    layers.map(({ name, size, filters, maps, mirroredMaps }) => {
      const stride = INPUT[0] / size;
      const scale = { dims: [filters, size, size], data: new Float32Array(filters * size * size).fill(1) };
      return {
        name,
        filters,
        height: size,
        width: size,
        stride: [stride, stride],
        centre: [(stride - 1) / 2, (stride - 1) / 2],
        scale,
        maps: prepareMaps(maps, scale, { quantised: false }),
        mirroredMaps: prepareMaps(mirroredMaps, scale, { quantised: false }),
      };
    }),
  );
}
