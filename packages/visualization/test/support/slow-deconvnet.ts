import { type Dim, emptyGraph, type Graph, GraphBuilder } from '@unitscope/onnx';
import { Random, type Tensor } from '@unitscope/tensor';

/** Maps of one picture: [channel][row][column]. */
type Maps = readonly (readonly (readonly number[])[])[];

interface Convolution {
  /** [output][input][row][column] */
  readonly weights: readonly Maps[];
  readonly bias: readonly number[];
  readonly pad: number;
}

/** conv1 (3 to 4, 3 x 3, padded by 1) - relu1 - pool1 (3 x 3, stride 2) - conv2 (4 to 6, 3 x 3) - relu2. */
export interface SmallNetwork {
  readonly graph: Graph;
  readonly layers: readonly [Convolution, Convolution];
}

const POOL = 3;
const POOL_STRIDE = 2;

/** A network of known filters; unit 5 of conv2 and relu2 has a bias that keeps it silent. */
export function smallNetwork(seed: number, dims: readonly Dim[] = ['N', 3, 12, 15]): SmallNetwork {
  const random = new Random(seed);
  const builder = new GraphBuilder(emptyGraph('small', 18));
  const constant = (shape: readonly number[], data: Float32Array) =>
    builder.constant({ type: 'float32', dims: shape, data });
  const made = ([outputs, inputs]: readonly [number, number], pad: number, silent?: number) => {
    const { data } = random.normalTensor([outputs, inputs, 3, 3], 0, 0.5);
    const bias = random.normalTensor([outputs], 0, 0.2).data;
    if (silent !== undefined) bias[silent] = -1000;
    const weights = Array.from({ length: outputs }, (_, o) => mapsOf(data, o * inputs, inputs, 3, 3));
    const layer: Convolution = { weights, bias: [...bias], pad };
    return { layer, inputs: [constant([outputs, inputs, 3, 3], data), constant([outputs], bias)] };
  };
  const [first, second] = [made([4, 3], 1), made([6, 4], 0, 5)];
  const input = builder.input({ name: 'picture', type: 'float32', dims });
  const conv1 = builder.node(
    'Conv',
    [input, ...first.inputs],
    { kernel_shape: [3, 3], pads: [1, 1, 1, 1] },
    { name: 'conv1' },
  );
  const relu1 = builder.node('Relu', [conv1], {}, { name: 'relu1' });
  const pool = builder.node(
    'MaxPool',
    [relu1],
    { kernel_shape: [POOL, POOL], strides: [POOL_STRIDE, POOL_STRIDE] },
    { name: 'pool1' },
  );
  const conv2 = builder.node('Conv', [pool, ...second.inputs], { kernel_shape: [3, 3] }, { name: 'conv2' });
  const relu2 = builder.node('Relu', [conv2], {}, { name: 'relu2' });
  const mean = builder.node('GlobalAveragePool', [relu2], {}, { name: 'mean' });
  const flat = builder.node('Flatten', [mean], { axis: 1 }, { name: 'scores' });
  builder.output({ name: flat, type: 'float32', dims: [dims[0]!, 6] });
  return { graph: builder.build(), layers: [first.layer, second.layer] };
}

/** Of one picture of a batch. */
export function pictureMaps({ dims, data }: Tensor, n: number): Maps {
  const [, channels = 0, height = 0, width = 0] = dims;
  return mapsOf(data, n * channels, channels, height, width);
}

function mapsOf(data: ArrayLike<number>, first: number, count: number, height: number, width: number): Maps {
  return range(count).map((c) =>
    range(height).map((y) => range(width).map((x) => data[((first + c) * height + y) * width + x]!)),
  );
}

/**
 * The deconvnet written down from the paper, in float64: the strongest activation of a unit of relu2, everything else
 * zero; rectified, through the transposed filters, unpooled by the switches, rectified, through the transposed filters.
 */
export function slowDeconvnet([first, second]: SmallNetwork['layers'], picture: Maps, unit: number) {
  const pooled = convolve(picture, first).map((map) => map.map((row) => row.map(rectify)));
  const switches: { c: number; y: number; x: number; fromY: number; fromX: number }[] = [];
  const below = pooled.map((map, c) =>
    range(Math.floor((map.length - POOL) / POOL_STRIDE) + 1).map((y) =>
      range(Math.floor((map[0]!.length - POOL) / POOL_STRIDE) + 1).map((x) => {
        let [fromY, fromX] = [y * POOL_STRIDE, x * POOL_STRIDE];
        for (const dy of range(POOL))
          for (const dx of range(POOL)) {
            const [row, column] = [y * POOL_STRIDE + dy, x * POOL_STRIDE + dx];
            if (map[row]![column]! > map[fromY]![fromX]!) [fromY, fromX] = [row, column];
          }
        switches.push({ c, y, x, fromY, fromX });
        return map[fromY]![fromX]!;
      }),
    ),
  );
  const map = convolve(below, second)[unit]!.map((row) => row.map(rectify));
  let position: [number, number] = [0, 0];
  map.forEach((row, y) => {
    row.forEach((value, x) => {
      if (value > map[position[0]]![position[1]]!) position = [y, x];
    });
  });
  const activation = map[position[0]]![position[1]]!;
  const start = second.weights.map((_, u) =>
    map.map((row, y) =>
      row.map((_, x) => (u === unit && y === position[0] && x === position[1] ? rectify(activation) : 0)),
    ),
  );
  const atPool = transposed(start, second, below);
  const unpooled = pooled.map((plane) => plane.map((row) => row.map(() => 0)));
  for (const { c, y, x, fromY, fromX } of switches) unpooled[c]![fromY]![fromX]! += atPool[c]![y]![x]!;
  const rectified = unpooled.map((plane) => plane.map((row) => row.map(rectify)));
  return { position, activation, map: transposed(rectified, first, picture) };
}

function convolve(input: Maps, { weights, bias, pad }: Convolution): number[][][] {
  const [height, width] = [input[0]!.length, input[0]![0]!.length];
  return weights.map((filter, o) =>
    range(height + 2 * pad - 2).map((y) =>
      range(width + 2 * pad - 2).map((x) => {
        let sum = bias[o]!;
        for (const [c, kernel] of filter.entries())
          for (const dy of range(3))
            for (const dx of range(3))
              sum += kernel[dy]![dx]! * (input[c]![y + dy - pad]?.[x + dx - pad] ?? 0);
        return sum;
      }),
    ),
  );
}

function transposed(signal: Maps, { weights, pad }: Convolution, like: Maps): number[][][] {
  const result = like.map((map) => map.map((row) => row.map(() => 0)));
  for (const [o, map] of signal.entries())
    for (const [y, row] of map.entries())
      for (const [x, value] of row.entries())
        for (const [c, kernel] of weights[o]!.entries())
          for (const dy of range(3))
            for (const dx of range(3)) {
              const target = result[c]![y + dy - pad];
              if (target?.[x + dx - pad] !== undefined) target[x + dx - pad]! += value * kernel[dy]![dx]!;
            }
  return result;
}

const range = (length: number) => Array.from({ length }, (_, i) => i);
const rectify = (value: number) => Math.max(0, value);
