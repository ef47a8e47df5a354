import { floatAttribute, intsAttribute, type Node, stringAttribute } from '../graph.js';
import { around, OUTSIDE, pick, sumOffsets } from './indexing.js';
import { axisOf, nodeError, type Operator, required } from './operator.js';
import type { Value } from './value.js';

/** How one axis is resized. */
interface ResizedAxis {
  readonly input: number;
  readonly output: number;
  readonly scale: number;
  readonly roiStart: number;
  readonly roiEnd: number;
}

/** Output sizes from scales (input 2, or 1 in version 10) or sizes (input 3), for the axes named, all by default. */
function resizedAxes(node: Node, inputs: readonly (Value | undefined)[], opset: number): ResizedAxis[] {
  const x = required(node, inputs, 0);
  const rank = x.dims.length;
  const axes = intsAttribute(node, 'axes')?.map((axis) => axisOf(node, axis, rank)) ?? [...x.dims.keys()];
  const roi = opset < 11 ? undefined : inputs[1];
  const scales = opset < 11 ? inputs[1] : inputs[2];
  const sizes = opset < 11 ? undefined : inputs[3];
  const bySize = sizes !== undefined && sizes.data.length > 0;
  const given = bySize ? sizes.data : (scales?.data ?? new Float64Array(0));
  if (given.length !== axes.length) {
    throw nodeError('bad-input', node, `${given.length} scales or sizes for ${axes.length} axes`);
  }
  const policy = stringAttribute(node, 'keep_aspect_ratio_policy', 'stretch');
  const ratios = axes.map((axis, i) => given[i]! / x.dims[axis]!);
  const common = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios);
  return x.dims.map((input, axis) => {
    const i = axes.indexOf(axis);
    const roiStart = roi?.data[i] ?? 0;
    const roiEnd = roi?.data[i + axes.length] ?? 1;
    if (i < 0) return { input, output: input, scale: 1, roiStart: 0, roiEnd: 1 };
    if (!bySize)
      return {
        input,
        output: Math.floor(Math.fround(input * given[i]!)),
        scale: given[i]!,
        roiStart,
        roiEnd,
      };
    if (policy === 'stretch') return { input, output: given[i]!, scale: ratios[i]!, roiStart, roiEnd };
    return { input, output: Math.floor(common * input + 0.5), scale: common, roiStart, roiEnd };
  });
}

/**
 * The place in the input, in pixels, that output pixel o is read from. Every result is passed through `round`: which
 * pixel is the nearest hangs on the last bit, and the operator's scales and places are float32.
 */
function sourcePlace(
  node: Node,
  mode: string,
  o: number,
  axis: ResizedAxis,
  round: (x: number) => number,
): number {
  const { input, output, roiStart, roiEnd } = axis;
  const scale = round(axis.scale);
  switch (mode) {
    case 'half_pixel':
      return round(round((o + 0.5) / scale) - 0.5);
    case 'half_pixel_symmetric': {
      // Sizes are floored: the sampled stretch is shifted so that its middle is the input's middle.
      const shift = round((input / 2) * round(1 - round(output / round(scale * input))));
      return round(round(shift + round((o + 0.5) / scale)) - 0.5);
    }
    case 'pytorch_half_pixel':
      return output > 1 ? round(round((o + 0.5) / scale) - 0.5) : 0;
    case 'tf_half_pixel_for_nn':
      return round((o + 0.5) / scale);
    case 'align_corners':
      return output > 1 ? round((o * (input - 1)) / (output - 1)) : 0;
    case 'asymmetric':
      return round(o / scale);
    case 'tf_crop_and_resize': {
      const [start, end] = [roiStart * (input - 1), roiEnd * (input - 1)];
      return round(output > 1 ? start + (o * (end - start)) / (output - 1) : (start + end) / 2);
    }
    default:
      throw nodeError('unsupported', node, `coordinate_transformation_mode "${mode}"`);
  }
}

