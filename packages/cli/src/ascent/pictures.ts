import { decodePicture, fitPicture, normalisePicture, type Preprocessing } from '@unitscope/data';
import type { Model } from '@unitscope/model';
import { type Tensor, UnitscopeError } from '@unitscope/tensor';
import type { AscentRecipe, Picture, PictureScale, Start } from '@unitscope/visualization';

const GREY_LEVELS = 255;

/** How a picture in 0..1 becomes the network's input by a preprocessing, once it has the network's size. */
export function scaleOf({ channelOrder, scale, mean, std }: Preprocessing): PictureScale {
  return {
    channelOrder,
    gain: std.map((deviation) => GREY_LEVELS / (scale * deviation)),
    offset: mean.map((value, channel) => -value / std[channel]!),
  };
}

/** What a picture's 1 is in the network's units, over the channels. */
export function gainOf({ gain }: PictureScale): number {
  return gain.reduce((sum, value) => sum + value, 0) / gain.length;
}

/** The pictures of a batch [N, C, h, w] in 0..1, to be drawn. Throws `unsupported` where they have neither 1 nor 3 channels. */
export function picturesOf({ dims, data }: Tensor): Picture[] {
  const [count = 0, channels = 0, height = 0, width = 0] = dims;
  if (channels !== 1 && channels !== 3) {
    throw new UnitscopeError(
      'unsupported',
      `${channels} channels cannot be drawn; write the pictures by --raw`,
    );
  }
  const plane = height * width;
  return Array.from({ length: count }, (_, sample) => {
    const levels = new Uint8Array(channels * plane);
    for (let channel = 0; channel < channels; channel++) {
      const from = (sample * channels + channel) * plane;
      for (let i = 0; i < plane; i++)
        levels[i * channels + channel] = Math.round(GREY_LEVELS * data[from + i]!);
    }
    return { width, height, channels, data: levels };
  });
}

const START_DEVIATION = 10;

/**
 * What `--start` names: `zero`, `noise` (of the recipe, or of 10 grey levels), or a picture, stretched to the canvas.
 * Undefined for the recipe's own.
 */
export async function readStart(
  given: string | undefined,
  { parametrisation, start }: AscentRecipe,
  preprocessing: Preprocessing,
  size: readonly [number, number],
  signal: AbortSignal,
): Promise<Start | undefined> {
  if (given === undefined) return undefined;
  if (given === 'zero') return { kind: 'zero' };
  if (given === 'noise') {
    if (start.kind === 'noise' || parametrisation === 'fourier') return { kind: 'noise' };
    return {
      kind: 'noise',
      deviation: (START_DEVIATION * gainOf(scaleOf(preprocessing))) / GREY_LEVELS,
    };
  }
  const { rgb } = await decodePicture(given, { signal });
  const whole: Preprocessing =
    parametrisation === 'pixels'
      ? { ...preprocessing, resize: 'stretch', crop: 1 }
      : { ...preprocessing, ...PICTURE_UNITS };
  const fitted = await fitPicture(rgb, whole, { height: size[0], width: size[1] }, { signal });
  return { kind: 'picture', picture: normalisePicture(fitted, whole).data };
}

const PICTURE_UNITS = {
  ...{ resize: 'stretch', crop: 1, channelOrder: 'rgb', scale: GREY_LEVELS },
  ...{ mean: [0, 0, 0], std: [1, 1, 1] },
} as const satisfies Partial<Preprocessing>;

/** Where a class stands among the scores of a network. */
export interface Standing {
  /** 1 for the highest score. */
  readonly rank: number;
  readonly probability: number;
}

/**
 * Where each class stands for a network that is shown its picture as a file would be: in 8 bits, stretched to its size,
 * through its preprocessing.
 */
export async function standingsOf(
  model: Model,
  logits: string,
  preprocessing: Preprocessing,
  pictures: readonly Picture[],
  classes: readonly number[],
  signal: AbortSignal,
): Promise<Standing[]> {
  const [, , height = 0, width = 0] = (model.input.dims ?? []).map(Number);
  const whole: Preprocessing = { ...preprocessing, resize: 'stretch', crop: 1 };
  const standings: Standing[] = [];
  for (const [i, picture] of pictures.entries()) {
    const rgb = { ...picture, channels: 3 as const };
    const fitted = await fitPicture(rgb, whole, { height, width }, { signal });
    const outputs = await model.activations([logits], normalisePicture(fitted, whole), { signal });
    standings.push(standingIn(outputs.get(logits)!.data, classes[i]!));
  }
  return standings;
}

function standingIn(logits: Float32Array, index: number): Standing {
  const own = logits[index];
  if (own === undefined) {
    throw new UnitscopeError(
      'not-found',
      `no class ${index}; the judge has the classes 0 to ${logits.length - 1}`,
    );
  }
  const above = logits.filter((logit) => logit > own).length;
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - own), 0);
  return { rank: above + 1, probability: 1 / total };
}
