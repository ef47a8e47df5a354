import { type LoadedInput, type Preprocessing, restorePicture } from '@unitscope/data';
import type { Model } from '@unitscope/model';
import { sliceBatch, type Tensor, UnitscopeError } from '@unitscope/tensor';
import {
  type Explanation,
  heatPicture,
  montage,
  overlayMap,
  type Picture,
  signedPicture,
  type Tile,
  writePng,
} from '@unitscope/visualization';
import { describeInput, samplesOf } from './summary.js';
import { version } from './version.js';

/** What a run of `explain` has to show. */
export interface Drawing {
  readonly model: Model;
  readonly inputs: readonly LoadedInput[];
  readonly explanations: readonly Explanation[];
  readonly preprocessing: Preprocessing;
  readonly classNames: readonly string[] | undefined;
  /** The layer of the unit explained; undefined for classes. */
  readonly layer: string | undefined;
}

export const STYLES = ['montage', 'map', 'overlay'] as const;
export type Style = (typeof STYLES)[number];

const MOST_ROWS = 32;

/** Writes the picture of a result: a montage of photo, maps and overlays, or one of them alone at the network's size. */
export async function drawExplanations(path: string, drawing: Drawing, style: Style): Promise<void> {
  const { model, explanations } = drawing;
  const picture = style === 'montage' ? drawMontage(drawing) : drawOne(drawing, style);
  await writePng(path, picture, {
    text: {
      Software: `unitscope ${version}`,
      Source: `${model.path ?? ''} sha256 ${model.sha256}`,
      Description: [...explanations.map(({ method }) => method), ...describeInput(drawing)].join('\n'),
    },
  });
}

function drawOne({ inputs, explanations, preprocessing }: Drawing, style: 'map' | 'overlay'): Picture {
  const [explanation] = explanations;
  const [input] = inputs;
  if (explanation === undefined || input === undefined) throw new UnitscopeError('wrong-use', 'there is nothing to draw');
  const map = sliceBatch(explanation.map, 0, 1);
  return style === 'map'
    ? drawMap(explanation, map, preprocessing)
    : overlayMap(photoOf(input, 0, preprocessing), map);
}

function drawMontage({ inputs, explanations, preprocessing, ...rest }: Drawing): Picture {
  const samples = samplesOf(inputs).slice(0, MOST_ROWS);
  const photos = inputs.flatMap((input) =>
    Array.from({ length: input.tensor.dims[0] ?? 0 }, (_, n) => photoOf(input, n, preprocessing)),
  );
  const lines = describeInput({ inputs, explanations, preprocessing, ...rest });
  const tiles = samples.flatMap(({ label }, n): Tile[] => {
    const photo = photos[n]!;
    return [
      { picture: photo, label },
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
  const single = samples.length === 1;
  return montage(tiles, {
    title: single ? lines[0]! : '',
    ...(single ? {} : { columns: tiles.length / samples.length }),
  });
}

function drawMap({ form }: Explanation, map: Tensor, { channelOrder }: Preprocessing): Picture {
  const channels = map.dims[1];
  return form === 'signed' && (channels === 1 || channels === 3)
    ? signedPicture(map, { channelOrder })
    : heatPicture(map);
}

/** The picture as the network saw it; an array that is no picture is shown as a heat map. */
function photoOf(input: LoadedInput, sample: number, preprocessing: Preprocessing): Picture {
  if (input.kind === 'picture') return input.rgb;
  const one = sliceBatch(input.tensor, sample, sample + 1);
  return one.dims[1] === 3 ? restorePicture(one, preprocessing) : heatPicture(one);
}
