import { intsAttribute, stringAttribute } from '@unitscope/onnx';
import type { RuleContext } from '../rule.js';
import { isLeftOut, resolveAxis } from './axes.js';

/** One axis that Resize changes. */
export interface ResizedAxis {
  readonly axis: number;
  readonly inputSize: number;
  readonly outputSize: number;
  /** The place in the input each output entry is read from; undefined where it shows `extrapolation_value`. */
  readonly places: readonly (number | undefined)[];
  /** As `places`, rounded to float32 at every step, as ONNX Runtime does: which entry is nearest can hang on a bit. */
  readonly roundedPlaces: readonly (number | undefined)[];
  /** Whether the axis gets smaller. */
  readonly shrinks: boolean;
}

interface Mapping {
  /** Output over input size, or the scale that is given. */
  readonly scale: number;
  readonly input: number;
  readonly output: number;
  readonly start: number;
  readonly end: number;
  /** Rounding to the precision of the computation. */
  readonly round: (value: number) => number;
}

type Transformation = (o: number, mapping: Mapping) => number;

const halfPixel: Transformation = (o, { scale, round }) => round(round((o + 0.5) / scale) - 0.5);

/** coordinate_transformation_mode: the place in the input that output entry o is read from. */
const TRANSFORMATIONS: Readonly<Record<string, Transformation>> = {
  half_pixel: halfPixel,
  half_pixel_symmetric: (o, mapping) => {
    const { scale, input, output, round } = mapping;
    const adjustment = round(output / round(scale * input));
    const offset = round((input / 2) * round(1 - adjustment));
    return round(offset + halfPixel(o, mapping));
  },
  pytorch_half_pixel: (o, mapping) => (mapping.output > 1 ? halfPixel(o, mapping) : 0),
  align_corners: (o, { input, output, round }) =>
    output > 1 ? round(round(o * (input - 1)) / (output - 1)) : 0,
  asymmetric: (o, { scale, round }) => round(o / scale),
  tf_crop_and_resize: (o, { input, output, start, end, round }) => {
    if (output === 1) return round(0.5 * round(round(start + end) * (input - 1)));
    const length = round(round(end - start) * (input - 1));
    return round(round(start * (input - 1)) + round(round(o * length) / (output - 1)));
  },
};

/** The axes along which a Resize node changes something, with the places they are read from. */
export function resizedAxes(context: RuleContext): ResizedAxis[] {
  const { node } = context;
  const [x, y] = [node.inputs[0]!, node.outputs[0]!];
  const [inputDims, outputDims] = [context.dims(x), context.dims(y)];
  const mode = stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel');
  const transformation = TRANSFORMATIONS[mode];
  if (transformation === undefined)
    throw context.unsupported(`coordinate_transformation_mode ${mode} has no rule`);
  const axes = (intsAttribute(node, 'axes') ?? inputDims.map((_, axis) => axis)).map((axis) =>
    resolveAxis(context, axis, inputDims.length),
  );
  // ONNX Runtime copies where no size changes, and leaves an axis of scale 1 as it is, whatever scales and region say.
  if (axes.every((axis) => inputDims[axis] === outputDims[axis])) return [];
  const crops = mode === 'tf_crop_and_resize';
  const roi = crops ? floatsInput(context, 1, 'roi') : [];
  const scales = scalesOf(context, axes);
  return axes.flatMap((axis, i) => {
    const [inputSize, outputSize] = [inputDims[axis]!, outputDims[axis]!];
    if (scales[i] === 1 || (scales[i] === undefined && inputSize === outputSize)) return [];
    if (typeof inputSize !== 'number' || typeof outputSize !== 'number') {
      throw context.unsupported(`the size of ${x} along axis ${axis} is known at run time only`);
    }
    const scale = scales[i] ?? outputSize / inputSize;
    const mapping = {
      scale,
      input: inputSize,
      output: outputSize,
      start: roi[i] ?? 0,
      end: roi[i + axes.length] ?? 1,
    };
    const single = { ...mapping, scale: Math.fround(scale), round: Math.fround };
    const entries = Array.from({ length: outputSize }, (_, o) => o);
    const roundedPlaces = entries.map((o) => {
      const place = transformation(o, single);
      return crops && (place < 0 || place > inputSize - 1) ? undefined : place;
    });
    const places = roundedPlaces.map((rounded, o) =>
      rounded === undefined ? undefined : transformation(o, { ...mapping, round: (value) => value }),
    );
    return [{ axis, inputSize, outputSize, places, roundedPlaces, shrinks: scale < 1 }];
  });
}

/** The factor of each axis, where it is not the ratio of the sizes. */
function scalesOf(context: RuleContext, axes: readonly number[]): readonly number[] {
  const { node } = context;
  const given = isLeftOut(node, 2) ? [] : floatsInput(context, 2, 'scales');
  const policy = stringAttribute(node, 'keep_aspect_ratio_policy', 'stretch');
  if (given.length > 0 || policy === 'stretch') return given;
  // One factor for all axes: the output's sizes are the input's, times it and rounded.
  const dims = context.dims(node.inputs[0]!);
  const ratios = floatsInput(context, 3, 'sizes').map((size, i) => size / Number(dims[axes[i]!]));
  const common = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios);
  if (Number.isNaN(common))
    throw context.unsupported(`the size of ${node.inputs[0]} is known at run time only`);
  return axes.map(() => common);
}

function floatsInput(context: RuleContext, input: number, what: string): number[] {
  const { data } = context.requireConstant(input, what);
  const numbers: number[] = [];
  for (const value of data) numbers.push(Number(value));
  return numbers;
}

/** nearest_mode: the entry next to a place, inside the input. */
export function nearestEntries(
  context: RuleContext,
  { roundedPlaces, inputSize }: ResizedAxis,
): (number | undefined)[] {
  const mode = stringAttribute(context.node, 'nearest_mode', 'round_prefer_floor');
  const nearest = NEAREST[mode];
  if (nearest === undefined) throw context.unsupported(`nearest_mode ${mode} has no rule`);
  return roundedPlaces.map((place) =>
    place === undefined ? undefined : Math.min(Math.max(nearest(place), 0), inputSize - 1),
  );
}

const NEAREST: Readonly<Record<string, (place: number) => number>> = {
  round_prefer_floor: (place) => Math.ceil(place - 0.5),
  round_prefer_ceil: (place) => Math.floor(place + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** The matrix W, [outputSize, inputSize] in row-major order, of linear interpolation along an axis: y = W x. */
export function interpolationMatrix({ places, inputSize, outputSize }: ResizedAxis): Float64Array {
  const matrix = new Float64Array(outputSize * inputSize);
  places.forEach((place, o) => {
    if (place === undefined) return;
    const inside = Math.min(Math.max(place, 0), inputSize - 1);
    const low = Math.floor(inside);
    const high = Math.min(low + 1, inputSize - 1);
    matrix[o * inputSize + low]! += 1 - (inside - low);
    matrix[o * inputSize + high]! += inside - low;
  });
  return matrix;
}
