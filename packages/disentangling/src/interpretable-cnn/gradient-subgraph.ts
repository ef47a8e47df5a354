import type { Dim, GraphBuilder } from '@unitscope/onnx';
import { hasTwoSides, keepsZ, type ResolvedOptions } from './layer-options.js';
import type { MapShape } from './map-shape.js';
import { cellAxes, emitCentroid } from './part-location.js';

/** Where the gradient of the filter losses is written to. */
export interface GradientWriter {
  readonly builder: GraphBuilder;
  /** Stem of the names of what is added. */
  readonly name: string;
  /** A float32 run-time input. */
  input(stem: string, dims: readonly Dim[]): string;
}

export interface FilterGradient {
  /** What to add to the signal at the maps, `[N, C, h, w]`. */
  readonly total: string;
  /** Values a layer learns from, by what they are. */
  readonly outputs: FilterOutputs;
  dims(output: keyof FilterOutputs): readonly Dim[];
}

/** `[N, C]` and axes of size 1, but for the loss, `[C]`, and log sum e^score, `[1, C, T]`. */
export interface FilterOutputs {
  readonly largest: string;
  readonly sums: string;
  readonly loss?: string;
  readonly logSum?: string;
  readonly strengths?: string;
  readonly spreads?: string;
}

export const FILTER_OUTPUTS: readonly (keyof FilterOutputs)[] = [
  'largest',
  'sums',
  'loss',
  'logSum',
  'strengths',
  'spreads',
];

/** Shorthands over a writer. */
function shorthands({ builder, name }: GradientWriter) {
  const emit = (operator: string, inputs: readonly string[], attributes = {}) =>
    builder.node(operator, inputs, attributes, { name: `${name}/${operator}` });
  const axes = (list: readonly number[]) => builder.ints(list, undefined, `${name}.axes`);
  const reduce = (operator: string, value: string, along: readonly number[], keepdims = 1) =>
    emit(`Reduce${operator}`, [value, axes(along)], { keepdims });
  return {
    emit,
    reduce,
    number: (value: number) => builder.floats(value, undefined, `${name}.number`),
    shaped: (value: string, dims: readonly number[]) =>
      emit('Reshape', [value, builder.ints(dims, undefined, `${name}.dims`)]),
    /** Measured several times faster than ReduceLogSumExp, whose loops are not vectorised. */
    logSumExp: (value: string, axis: number) => {
      const most = reduce('Max', value, [axis]);
      const sum = reduce('Sum', emit('Exp', [emit('Sub', [value, most])]), [axis]);
      return emit('Add', [most, emit('Log', [sum])]);
    },
  };
}

type Shorthands = ReturnType<typeof shorthands>;

/**
 * Eq 11 of the survey with the Z and the templates that the options ask for, times the strength of each filter:
 * dx = -lambda_f sum_T p(T) p(x|T) T r_T(x), r_T = log p(x|T) - log p(x) (less its mean over p(x'|T) where Z is exact).
 */
