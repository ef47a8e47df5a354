import { type Random, UnitscopeError } from '@unitscope/tensor';
import { fromColors, pullBackColors, toColors } from './color.js';
import { type CanvasSize, FourierPlanes } from './fourier.js';

/**
 * - `pixels`: the numbers of the network's input themselves
 * - `fourier`: spectra of decorrelated colours, through the logistic function to a picture in 0..1 (Olah et al. 2017)
 */
export type ParametrisationName = 'pixels' | 'fourier';

/** What an ascent starts from: nothing, normal noise in the parameters, or pictures as the canvas holds them. */
export type Start =
  | { readonly kind: 'zero' }
  | { readonly kind: 'noise'; readonly deviation?: number }
  | { readonly kind: 'picture'; readonly picture: Float32Array };

/** What is optimised, and the pictures [N, C, h, w] it stands for. */
export interface Parametrisation {
  readonly name: ParametrisationName;
  /** Where the canvas lives: in the network's units, or in 0..1 with red first. */
  readonly space: 'input' | 'picture';
  readonly grey: number;
  readonly parameters: Float32Array;
  readonly gradient: Float32Array;
  readonly canvas: Float32Array;
  readonly canvasGradient: Float32Array;
  /** Draws the canvas. */
  render(): void;
  /** The gradient by the parameters from that by the canvas, which may be overwritten. */
  pullBack(): void;
}

export function parametrise(
  name: ParametrisationName,
  count: number,
  channels: number,
  size: CanvasSize,
  start: Start,
  random: Random,
): Parametrisation {
  return name === 'pixels'
    ? pixels(count * channels * size.height * size.width, start, random)
    : fourier(count, channels, size, start, random);
}

function pixels(length: number, start: Start, random: Random): Parametrisation {
  const canvas = new Float32Array(length);
  if (start.kind === 'noise') fillNormal(canvas, random, start.deviation ?? 1);
  if (start.kind === 'picture') repeatInto(start.picture, canvas);
  const gradient = new Float32Array(length);
  return {
    ...{ name: 'pixels', space: 'input', grey: 0, parameters: canvas, gradient, canvas },
    canvasGradient: gradient,
    render() {},
    pullBack() {},
  };
}

/** The deviation of Lucid's noise. */
const FOURIER_NOISE = 0.01;

function fourier(
  count: number,
  channels: number,
  size: CanvasSize,
  start: Start,
  random: Random,
): Parametrisation {
  if (channels !== 3) {
    throw new UnitscopeError(
      'wrong-use',
      `colours are decorrelated in three channels, the network takes ${channels}; use the parametrisation pixels`,
    );
  }
  const planes = new FourierPlanes(size);
  const plane = size.height * size.width;
  const parameters = new Float32Array(3 * count * planes.length);
  const canvas = new Float32Array(3 * count * plane);
  const raw = new Float32Array(3 * plane);
  const spectrumOf = (array: Float32Array, sample: number, channel: number) => {
    const from = (3 * sample + channel) * planes.length;
    return array.subarray(from, from + planes.length);
  };
  const channelOf = (channel: number) => raw.subarray(channel * plane, (channel + 1) * plane);
  const pictureOf = (array: Float32Array, sample: number) =>
    array.subarray(3 * sample * plane, 3 * (sample + 1) * plane);
  if (start.kind === 'noise') fillNormal(parameters, random, start.deviation ?? FOURIER_NOISE);
  if (start.kind === 'picture') {
    repeatInto(start.picture, canvas);
    for (let sample = 0; sample < count; sample++) {
      fromColors(pictureOf(canvas, sample), raw);
      for (let c = 0; c < 3; c++) planes.analyse(channelOf(c), spectrumOf(parameters, sample, c));
    }
  }
  const gradient = new Float32Array(parameters.length);
  const canvasGradient = new Float32Array(canvas.length);
  return {
    ...{ name: 'fourier', space: 'picture', grey: 0.5, parameters, gradient, canvas, canvasGradient },
    render() {
      for (let sample = 0; sample < count; sample++) {
        for (let c = 0; c < 3; c++) planes.render(spectrumOf(parameters, sample, c), channelOf(c));
        toColors(raw, pictureOf(canvas, sample));
      }
    },
    pullBack() {
      for (let sample = 0; sample < count; sample++) {
        pullBackColors(pictureOf(canvas, sample), pictureOf(canvasGradient, sample), raw);
        for (let c = 0; c < 3; c++) planes.pullBack(channelOf(c), spectrumOf(gradient, sample, c));
      }
    },
  };
}

function fillNormal(array: Float32Array, random: Random, deviation: number): void {
  for (let i = 0; i < array.length; i++) array[i] = deviation * random.normal();
}

/** One picture for every sample, or one for all. */
function repeatInto(picture: Float32Array, canvas: Float32Array): void {
  if (picture.length === 0 || canvas.length % picture.length !== 0) {
    throw new UnitscopeError(
      'bad-input',
      `the picture to start from has ${picture.length} numbers, the canvas ${canvas.length}`,
    );
  }
  for (let from = 0; from < canvas.length; from += picture.length) canvas.set(picture, from);
}