function nearestOf(node: Node, mode: string): (place: number) => number {
  switch (mode) {
    case 'round_prefer_floor':
      return (place) => Math.ceil(place - 0.5);
    case 'round_prefer_ceil':
      return (place) => Math.floor(place + 0.5);
    case 'floor':
      return Math.floor;
    case 'ceil':
      return Math.ceil;
    default:
      throw nodeError('unsupported', node, `nearest_mode "${mode}"`);
  }
}

/** Linear interpolation along one axis at the given places; beyond the ends the end pixels go on. */
function interpolated(x: Value, axis: number, places: readonly number[]): Value {
  const { outer, length, inner } = around(x.dims, axis);
  const data = new Float64Array(outer * places.length * inner);
  places.forEach((place, j) => {
    const inside = Math.min(Math.max(place, 0), length - 1);
    const low = Math.floor(inside);
    const high = Math.min(low + 1, length - 1);
    const weight = inside - low;
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        const a = x.data[(o * length + low) * inner + i]!;
        const b = x.data[(o * length + high) * inner + i]!;
        data[(o * places.length + j) * inner + i] = (1 - weight) * a + weight * b;
      }
    }
  });
  return { dims: x.dims.with(axis, places.length), data, kind: x.kind };
}

/** Resize, and Upsample before it, which has neither a region nor a choice of coordinates. */
export const resize: Operator = (node, inputs, { opset }) => {
  const x = required(node, inputs, 0);
  const mode = stringAttribute(node, 'mode', 'nearest');
  const axes = resizedAxes(node, inputs, opset);
  const coordinates = stringAttribute(
    node,
    'coordinate_transformation_mode',
    opset < 11 ? 'asymmetric' : 'half_pixel',
  );
  const round = mode === 'nearest' ? Math.fround : (place: number) => place;
  const places = axes.map((axis) =>
    Array.from({ length: axis.output }, (_, o) => sourcePlace(node, coordinates, o, axis, round)),
  );
  const untouched = axes.map(({ input, output, scale, roiStart, roiEnd }) => {
    const whole = coordinates !== 'tf_crop_and_resize' || (roiStart === 0 && roiEnd === 1);
    return input === output && scale === 1 && whole;
  });
  let y: Value;
  if (mode === 'nearest') {
    const nearest = nearestOf(
      node,
      stringAttribute(node, 'nearest_mode', opset < 11 ? 'floor' : 'round_prefer_floor'),
    );
    const sources = places.map((list, axis) =>
      list.map((place, o) =>
        untouched[axis] ? o : Math.min(Math.max(nearest(place), 0), axes[axis]!.input - 1),
      ),
    );
    y = pick(x, sources);
  } else if (mode === 'linear') {
    y = places.reduce((value, list, axis) => (untouched[axis] ? value : interpolated(value, axis, list)), x);
  } else {
    throw nodeError('unsupported', node, `mode "${mode}" is neither nearest nor linear`);
  }
  if (coordinates !== 'tf_crop_and_resize') return [y];
  const fill = floatAttribute(node, 'extrapolation_value', 0);
  const outside = sumOffsets(
    places.map((list, axis) =>
      Int32Array.from(list, (place) => (place < 0 || place > axes[axis]!.input - 1 ? OUTSIDE : 0)),
    ),
  );
  return [{ ...y, data: y.data.map((value, i) => (outside[i]! < 0 ? fill : value)) }];
};

/** Upsample, versions 7 (scales are an attribute) and 9 (an input): floor(o / scale), or linear at o / scale. */
export const upsample: Operator = (node, inputs, context) => {
  const x = required(node, inputs, 0);
  const attribute = node.attributes.get('scales');
  const scales =
    attribute?.kind === 'floats'
      ? { dims: [x.dims.length], data: Float64Array.from(attribute.value), kind: 'float' as const }
      : required(node, inputs, 1);
  return resize(node, [x, scales], { ...context, opset: 10 });
};
