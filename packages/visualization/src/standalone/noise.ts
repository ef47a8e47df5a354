import { sizeOf, type Tensor, UnitscopeError, zeros } from '@unitscope/tensor';
import type { GraphWriter } from './graph-writer.js';

// Normal numbers made by standard operators, the same on every runtime: the ONNX operators RandomNormal and its kin
// are seeded by each runtime in its own way. The 32-bit mixer is "lowbias32", found by Wellons' search for multipliers
// with little bias (2018); all sums of it are exact in 64-bit integers.

const MULTIPLIERS = [0x7feb352d, 0x846ca68b] as const;
const SHIFTS = [16, 15, 16] as const;
const MASK = 0xffff_ffff;

/** What the seed of the file is mixed with, so that seed 0 is a seed as any other. */
const SEED_OFFSET = 0x9e37_79b9;

/** Bits of a mixed counter that a float32 holds exactly. */
const BITS = 24;

export interface NoiseSource {
  readonly seed: number;
  /** Samples that will be drawn. */
  readonly samples: number;
  /** Dims of one sample, without the batch axis. */
  readonly dims: readonly number[];
}

/**
 * The noise of a file with SmoothGrad, standard normal numbers [samples, ...dims]: times `noise` and the range of a
 * picture it is what `smoothGradMethod` takes as `given`, to have the file's map. Equal to what the file draws but for
 * rounding in float32.
 *
 * Element e of sample i is counter c = i·E + e (E the elements of a sample, rounded up to an even number), mixed to 32
 * bits of which the upper 24 are kept as k. Elements e and e + E/2 are one pair of Box and Muller's: radius
 * √(-2 ln((k_e + 1)/2²⁴)), angle 2π k_{e+E/2}/2²⁴; cosines first, then sines. The counter is mixed one to one, so no two
 * elements of a file share their bits. The noise does not depend on the picture or its place in the batch.
 *
 * Throws `wrong-use` where there are more than 2³² numbers to draw.
 */
export function standaloneNoise(source: NoiseSource): Tensor {
  const { count, half } = countsOf(source);
  const key = mixedSeed(source.seed);
  const noise = zeros([source.samples, ...source.dims]);
  const bits = (counter: number) => mixed(counter ^ key) >>> (32 - BITS);
  for (let sample = 0; sample < source.samples; sample++) {
    const first = 2 * half * sample;
    const at = count * sample;
    for (let e = 0; e < half; e++) {
      const radius = Math.sqrt(-2 * Math.log((bits(first + e) + 1) * 2 ** -BITS));
      const angle = 2 * Math.PI * 2 ** -BITS * bits(first + half + e);
      noise.data[at + e] = radius * Math.cos(angle);
      if (half + e < count) noise.data[at + half + e] = radius * Math.sin(angle);
    }
  }
  return noise;
}

function countsOf({ samples, dims }: NoiseSource): { readonly count: number; readonly half: number } {
  const count = sizeOf(dims);
  const half = Math.ceil(count / 2);
  if (samples * 2 * half <= MASK + 1) return { count, half };
  throw new UnitscopeError(
    'wrong-use',
    `${samples} samples of ${count} numbers are more than the 2^32 that can be told apart; take fewer samples`,
    { subject: 'samples' },
  );
}

/**
 * Writes what all samples of `standaloneNoise` share; gives back what writes one sample, [1, ...dims]. Throws as it does.
 */
export function writeNoise(
  outer: GraphWriter,
  source: NoiseSource,
): (body: GraphWriter, sample: string) => string {
  const { count, half } = countsOf(source);
  const element = outer.node('Range', [outer.ints(0), outer.ints(2 * half), outer.ints(1)]);
  const key = mixedSeed(source.seed);
  return (body, sample) => {
    const counter = body.node('Add', [element, body.node('Mul', [sample, body.ints(2 * half)])]);
    const keyed = body.node('BitwiseXor', [unsigned(body, counter), wide(body, key)]);
    const bits = body.node('BitShift', [mix(body, keyed), wide(body, 32 - BITS)], { direction: 'RIGHT' });
    const numbers = body.node('Cast', [bits], { to: FLOAT });
    const [first, second] = body.nodes('Split', [numbers], 2, { axis: 0, num_outputs: 2 }) as [
      string,
      string,
    ];
    const uniform = body.node('Mul', [body.node('Add', [first, body.floats(1)]), body.floats(2 ** -BITS)]);
    const radius = body.node('Sqrt', [body.node('Mul', [body.node('Log', [uniform]), body.floats(-2)])]);
    const angle = body.node('Mul', [second, body.floats(2 * Math.PI * 2 ** -BITS)]);
    const parts = ['Cos', 'Sin'].map((wave) => body.node('Mul', [radius, body.node(wave, [angle])]));
    const normal = body.node('Concat', parts, { axis: 0 });
    const kept =
      count === 2 * half
        ? normal
        : body.node('Slice', [normal, body.ints([0]), body.ints([count]), body.ints([0])]);
    return body.node('Reshape', [kept, body.ints([1, ...source.dims])]);
  };
}

// The element types' numbers in ONNX.
const FLOAT = 1;
const INT64 = 7;
const UINT64 = 13;

function unsigned(writer: GraphWriter, value: string): string {
  return writer.node('Cast', [value], { to: UINT64 });
}

function wide(writer: GraphWriter, value: number): string {
  return writer.constant({ type: 'uint64', dims: [], data: BigUint64Array.of(BigInt(value)) });
}

/**
 * x ^= x>>16, x *= m1, x ^= x>>15, x *= m2, x ^= x>>16, modulo 2³². ONNX shifts unsigned integers only and ONNX Runtime
 * multiplies signed ones only. A multiplier is taken modulo 2³² into [-2³¹, 2³¹), so no product leaves the 64 bits.
 */
function mix(writer: GraphWriter, value: string): string {
  const fold = (x: string, shift: number) =>
    writer.node('BitwiseXor', [x, writer.node('BitShift', [x, wide(writer, shift)], { direction: 'RIGHT' })]);
  let mixed = fold(value, SHIFTS[0]);
  for (const [i, multiplier] of MULTIPLIERS.entries()) {
    const signed = writer.node('Cast', [mixed], { to: INT64 });
    const product = writer.node('Mul', [signed, writer.ints(multiplier | 0)]);
    const low = writer.node('BitwiseAnd', [product, writer.ints(MASK)]);
    mixed = fold(unsigned(writer, low), SHIFTS[i + 1]!);
  }
  return mixed;
}

function mixedSeed(seed: number): number {
  return mixed(seed + SEED_OFFSET);
}

/** `mix` on one number. */
function mixed(value: number): number {
  let x = value >>> 0;
  x ^= x >>> SHIFTS[0];
  for (const [i, multiplier] of MULTIPLIERS.entries()) {
    x = Math.imul(x, multiplier);
    x ^= x >>> SHIFTS[i + 1]!;
  }
  return x >>> 0;
}
