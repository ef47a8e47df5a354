import { evaluate, type Graph } from '@unitscope/onnx';
import { sizeOf, type Tensor } from '@unitscope/tensor';

/** How a picture in 0..1 becomes input: picture x gain + offset, for each channel. */
export interface SlowScale {
  readonly gain: readonly number[];
  readonly offset: readonly number[];
}

const STEP = 1e-6;

/** J = -log softmax(z)_y of one input, from the definition. */
function crossEntropy(graph: Graph, dims: readonly number[], input: Float64Array, index: number): number {
  const { data } = evaluate(graph, { input: { dims, data: input } }).get(graph.outputs[0]!.name)!;
  const total = data.reduce((sum, score) => sum + Math.exp(score - data[index]!), 0);
  return Math.log(total);
}

/** dJ/dpicture by central differences. */
function slopeOf(
  graph: Graph,
  dims: readonly number[],
  picture: Float64Array,
  { gain, offset }: SlowScale,
  index: number,
): Float64Array {
  const plane = sizeOf(dims.slice(2));
  const lossAt = (changed: number, by: number) => {
    const input = picture.map((value, i) => {
      const channel = Math.floor(i / plane);
      return (value + (i === changed ? by : 0)) * gain[channel]! + offset[channel]!;
    });
    return crossEntropy(graph, dims, input, index);
  };
  return picture.map((_, i) => (lossAt(i, STEP) - lossAt(i, -STEP)) / (2 * STEP));
}

/**
 * Projected gradient ascent on the cross-entropy of a class, or descent for a target, of one picture and from the picture
 * itself, in double precision and from the papers' formulas. Also the smallest |slope| met, as a part of the largest: how
 * far a sign was from being another.
 */
export function slowAttack(
  graph: Graph,
  input: Tensor,
  scale: SlowScale,
  index: number,
  how: {
    readonly norm: 'linf' | 'l2';
    readonly epsilon: number;
    readonly stepSize: number;
    readonly steps: number;
    readonly sign: 1 | -1;
  },
): { readonly picture: Float64Array; readonly certainty: number } {
  const plane = sizeOf(input.dims.slice(2));
  const original = Float64Array.from(input.data, (value, i) => {
    const channel = Math.floor(i / plane);
    return (value - scale.offset[channel]!) / scale.gain[channel]!;
  });
  const { norm, epsilon, stepSize, steps, sign } = how;
  const length = (values: Float64Array) => Math.hypot(...values);
  let picture = original;
  let certainty = Number.POSITIVE_INFINITY;
  for (let step = 0; step < steps; step++) {
    const slope = slopeOf(graph, input.dims, picture, scale, index);
    const sizes = slope.map(Math.abs);
    certainty = Math.min(certainty, Math.min(...sizes) / Math.max(...sizes));
    const moved = picture.map((value, i) => {
      const direction = norm === 'linf' ? Math.sign(slope[i]!) : slope[i]! / length(slope);
      return value + sign * stepSize * direction - original[i]!;
    });
    const far = length(moved);
    const inBall = moved.map((value) =>
      norm === 'linf'
        ? Math.max(-epsilon, Math.min(epsilon, value))
        : value * (far > epsilon ? epsilon / far : 1),
    );
    picture = inBall.map((value, i) => Math.max(0, Math.min(1, original[i]! + value)));
  }
  return { picture, certainty };
}
