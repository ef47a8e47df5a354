import {
  convGeometry,
  convTransposeGeometry,
  type Dim,
  type Graph,
  intAttribute,
  intsAttribute,
  type Node,
  poolGeometry,
  type Shapes,
  stringAttribute,
  type WindowGeometry,
} from '@unitscope/onnx';

type Pair = readonly [number, number];

/**
 * Which part of the picture a unit of a map sees, as [height, width] in input pixels, 0-based. The unit at row i sees
 * the rows from `offset + i stride` on, `size` of them; `offset` is negative where it reaches into the padding. The
 * middle of what it sees is `centre + i stride`, `centre = offset + (size - 1) / 2`.
 */
export interface ReceptiveField {
  readonly size: Pair;
  readonly stride: Pair;
  /** Top left corner of what unit 0 sees: the padding, accumulated with a minus sign. */
  readonly offset: Pair;
  /** Middle of what unit 0 sees. */
  readonly centre: Pair;
}

interface Axis {
  readonly size: number;
  readonly stride: number;
  readonly offset: number;
}

type Axes = readonly [Axis, Axis];

// A size that is known at run time only does not change a window's geometry, unless the padding follows from it.
const ANY_SIZE = 2 ** 20;

/** Operators of which every output unit sees exactly what the input units at its own place see. */
const IN_PLACE: ReadonlySet<string> = new Set(
  `Abs Add BatchNormalization Cast Ceil Celu Clip Concat Div Dropout Elu Erf Exp Floor Gelu GroupNormalization
  HardSigmoid HardSwish Identity InstanceNormalization LRN LeakyRelu Log Max Mean Min Mish Mul Neg PRelu Pow
  Reciprocal Relu Round Selu Sigmoid Sign Softplus Softsign Split Sqrt Sub Sum Tanh ThresholdedRelu Where`.split(
    /\s+/,
  ),
);

/**
 * The receptive field of every map ([N, C, H, W]) that is made from `input`, by value name; maps behind operators that
 * are not local have none. Where branches meet, that of the largest counts, per axis. What a gate or a normalisation
 * sees besides, the statistics of the whole map, is left out.
 *
 * The recurrence over windows of extent k, stride s and padding p: size += (k - 1) stride; offset -= p stride;
 * stride *= s (SPEC of Network Dissection and of location instability).
 */
export function receptiveFields(graph: Graph, shapes: Shapes, input: string): Map<string, ReceptiveField> {
  const known = new Map<string, Axes>();
  if (shapes.dims(input)?.length === 4) {
    const pixel: Axis = { size: 1, stride: 1, offset: 0 };
    known.set(input, [pixel, pixel]);
  }
  for (const node of graph.nodes) {
    const axes = axesOf(node, shapes, known);
    if (axes === undefined) continue;
    for (const output of node.outputs) {
      if (output !== '' && shapes.dims(output)?.length === 4) known.set(output, axes);
    }
  }
  return new Map([...known].map(([value, axes]) => [value, fieldOf(axes)]));
}

function fieldOf([h, w]: Axes): ReceptiveField {
  return {
    size: [h.size, w.size],
    stride: [h.stride, w.stride],
    offset: [h.offset, w.offset],
    centre: [centreOf(h), centreOf(w)],
  };
}

function centreOf({ offset, size }: Axis): number {
  return offset + (size - 1) / 2;
}