export function emitPaperGradient(
  writer: GradientWriter,
  maps: string,
  shape: MapShape,
  options: ResolvedOptions,
): FilterGradient {
  const short = shorthands(writer);
  const { emit, reduce, shaped, logSumExp } = short;
  const { builder, name } = writer;
  const { channels, height, width } = shape;
  const { tau, zMode, alpha } = options;
  const cells = height * width;
  const heights = bankOf(shape, options);
  const bank = builder.constant(
    { type: 'float32', dims: [cells + 1, cells], data: heights },
    `${name}.templates`,
  );
  const prior = Array.from({ length: cells + 1 }, (_, template) =>
    template < cells ? alpha / cells : 1 - alpha,
  );
  const flat = shaped(maps, [0, 0, cells]);
  const scores = emit('MatMul', [flat, emit('Transpose', [bank], { perm: [1, 0] })]);
  const logSum = logSumExp(scores, 0);
  let logZ = logSum;
  if (keepsZ(options)) {
    const before = writer.input('logSumBefore', [channels, cells + 1]);
    const most = emit('Max', [before, logSum]);
    const terms = [before, logSum].map((part) => emit('Exp', [emit('Sub', [part, most])]));
    const both = emit('Add', [most, emit('Log', [emit('Add', terms)])]);
    logZ = emit('Add', [both, writer.input('logShare', [])]);
  }
  const likelihood = emit('Sub', [scores, logZ]);
  const logPrior = builder.floats(prior.map(Math.log), undefined, `${name}.logPrior`);
  const evidence = logSumExp(emit('Add', [likelihood, logPrior]), 2);
  const ratio = emit('Sub', [likelihood, evidence]);
  const shares = emit('Mul', [
    emit('Exp', [likelihood]),
    builder.floats(
      prior.map((p) => -p),
      undefined,
      `${name}.prior`,
    ),
  ]);
  const loss = reduce('Sum', emit('Mul', [shares, ratio]), [0, 2], 0);
  let coefficients = emit('Mul', [shares, ratio]);
  if (zMode === 'exact') {
    const mean = reduce('Sum', emit('Mul', [emit('Exp', [likelihood]), ratio]), [0]);
    coefficients = emit('Mul', [shares, emit('Sub', [ratio, mean])]);
  }
  const largest = reduce('Max', flat, [2]);
  const targets = hasTwoSides(options) ? writer.input('targets', ['N', channels]) : undefined;
  let total: string;
  if (targets !== undefined) {
    const part = emit('ArgMax', [flat], { axis: 2, keepdims: 1 });
    const negative = builder.ints(cells, undefined, `${name}.negative`);
    const template = emit('Where', [isAbove(short, shaped(targets, [0, 0, 1])), part, negative]);
    const chosen = emit('GatherElements', [coefficients, template], { axis: 2 });
    // A map of zeros has no part that a template could be at; the negative template has none anyway.
    const others = emit('Sub', [short.number(1), shaped(targets, [0, 0, 1])]);
    const sound = emit('Mul', [chosen, emit('Max', [emit('Sign', [largest]), others])]);
    const rows = shaped(emit('Gather', [bank, template], { axis: 0 }), [0, 0, cells]);
    total = emit('Mul', [sound, rows]);
  } else total = emit('MatMul', [coefficients, bank]);
  const scaled = emitStrength(
    writer,
    short,
    shaped(total, [0, 0, height, width]),
    { largest, targets },
    shape,
    options,
  );
  return {
    total: scaled,
    outputs: {
      largest,
      sums: reduce('Sum', flat, [2]),
      loss,
      ...(keepsZ(options) ? { logSum } : {}),
    },
    dims: (output) =>
      output === 'loss' ? [channels] : output === 'logSum' ? [1, channels, cells + 1] : ['N', channels, 1],
  };

  /** [T, cells], the negative template last. */
  function bankOf(of: MapShape, { beta }: ResolvedOptions): Float32Array {
    const data = new Float32Array((cells + 1) * cells).fill(-tau);
    for (let part = 0; part < cells; part++) {
      for (let cell = 0; cell < cells; cell++) {
        const rows = Math.abs(Math.floor(part / of.width) - Math.floor(cell / of.width)) / of.height;
        const columns = Math.abs((part % of.width) - (cell % of.width)) / of.width;
        data[part * cells + cell] = tau * Math.max(1 - beta * (rows + columns), -1);
      }
    }
    return data;
  }
}

function isAbove({ emit, number }: Shorthands, value: string): string {
  return emit('Greater', [value, number(0)]);
}

/**
 * What the released code adds, in the size the strength asks for: see `readMaps`. The mean that brings it to its size is
 * one of magnitudes.
 */
