import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { didYouMean, reasonOf, UnitscopeError, unknownName } from '@unitscope/tensor';
import { RESIZE_FILTERS, type ResizeFilter } from './resize.js';

/** Three numbers, one per channel, in the order of the tensor's channels. */
export type PerChannel = readonly [number, number, number];

/**
 * How a picture becomes the network's input: resize, then per channel `(v / scale - mean) / std`, where v is the
 * grey level 0..255.
 */
export interface Preprocessing {
  readonly name: string;
  /**
   * - `stretch`: the middle `crop` of each side of the picture is scaled to the network's size, whatever its shape
   * - `shortest-side-crop`: the picture is scaled, keeping its shape, until it just covers size / crop; the middle
   *   is cut out
   */
  readonly resize: 'stretch' | 'shortest-side-crop';
  /** Above 0, at most 1. */
  readonly crop: number;
  readonly filter: ResizeFilter;
  readonly channelOrder: 'rgb' | 'bgr';
  readonly scale: number;
  /** In units of v / scale. */
  readonly mean: PerChannel;
  readonly std: PerChannel;
}

const IMAGENET_MEAN: PerChannel = [0.485, 0.456, 0.406];
const IMAGENET_STD: PerChannel = [0.229, 0.224, 0.225];
const CROP = { resize: 'shortest-side-crop', crop: 0.875, filter: 'bilinear' } as const;
const STRETCH = { resize: 'stretch', crop: 1, filter: 'bilinear' } as const;

/**
 * The presets.
 *
 * - `imagenet`: torchvision's classification networks
 * - `tf`: TensorFlow's and Keras's networks in -1..1 (MobileNet, Inception), cropped as `imagenet`
 * - `caffe`: networks converted from Caffe: BGR, 0..255 minus the mean, no division
 * - `cifar10`: the numbers of `imagenet` for networks on small pictures, without its crop: a 32x32 picture reaches a
 *   32x32 network pixel for pixel, any other is scaled whole
 * - `raw255`: RGB 0..255 as it is, for networks that normalise inside
 */
const PRESETS: readonly Preprocessing[] = [
  { name: 'imagenet', ...CROP, channelOrder: 'rgb', scale: 255, mean: IMAGENET_MEAN, std: IMAGENET_STD },
  { name: 'tf', ...CROP, channelOrder: 'rgb', scale: 127.5, mean: [1, 1, 1], std: [1, 1, 1] },
  { name: 'caffe', ...STRETCH, channelOrder: 'bgr', scale: 1, mean: [104, 117, 123], std: [1, 1, 1] },
  { name: 'cifar10', ...STRETCH, channelOrder: 'rgb', scale: 255, mean: IMAGENET_MEAN, std: IMAGENET_STD },
  { name: 'raw255', ...STRETCH, channelOrder: 'rgb', scale: 1, mean: [0, 0, 0], std: [1, 1, 1] },
];

/** The names `preprocessingPreset` knows. */
export const PREPROCESSING_NAMES: readonly string[] = PRESETS.map((preset) => preset.name);

/** The preset of that name. Throws `wrong-use` with the names there are. */
export function preprocessingPreset(name: string): Preprocessing {
  const preset = PRESETS.find((candidate) => candidate.name === name);
  if (preset === undefined) throw unknownName('preprocessing preset', name, PREPROCESSING_NAMES, 'wrong-use');
  return preset;
}

/**
 * A preset by name, or the preprocessing described by a `.json` file with the fields of `Preprocessing` (`name` may be
 * left out).
 *
 * Throws `wrong-use` for an unknown preset, `not-found` for a missing file, `bad-file` naming the field that is wrong.
 */
