import { intAttribute, intsAttribute } from '@unitscope/onnx';
import type { LoweringContext, NativeOperator } from '../native-operator.js';
import { emitRectified, rectifierOf } from './relu-grad.js';

/** The largest finite float32: minus this loses to every cell, and times a normal difference it is at least 1. */
const LARGEST = 3.4028234663852886e38;

/**
 * `MaxPoolGrad(x, y, dy)`, y = MaxPool(x) and dy its signal, of equal dims: the signal at x. Each window's signal goes
 * to its first maximum in row-major order, signals of overlapping windows add, padding never wins.
 *
 * - ints attributes `kernel_shape`, `strides`, `dilations`, `pads` (all beginnings, then all ends), int attribute
 *   `ceil_mode`: those of the MaxPool, every one present, `auto_pad` turned into pads.
 * - string attribute `rule`, `none` by default, and float attribute `ceiling`: those of ReluGrad for a rectifier whose
 *   output is x; what comes out is then the signal at that rectifier's input
 *
 * The lowering differs from this definition where x is not finite (the result is then NaN or goes elsewhere), and where
 * cells of a window differ by less than 2.94e-39 (they may share the signal).
 */
export const maxPoolGrad = {
  operator: 'MaxPoolGrad',
  shape: (context) => [{ type: context.type(2), dims: context.dims(0) }],
  lower: (context) => {
    const { node } = context;
    const rectifier = rectifierOf(node);
    const pooling = poolingOf(context);
    const signal = pooling === undefined ? emitScatter(context) : emitRouting(context, pooling);
    return [rectifier === undefined ? signal : emitRectified(context, rectifier, node.inputs[0]!, signal)];
  },
} satisfies NativeOperator;

interface Pooling {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly padsBegin: readonly number[];
  /** Spatial sizes of x, padded at the beginning. */
  readonly sizes: readonly number[];
  /** Windows of y. */
  readonly outputs: readonly number[];
}

/** The pooling where `emitRouting` covers it: sizes known, no dilation, no gaps between windows. */
function poolingOf({ node, dims }: LoweringContext): Pooling | undefined {
  const kernel = intsAttribute(node, 'kernel_shape', []);
  const strides = intsAttribute(node, 'strides', []);
  const padsBegin = intsAttribute(node, 'pads', []).slice(0, kernel.length);
  const known = (value: string) =>
    dims(value)
      .slice(2)
      .filter((size) => typeof size === 'number');
  const sizes = known(node.inputs[0]!).map((size, axis) => size + padsBegin[axis]!);
  const outputs = known(node.inputs[1]!);
  const covered =
    sizes.length === kernel.length &&
    outputs.length === kernel.length &&
    intsAttribute(node, 'dilations', []).every((dilation) => dilation === 1) &&
    kernel.every((size, axis) => size >= strides[axis]!);
  return covered ? { kernel, strides, padsBegin, sizes, outputs } : undefined;
}

/**
 * Routes the signal axis by axis: first to the row of each window that holds the maximum, then along that row. The
 * first maximum along an axis is found by maxima of prefixes: tap t wins where the maximum of taps 0 to t is that of
 * all taps, and that of taps 0 to t - 1 is not. Rows are shared by the windows that overlap in them, so signals add
 * up after each axis.
 *
 * Plain MaxPool and elementwise operators are vectorised, threaded and partly stay in the blocked layout. A MaxPool
 * that gives Indices is a scalar loop with a branch per cell and ScatterElements runs on one thread: together they
 * took 17 ms where this takes 7 for the three 3x3 pools of SqueezeNet 1.1 with one picture, 83 against 30 with four,
 * 3.3 against 1.5 for a 2x2 pool of [1, 64, 112, 112] (onnxruntime 1.30, 2 threads, sums of node times); about the
 * same with sixteen, where both wait for memory. MaxUnpool overwrites where windows overlap, and needs Indices too.
 */
function emitRouting(context: LoweringContext, pooling: Pooling): string {
  const { node, builder, emit } = context;
  const { kernel, strides, padsBegin, sizes, outputs } = pooling;
  const [, y, dy] = node.inputs as [string, string, string];
  const rank = kernel.length;
  const spatial = sizes.map((_, axis) => axis + 2);
  const x = emitPadBegin(context, node.inputs[0]!, padsBegin);
  // As many windows as there are strides in the input: what a shift below moves past the end of a row is then zero.
  const windows = sizes.map((size, axis) => Math.ceil(size / strides[axis]!));
  const grown = windows.map((count, axis) => count - outputs[axis]!);
  let signal = emitPadEnd(context, dy, grown);

  for (let axis = 0; axis < rank; axis++) {
    /** Maxima over `taps` cells along this axis; axes before it are whole already, axes behind it are pooled. */
    const prefix = (taps: number): string => {
      const at = (before: number, here: number, behind: readonly number[]) =>
        sizes.map((_, other) => (other < axis ? before : other === axis ? here : behind[other]!));
      const shape = at(1, taps, kernel);
      const steps = at(1, strides[axis]!, strides);
      const ends = sizes.map((size, other) =>
        other < axis ? 0 : Math.max(0, steps[other]! * (windows[other]! - 1) + shape[other]! - size),
      );
      const pads = [...sizes.map(() => 0), ...ends];
      return emit('MaxPool', [x], { kernel_shape: shape, strides: steps, pads });
    };
    // Windows added at the end carry no signal, so that any finite number does for their maximum.
    const whole = axis === 0 ? emitPadEnd(context, y, grown) : prefix(kernel[axis]!);
    const current = [...sizes.slice(0, axis), ...windows.slice(axis)];
    const shares = emitShares(context, signal, whole, prefix, kernel[axis]!);
    const phases = emitPhases(context, shares, strides[axis]!, current, axis);
    signal = emitInterleaved(context, phases, current, axis);
    if (axis < rank - 1 && strides[axis]! * windows[axis]! !== sizes[axis]!) {
      const [start, end, along] = [[0], [sizes[axis]!], [axis + 2]].map((list) => builder.ints(list));
      signal = emit('Slice', [signal, start!, end!, along!]);
    }
  }
  const last = rank - 1;
  if (padsBegin.every((pad) => pad === 0) && strides[last]! * windows[last]! === sizes[last]!) return signal;
  return emit('Slice', [signal, builder.ints(padsBegin), builder.ints(sizes), builder.ints(spatial)]);
}