export function emitReleasedGradient(
  writer: GradientWriter,
  maps: string,
  shape: MapShape,
  options: ResolvedOptions,
  slopeInput: string | undefined,
): FilterGradient {
  const short = shorthands(writer);
  const { emit, reduce, number, shaped, logSumExp } = short;
  const { builder, name } = writer;
  const { channels, height, width } = shape;
  const stem = name;
  const [row, column] = emitCentroid({ builder, emit, stem }, maps, shape, cellAxes(shape));
  const axis = (size: number, dims: readonly number[], at: string) =>
    emit('Sub', [
      builder.floats(
        Array.from({ length: size }, (_, cell) => cell),
        dims,
        `${name}.axis`,
      ),
      at,
    ]);
  const down = axis(height, [height, 1], row);
  const across = axis(width, [1, width], column);
  const slopes =
    slopeInput ??
    builder.constant(
      { type: 'float32', dims: [channels, 1, 1], data: options.slope.slice() },
      `${name}.slopes`,
    );
  const falling = (distance: string, size: number) => {
    const steep = emit('Mul', [slopes, number(size > 1 ? 2 / (size - 1) : 0)]);
    return emit('Mul', [emit('Abs', [distance]), steep]);
  };
  const cone = emit('Sub', [emit('Sub', [number(1), falling(down, height)]), falling(across, width)]);
  const mask = emit('Max', [cone, number(-1)]);
  const ends = builder.ints([-(2 ** 31), -(2 ** 31)], undefined, `${name}.ends`);
  const backwards = builder.ints([-1, -1], undefined, `${name}.backwards`);
  const first = builder.ints([0, 1], undefined, `${name}.axes`);
  const reversed = emit('Slice', [mask, backwards, ends, first, backwards]);
  const under = (weights: string) => reduce('Mean', emit('Mul', [maps, weights]), [2, 3]);
  const strengths = under(mask);
  const minus = emit('Neg', [reduce('Mean', maps, [2, 3])]);
  const logCount = writer.input('logCount', []);
  const weigh = (values: string, others: string) => {
    const sum = logSumExp(emit('Mul', [others, number(2)]), 0);
    const logZ = emit('Mul', [emit('Sub', [sum, logCount]), number(0.5)]);
    const inner = emit('Sub', [emit('Add', [values, number(0.5)]), logZ]);
    const relative = emit('Sub', [values, reduce('Max', values, [0])]);
    return emit('Mul', [emit('Exp', [emit('Mul', [relative, number(2)])]), inner]);
  };
  const positive = emit('Neg', [emit('Mul', [mask, weigh(strengths, under(reversed))])]);
  const negative = weigh(minus, minus);
  const targets = writer.input('targets', ['N', channels]);
  const isTarget = isAbove(short, shaped(targets, [0, 0, 1, 1]));
  const direction = emit('Where', [isTarget, positive, negative]);
  const largest = reduce('Max', maps, [2, 3]);
  const squares = emit('Add', [emit('Mul', [down, down]), emit('Mul', [across, across])]);
  const sums = reduce('Sum', maps, [2, 3]);
  const mass = emit('Max', [sums, number(1e-9)]);
  const spreads = emit('Sqrt', [emit('Div', [reduce('Sum', emit('Mul', [maps, squares]), [2, 3]), mass])]);
  return {
    total: emitStrength(writer, short, direction, { largest, targets }, shape, options),
    outputs: { largest, sums, strengths, spreads },
    dims: () => ['N', channels, 1, 1],
  };
}

/** Times lambda of each filter, or brought to a size on each of two sides. */
function emitStrength(
  writer: GradientWriter,
  { emit, number, reduce, shaped }: Shorthands,
  direction: string,
  { largest, targets }: { readonly largest: string; readonly targets: string | undefined },
  { channels }: MapShape,
  { strength }: ResolvedOptions,
): string {
  if (strength.kind !== 'magnitude') {
    const mean = reduce('Mean', shaped(largest, [0, 0, 1, 1]), [0]);
    const share = emit('Mul', [mean, writer.input('strengthShare', [])]);
    const base = shaped(writer.input('strength', [channels]), [1, channels, 1, 1]);
    return emit('Mul', [direction, emit('Add', [base, share])]);
  }
  const peaks = reduce('Max', emit('Abs', [direction]), [2, 3]);
  const meanOf = (side: string) => {
    const total = reduce('Sum', emit('Mul', [peaks, side]), [0]);
    return emit('Div', [total, emit('Max', [reduce('Sum', side, [0]), number(1)])]);
  };
  let mean: string;
  if (targets === undefined) mean = reduce('Mean', peaks, [0]);
  else {
    const positive = shaped(targets, [0, 0, 1, 1]);
    const negative = emit('Sub', [number(1), positive]);
    const parts = [positive, negative].map((side) => emit('Mul', [meanOf(side), side]));
    mean = emit('Add', parts);
  }
  // A side whose mean is 0 has nothing but zeros to be divided.
  const least = emit('Max', [mean, number(LEAST)]);
  const sizes = shaped(writer.input('sizes', ['N', channels]), [0, 0, 1, 1]);
  return emit('Mul', [direction, emit('Div', [sizes, least])]);
}

/** The least normal float32. */
const LEAST = 2 ** -126;
