import { basename } from 'node:path';
import { type LoadedInput, type Preprocessing, restorePicture } from '@unitscope/data';
import type { Model } from '@unitscope/model';
import { sliceBatch, type Tensor, UnitscopeError } from '@unitscope/tensor';
import {
  type Explanation,
  encodePng,
  heatPicture,
  montage,
  overlayMap,
  type Picture,
  signedPicture,
  type Tile,
} from '@unitscope/visualization';
import {
  describeSamples,
  describeUnit,
  type Findings,
  formatNumber,
  nameClass,
  samplesOf,
  topClasses,
} from './summary.js';
import { version } from './version.js';

/** What a run of `explain` has to show. */
export interface Drawing extends Findings {
  readonly model: Model;
  readonly preprocessing: Preprocessing;
}

export const STYLES = ['montage', 'map', 'overlay'] as const;
export type Style = (typeof STYLES)[number];

const MOST_ROWS = 32;

/**
 * The PNG file of a result: a montage of photo, maps and overlays, or one of them alone at the network's size. The
 * inputs must be maps, [N, C, H, W].
 */
export function drawExplanations(drawing: Drawing, style: Style): Uint8Array {
  const { model, explanations } = drawing;
  const picture = style === 'montage' ? drawMontage(drawing) : drawOne(drawing, style);
  return encodePng(picture, {
    text: {
      Software: `unitscope ${version}`,
      // The name alone: a picture is passed on, and folders are nobody's business.
      Source: `${basename(model.path ?? '')} sha256 ${model.sha256}`,
      Description: [...explanations.map(({ method }) => method), ...describeSamples(drawing)].join('\n'),
    },
  });
}

function drawOne({ inputs, explanations, preprocessing }: Drawing, style: 'map' | 'overlay'): Picture {
  const [explanation] = explanations;
  const [input] = inputs;
  if (explanation === undefined || input === undefined) {
    throw new UnitscopeError('wrong-use', 'there is nothing to draw');
  }
  const map = sliceBatch(explanation.map, 0, 1);
  return style === 'map'
    ? drawMap(explanation, map, preprocessing)
    : overlayMap(photoOf(input, 0, preprocessing), map);
}

function drawMontage(drawing: Drawing): Picture {
  const { inputs, explanations, preprocessing } = drawing;
  const all = inputs.flatMap((input) =>
    Array.from({ length: input.tensor.dims[0] ?? 0 }, (_, index) => ({ input, index })),
  );
  const samples = samplesOf(inputs);
  const shown = all.slice(0, MOST_ROWS);
  const single = all.length === 1;
  const tiles = shown.flatMap(({ input, index }, n): Tile[] => {
    const photo = photoOf(input, index, preprocessing);
    const { label } = samples[n]!;
    return [
      { picture: photo, label: single ? label : `${label}\n${findingOf(drawing, n)}` },
      ...explanations.flatMap((explanation) => {
        const map = sliceBatch(explanation.map, n, n + 1);
        return [
          { picture: drawMap(explanation, map, preprocessing), label: explanation.method },
          // One method has room for its overlay; many are shown side by side as they are.
          ...(explanations.length === 1 ? [{ picture: overlayMap(photo, map), label: 'overlay' }] : []),
        ];
      }),
    ];
  });
  if (single) return montage(tiles, { title: describeSamples(drawing).join('\n') });
  const title = [
    commonSubject(drawing),
    shown.length < all.length ? `the first ${shown.length} of ${all.length} samples` : '',
  ];
  return montage(tiles, {
    title: title.filter((line) => line !== '').join('\n'),
    columns: tiles.length / shown.length,
  });
}

/** The second line of a photo's label: what the network says of it. */
function findingOf({ explanations, classNames, unit }: Drawing, sample: number): string {
  const [first] = explanations;
  if (first === undefined) return '';
  if (unit !== undefined) return `activation ${formatNumber(first.score[sample]!)}`;
  const [top] = topClasses(first, sample, 1);
  if (top === undefined) return '';
  const name = classNames?.[top.index] ?? '';
  return `${name === '' ? `class ${top.index},` : name} ${Math.round(100 * top.probability)} %`;
}

/** What is explained in all samples alike, where that is more than each one's top class. */
function commonSubject({ explanations, classNames, unit }: Drawing): string {
  if (unit !== undefined) return describeUnit(unit);
  const [first] = explanations;
  const [target] = first?.target ?? [];
  if (first === undefined || target === undefined || first.target.some((other) => other !== target))
    return '';
  return first.target.every((index, n) => index === topClasses(first, n, 1)[0]?.index)
    ? ''
    : `explained: ${nameClass(target, classNames)}`;
}

/** The map of one sample, signed in colours or grey, or as heat, on a scale of its own. */
export function drawMap(
  { form }: Pick<Explanation, 'form'>,
  map: Tensor,
  { channelOrder }: Preprocessing,
): Picture {
  const channels = map.dims[1];
  return form === 'signed' && (channels === 1 || channels === 3)
    ? signedPicture(map, { channelOrder })
    : heatPicture(map);
}

/** The picture as the network saw it; an array that is no picture is shown as a heat map. */
export function photoOf(input: LoadedInput, sample: number, preprocessing: Preprocessing): Picture {
  if (input.kind === 'picture') return input.rgb;
  const one = sliceBatch(input.tensor, sample, sample + 1);
  return one.dims[1] === 3 ? restorePicture(one, preprocessing) : heatPicture(one);
}