export async function readPreprocessing(nameOrPath: string): Promise<Preprocessing> {
  if (!nameOrPath.endsWith('.json')) return preprocessingPreset(nameOrPath);
  let text: string;
  try {
    text = await readFile(nameOrPath, 'utf8');
  } catch (cause) {
    throw new UnitscopeError('not-found', `cannot read preprocessing ${nameOrPath}: ${reasonOf(cause)}`, {
      subject: nameOrPath,
      cause,
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new UnitscopeError('bad-file', `preprocessing ${nameOrPath} is not JSON: ${reasonOf(cause)}`, {
      subject: nameOrPath,
      cause,
    });
  }
  return parsePreprocessing(value, nameOrPath);
}

const FIELDS = ['name', 'resize', 'crop', 'filter', 'channelOrder', 'scale', 'mean', 'std'] as const;
type Field = (typeof FIELDS)[number];

/**
 * A checked `Preprocessing` from a parsed JSON value.
 *
 * @param source what to call it in an error; also the name when the value has none
 */
export function parsePreprocessing(value: unknown, source: string): Preprocessing {
  const bad = (why: string) =>
    new UnitscopeError('bad-file', `preprocessing ${source}: ${why}`, { subject: source });
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw bad(`it must be an object with the fields ${FIELDS.join(', ')}`);
  }
  const given = new Map<string, unknown>(Object.entries(value));
  for (const key of given.keys()) {
    if (FIELDS.some((field) => field === key)) continue;
    const guess = didYouMean(key, FIELDS);
    throw bad(
      `no field "${key}"; ${guess === undefined ? `there are: ${FIELDS.join(', ')}` : `did you mean "${guess}"?`}`,
    );
  }
  const get = (field: Field): unknown => {
    if (!given.has(field)) throw bad(`field "${field}" is missing`);
    return given.get(field);
  };
  const choice = <T extends string>(field: Field, legal: readonly T[]): T => {
    const found = legal.find((candidate) => candidate === get(field));
    if (found === undefined) throw bad(`field "${field}" must be one of ${legal.join(', ')}`);
    return found;
  };
  const positive = (field: Field, most: number): number => {
    const number = get(field);
    if (typeof number !== 'number' || !(number > 0 && number <= most)) {
      throw bad(`field "${field}" must be a number above 0${most < Infinity ? `, at most ${most}` : ''}`);
    }
    return number;
  };
  const three = (field: Field, legal: (value: number) => boolean, what: string): PerChannel => {
    const list = get(field);
    const numbers = Array.isArray(list)
      ? list.filter(
          (item): item is number => typeof item === 'number' && Number.isFinite(item) && legal(item),
        )
      : [];
    const [first, second, third] = numbers;
    if (!Array.isArray(list) || list.length !== 3 || third === undefined) {
      throw bad(`field "${field}" must be three ${what}, in the order of the channels`);
    }
    return [first!, second!, third];
  };
  const name = given.get('name') ?? basename(source, '.json');
  if (typeof name !== 'string' || name === '') throw bad('field "name" must be a text');
  return {
    name,
    resize: choice('resize', ['stretch', 'shortest-side-crop'] as const),
    crop: positive('crop', 1),
    filter: choice('filter', RESIZE_FILTERS),
    channelOrder: choice('channelOrder', ['rgb', 'bgr'] as const),
    scale: positive('scale', Infinity),
    mean: three('mean', () => true, 'numbers'),
    std: three('std', (value) => value > 0, 'numbers above 0'),
  };
}

/** One line that says everything: `caffe: stretched whole (bilinear); BGR; v - [104, 117, 123]`. */
export function describePreprocessing(preprocessing: Preprocessing): string {
  const { name, resize, crop, filter, channelOrder, scale, mean, std } = preprocessing;
  const part =
    resize === 'shortest-side-crop'
      ? `shorter side to ${crop === 1 ? 'the size' : `the size / ${crop}`}, middle cut out`
      : crop === 1
        ? 'stretched whole'
        : `middle ${crop} of each side, stretched`;
  const scaled = scale === 1 ? 'v' : `v / ${scale}`;
  const centred = mean.every((value) => value === 0) ? scaled : `${scaled} - [${mean.join(', ')}]`;
  const formula = std.every((value) => value === 1) ? centred : `(${centred}) / [${std.join(', ')}]`;
  return `${name}: ${part} (${filter}); ${channelOrder.toUpperCase()}; ${formula}`;
}