/** What of each window's signal goes to each of its taps along one axis: all of it to one tap, nothing to the others. */
function emitShares(
  { emit }: LoweringContext,
  signal: string,
  whole: string,
  prefix: (taps: number) => string,
  taps: number,
): string[] {
  const shares: string[] = [];
  let before: string | undefined;
  for (let tap = 0; tap < taps; tap++) {
    let upTo = signal;
    if (tap < taps - 1) {
      // 1 where the maxima are equal, else 0: Equal and Where cost several times as much on ONNX Runtime.
      const attained = emit('HardSigmoid', [emit('Sub', [prefix(tap + 1), whole])], {
        alpha: { float: LARGEST },
        beta: { float: 1 },
      });
      upTo = emit('Mul', [signal, attained]);
    }
    // Exact: the smaller of the two is 0 or the larger.
    shares.push(before === undefined ? upTo : emit('Sub', [upTo, before]));
    before = upTo;
  }
  return shares;
}

/**
 * Tap t of window o lies on cell stride * o + t, which is cell o + floor(t / stride) of phase t mod stride. The sums of
 * the shares by phase; a shift along the axis is one along the flattened map, since what leaves a row is zero.
 */
function emitPhases(
  { builder, emit }: LoweringContext,
  shares: readonly string[],
  stride: number,
  sizes: readonly number[],
  axis: number,
): string[] {
  const inner = sizes.slice(axis + 1).reduce((product, size) => product * size, 1);
  const flat = builder.ints([0, 0, -1]);
  const whole = builder.ints([0, 0, ...sizes]);
  const phases: string[] = [];
  for (const [tap, share] of shares.entries()) {
    const phase = tap % stride;
    const cells = Math.floor(tap / stride) * inner;
    if (cells === 0) {
      phases.push(share);
      continue;
    }
    const pads = builder.ints([0, 0, cells, 0, 0, -cells]);
    const shifted = emit('Pad', [emit('Reshape', [share, flat]), pads, builder.floats(0)]);
    phases[phase] = emit('Add', [phases[phase]!, emit('Reshape', [shifted, whole])]);
  }
  return phases;
}

/** Cell by cell from each phase in turn, along one axis. */
function emitInterleaved(
  { builder, emit }: LoweringContext,
  phases: readonly string[],
  sizes: readonly number[],
  axis: number,
): string {
  const [only] = phases;
  if (phases.length === 1) return only!;
  const behind = builder.ints([axis + 3]);
  const apart = phases.map((phase) => emit('Unsqueeze', [phase, behind]));
  const longer = sizes.map((size, other) => (other === axis ? size * phases.length : size));
  const together = emit('Concat', apart, { axis: axis + 3 });
  return emit('Reshape', [together, builder.ints([0, 0, ...longer])]);
}

function emitPadBegin({ builder, emit }: LoweringContext, x: string, counts: readonly number[]): string {
  if (counts.every((count) => count === 0)) return x;
  const pads = [0, 0, ...counts, 0, 0, ...counts.map(() => 0)];
  return emit('Pad', [x, builder.ints(pads), builder.floats(-LARGEST)]);
}

/** Zeros at the end of each spatial axis; negative counts cut off. */
function emitPadEnd({ builder, emit }: LoweringContext, value: string, counts: readonly number[]): string {
  if (counts.every((count) => count === 0)) return value;
  const pads = [0, 0, ...counts.map(() => 0), 0, 0, ...counts];
  return emit('Pad', [value, builder.ints(pads), builder.floats(0)]);
}

/** Any pooling, its sizes known at run time only or not: ScatterElements by the Indices of a second MaxPool. */
function emitScatter({ node, builder, emit, emitMany }: LoweringContext): string {
  const [x, , dy] = node.inputs as [string, string, string];
  const [, indices] = emitMany('MaxPool', [x], 2, {
    kernel_shape: intsAttribute(node, 'kernel_shape', []),
    strides: intsAttribute(node, 'strides', []),
    dilations: intsAttribute(node, 'dilations', []),
    pads: intsAttribute(node, 'pads', []),
    ceil_mode: intAttribute(node, 'ceil_mode', 0),
  });
  const dims = emit('Shape', [x]);
  const flat = builder.ints([-1]);
  const zeros = emit('Reshape', [emit('Expand', [builder.floats(0), dims]), flat]);
  const positions = emit('Reshape', [indices!, flat]);
  const signals = emit('Reshape', [dy, flat]);
  const sums = emit('ScatterElements', [zeros, positions, signals], { axis: 0, reduction: 'add' });
  return emit('Reshape', [sums, dims]);
}