function axesOf(node: Node, shapes: Shapes, known: ReadonlyMap<string, Axes>): Axes | undefined {
  const [first = ''] = node.inputs;
  const [output = ''] = node.outputs;
  const outputDims = shapes.dims(output);
  if (node.domain !== '' || outputDims?.length !== 4) return undefined;
  if (IN_PLACE.has(node.operator)) return largest(node, shapes, known, outputDims);
  const axes = known.get(first);
  const dims = shapes.dims(first);
  if (axes === undefined || dims?.length !== 4) return undefined;
  const spatial = dims.slice(2);
  switch (node.operator) {
    case 'Conv': {
      const kernel = sizesOf(shapes.dims(node.inputs[1]!));
      return kernel && windowed(node, axes, spatial, (sizes) => convGeometry(node, sizes, kernel));
    }
    case 'MaxPool':
    case 'AveragePool':
    case 'LpPool':
      return windowed(node, axes, spatial, (sizes) => poolGeometry(node, sizes));
    case 'ConvTranspose': {
      const kernel = sizesOf(shapes.dims(node.inputs[1]!));
      return kernel && transposed(node, axes, spatial, kernel);
    }
    case 'GlobalAveragePool':
    case 'GlobalMaxPool':
      return mapAxes(axes, (axis, i) => whole(axis, spatial[i]!));
    case 'ReduceMean':
    case 'ReduceMax':
    case 'ReduceSum':
      return outputDims[2] === 1 && outputDims[3] === 1
        ? mapAxes(axes, (axis, i) => whole(axis, spatial[i]!))
        : undefined;
    case 'Pad':
      return padded(node, axes, shapes);
    case 'Slice':
      return sliced(node, axes, dims, shapes);
    case 'DepthToSpace': {
      const block = intAttribute(node, 'blocksize', 1);
      return mapAxes(axes, (axis) => ({ ...axis, stride: axis.stride / block }));
    }
    case 'Resize':
    case 'Upsample':
      return resized(node, axes, spatial, outputDims.slice(2));
    default:
      return undefined;
  }
}

function mapAxes(axes: Axes, change: (axis: Axis, index: number) => Axis | undefined): Axes | undefined {
  const [h, w] = [change(axes[0], 0), change(axes[1], 1)];
  return h === undefined || w === undefined ? undefined : [h, w];
}

/** Of the inputs that have the output's map size, the one that sees most; a gate of size 1 x 1 is not one of them. */
function largest(
  node: Node,
  shapes: Shapes,
  known: ReadonlyMap<string, Axes>,
  outputDims: readonly Dim[],
): Axes | undefined {
  const sameMap = node.inputs.flatMap((input) => {
    const dims = shapes.dims(input);
    const fits = dims?.length === 4 && dims[2] === outputDims[2] && dims[3] === outputDims[3];
    const axes = known.get(input);
    return fits && axes !== undefined ? [axes] : [];
  });
  if (sameMap.length === 0) return undefined;
  return sameMap.reduce(
    (a, b): Axes => [b[0].size > a[0].size ? b[0] : a[0], b[1].size > a[1].size ? b[1] : a[1]],
  );
}

function sizesOf(dims: readonly Dim[] | undefined): readonly number[] | undefined {
  const sizes = dims?.slice(2).filter((dim) => typeof dim === 'number');
  return sizes?.length === 2 ? sizes : undefined;
}

function windowed(
  node: Node,
  axes: Axes,
  spatial: readonly Dim[],
  geometryFor: (sizes: readonly number[]) => WindowGeometry,
): Axes | undefined {
  if (spatial.some((size) => typeof size === 'string') && padsFollowSize(node)) return undefined;
  const window = geometryFor(spatial.map((size) => (typeof size === 'number' ? size : ANY_SIZE)));
  return mapAxes(axes, ({ size, stride, offset }, i) => ({
    size: size + window.dilations[i]! * (window.kernel[i]! - 1) * stride,
    stride: stride * window.strides[i]!,
    offset: offset - window.padsBegin[i]! * stride,
  }));
}

function padsFollowSize(node: Node): boolean {
  return stringAttribute(node, 'auto_pad', 'NOTSET').startsWith('SAME');
}

