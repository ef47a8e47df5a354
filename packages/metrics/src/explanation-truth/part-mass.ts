import { type Tensor, UnitscopeError } from '@unitscope/tensor';
import type { Relevance } from './relevance.js';

/** Where the mass of a map lies in one part. */
export interface PartMass {
  /** The part's index in the label maps. */
  readonly part: number;
  /** Its pixels. */
  readonly area: number;
  /** Sum over its pixels, in the map's own unit. */
  readonly mass: number;
  /** Of the mass of the whole map. NaN for a map without mass. */
  readonly share: number;
  /** The share over the part's share of the picture: 1 for mass that is spread evenly. NaN without mass or pixels. */
  readonly concentration: number;
}

/** Where the mass of a map lies. */
export interface MassInParts extends Omit<PartMass, 'part'> {
  /** In the order they were asked for. */
  readonly parts: readonly PartMass[];
}

/**
 * How much of a map's mass lies inside the parts, together and in each: sum_{p in S} m_p / sum_p m_p with
 * m_p = max(0, relevance), the Relevance Mass Accuracy of Arras, Osman and Samek 2022 (CLEVR-XAI, arXiv:2003.07258) and
 * the energy-based pointing game of Wang et al. 2020 (Score-CAM, arXiv:1910.01279). The concentration is that share over
 * |S| / (H W), which a uniform map has as 1, whatever the size of the object.
 *
 * @param labels `[layers, H, W]`, the label of every pixel in each layer, 0 for none: a pixel may lie in several parts,
 *   and counts once in their union
 * @param parts indices of the labels that are parts; all others are background
 *
 * Throws `bad-input` for labels of another size than the map, `wrong-use` for a part that is given twice.
 */
export function massInParts(
  { height, width, values }: Relevance,
  labels: Tensor<Int32Array>,
  parts: readonly number[],
): MassInParts {
  const [layers = 0, ...plane] = labels.dims;
  if (plane.join() !== [height, width].join() || labels.data.length !== layers * height * width) {
    throw new UnitscopeError(
      'bad-input',
      `labels must be [layers, ${height}, ${width}] like the map, they have dims [${labels.dims.join(', ')}]`,
    );
  }
  const places = placesOfParts(parts);
  const mass = new Float64Array(parts.length);
  const area = new Float64Array(parts.length);
  let [whole, inside, insideArea] = [0, 0, 0];
  const seen = new Int32Array(parts.length).fill(-1);
  const pixels = height * width;
  for (let pixel = 0; pixel < pixels; pixel++) {
    const own = Math.max(0, values[pixel]!);
    whole += own;
    let isInside = false;
    for (let layer = 0; layer < layers; layer++) {
      const place = places.get(labels.data[layer * pixels + pixel]!);
      // Two layers that give a pixel the same label give it once.
      if (place === undefined || seen[place] === pixel) continue;
      seen[place] = pixel;
      mass[place] = mass[place]! + own;
      area[place] = area[place]! + 1;
      isInside = true;
    }
    if (!isInside) continue;
    inside += own;
    insideArea++;
  }
  const relate = (part: number, partArea: number) => {
    const share = part / whole;
    return { mass: part, area: partArea, share, concentration: (share * pixels) / partArea };
  };
  return {
    ...relate(inside, insideArea),
    parts: parts.map((part, place) => ({ part, ...relate(mass[place]!, area[place]!) })),
  };
}

/** The place of each part's index in the list. Throws `wrong-use` for one that is given twice or stands for no label. */
export function placesOfParts(parts: readonly number[]): Map<number, number> {
  const places = new Map(parts.map((part, place) => [part, place]));
  const wrong = parts.find(
    (part, place) => places.get(part) !== place || part < 1 || !Number.isInteger(part),
  );
  if (wrong === undefined) return places;
  throw new UnitscopeError(
    'wrong-use',
    `${wrong} is no index of a part, or is given twice; they are integers from 1`,
  );
}