/** Output o reads the inputs i with o = s i - p + j, 0 <= j < k: at most ceil(k / s) of them. */
function transposed(
  node: Node,
  axes: Axes,
  spatial: readonly Dim[],
  kernel: readonly number[],
): Axes | undefined {
  if (spatial.some((size) => typeof size === 'string')) return undefined;
  const sizes = spatial.map(Number);
  const window = convTransposeGeometry(node, sizes, kernel);
  return mapAxes(axes, ({ size, stride, offset }, i) => {
    const extent = window.dilations[i]! * (window.kernel[i]! - 1) + 1;
    const step = window.strides[i]!;
    const first = Math.ceil((window.padsBegin[i]! - extent + 1) / step);
    return {
      size: size + (Math.ceil(extent / step) - 1) * stride,
      stride: stride / step,
      offset: offset + first * stride,
    };
  });
}

function whole({ size, stride, offset }: Axis, count: Dim): Axis | undefined {
  if (typeof count === 'string') return undefined;
  return { size: size + (count - 1) * stride, stride: stride * count, offset };
}

function padded(node: Node, axes: Axes, shapes: Shapes): Axes | undefined {
  const pads = intsAttribute(node, 'pads') ?? integers(shapes, node.inputs[1]);
  const given = integers(shapes, node.inputs[3]);
  if (pads === undefined || (given === undefined && (node.inputs[3] ?? '') !== '')) return undefined;
  const padded = (given ?? [0, 1, 2, 3]).map((axis) => (axis < 0 ? axis + 4 : axis));
  return mapAxes(axes, (axis, i) => {
    const at = padded.indexOf(i + 2);
    return at < 0 ? axis : { ...axis, offset: axis.offset - pads[at]! * axis.stride };
  });
}

function sliced(node: Node, axes: Axes, dims: readonly Dim[], shapes: Shapes): Axes | undefined {
  const given = (attribute: string, input: number) =>
    intsAttribute(node, attribute) ?? integers(shapes, node.inputs[input]);
  const starts = given('starts', 1);
  const steps = integers(shapes, node.inputs[4]);
  if (starts === undefined || (steps === undefined && (node.inputs[4] ?? '') !== '')) return undefined;
  const cut = (given('axes', 3) ?? starts.map((_, i) => i)).map((axis) => (axis < 0 ? axis + 4 : axis));
  return mapAxes(axes, (axis, i) => {
    const at = cut.indexOf(i + 2);
    if (at < 0) return axis;
    const length = dims[i + 2]!;
    const step = steps?.[at] ?? 1;
    const start = starts[at]!;
    if (step < 1 || (start < 0 && typeof length === 'string')) return undefined;
    const first = start < 0 ? Math.max(0, start + Number(length)) : start;
    return { ...axis, offset: axis.offset + first * axis.stride, stride: axis.stride * step };
  });
}

/** Output o lies at (o + 1/2) / scale - 1/2 of the input, or at o / scale where corners or edges are aligned. */
function resized(node: Node, axes: Axes, from: readonly Dim[], to: readonly Dim[]): Axes | undefined {
  const linear = /^(bi)?linear$/.test(stringAttribute(node, 'mode', 'nearest'));
  const placing =
    node.operator === 'Upsample'
      ? 'asymmetric'
      : stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel');
  return mapAxes(axes, (axis, i) => {
    const [inside, outside] = [from[i], to[i]];
    if (typeof inside !== 'number' || typeof outside !== 'number') return undefined;
    const corners = placing === 'align_corners' && outside > 1;
    const step = corners ? (inside - 1) / (outside - 1) : inside / outside;
    const shift = placing.includes('half_pixel') ? (step - 1) / 2 : 0;
    const size = linear ? axis.size + axis.stride : axis.size;
    const centre = centreOf(axis) + shift * axis.stride;
    return { size, stride: axis.stride * step, offset: centre - (size - 1) / 2 };
  });
}

function integers(shapes: Shapes, value: string | undefined): readonly number[] | undefined {
  const constant = value === undefined || value === '' ? undefined : shapes.constant(value);
  return constant && Array.from(constant.data, Number);
}
