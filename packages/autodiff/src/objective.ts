import type { Dim, GraphBuilder } from '@unitscope/onnx';
import { UnitscopeError } from '@unitscope/tensor';

/**
 * What is explained: the scalar S whose derivative the backward pass starts from, one per sample of the batch. Which
 * class or unit it is, is the run-time input `target` (int64, [N]), so one compiled graph serves them all.
 *
 * - `class`: element `target` of axis 1 of `value` ([N, K] or [N, K, 1, ...]); -1 takes each sample's highest.
 * - `unit`: the activation of a layer's unit. `position`:
 *   `given`: `target` is the flat index into [C, H, W]; `max`: `target` is the channel, S its strongest activation
 *   (the first where several are equal); `mean`: `target` is the channel, S its mean over the positions.
 * - `seed`: the signal at `value` itself is given at run time, as the input `seed` of the dims of `value`.
 * - `linear`: S = sum over `values` of <a_v, v>, the coefficients a_v given at run time, one input of the dims of each
 *   value. A weighted sum of logits, units, channels and directions of several layers is one, at one pass.
 */
export type Objective =
  | { readonly kind: 'class'; readonly value: string }
  | { readonly kind: 'unit'; readonly value: string; readonly position: UnitPosition }
  | { readonly kind: 'seed'; readonly value: string }
  | { readonly kind: 'linear'; readonly values: readonly string[] };

export type UnitPosition = 'given' | 'max' | 'mean';

/**
 * The signal the backward pass starts with: 1 for the derivative; the explained score or activation itself for Zeiler and
 * Fergus' deconvnet and for relevance, of which there is as much as there is to explain.
 */
export type StartingSignal = 'one' | 'activation';

/** A run-time input of an objective. */
export interface ObjectiveInput {
  readonly name: string;
  readonly dims: readonly Dim[];
}

export interface EmittedObjective {
  /** The starting signals, each of the dims of the objective's value it starts from. */
  readonly signals: ReadonlyMap<string, string>;
  /** The run-time input `target`, or the seed of the first value. */
  readonly input: ObjectiveInput;
  /** Signals that are given at run time, by the value they start from. */
  readonly seeds: ReadonlyMap<string, ObjectiveInput>;
  /** The scalar S of each sample, [N]; the seed objective has none. */
  readonly score?: string;
  /** The element of the value, flat without the batch axis, that was explained, [N]; only where it is one element. */
  readonly index?: string;
}

/** The values an objective is read from, each once. Throws `wrong-use` for a sum of nothing. */
export function objectiveValues(objective: Objective): readonly [string, ...string[]] {
  if (objective.kind !== 'linear') return [objective.value];
  const [first, ...others] = new Set(objective.values);
  if (first !== undefined) return [first, ...others];
  throw new UnitscopeError('wrong-use', 'a linear objective needs at least one value');
}

/**
 * Writes the nodes that turn the run-time inputs into the starting signals.
 *
 * @param dimsOf the dims of a value of the objective
 */
export function emitObjective(
  builder: GraphBuilder,
  objective: Objective,
  dimsOf: (value: string) => readonly Dim[],
  start: StartingSignal,
): EmittedObjective {
  const [value, ...others] = objectiveValues(objective);
  const dims = dimsOf(value);
  if (objective.kind === 'seed' || objective.kind === 'linear') {
    const seed = (of: string): ObjectiveInput => {
      const given = dimsOf(of);
      return {
        name: builder.input({ name: builder.freshName('seed'), type: 'float32', dims: given }),
        dims: given,
      };
    };
    const input = seed(value);
    const seeds = new Map([[value, input], ...others.map((other) => [other, seed(other)] as const)]);
    const signals = new Map([...seeds].map(([of, { name }]) => [of, name]));
    if (objective.kind === 'seed') return { signals, input, seeds };
    return { signals, input, seeds, score: emitProducts(builder, seeds) };
  }
  const seeds: EmittedObjective['seeds'] = new Map();
  const signalsOf = (signal: string) => new Map([[value, signal]]);
  const [batch = 1, ...sample] = dims;
  const sizes = sample.map((size) => {
    if (typeof size === 'number') return size;
    throw new UnitscopeError(
      'unsupported',
      `the size of ${value} is known at run time only ([${dims.join(', ')}]); fix the network's input size`,
      { subject: value },
    );
  });
  const [channels] = sizes;
  if (channels === undefined) {
    throw new UnitscopeError(
      'unsupported',
      `${value} has dims [${dims.join(', ')}]: it has no units to explain`,
      {
        subject: value,
      },
    );
  }
  const positions = sizes.slice(1).reduce((product, size) => product * size, 1);
  const elements = channels * positions;
  const emit = (operator: string, inputs: readonly string[], attributes = {}) =>
    builder.node(operator, inputs, attributes, { name: `objective/${operator}` });
  const target = builder.input({ name: builder.freshName('target'), type: 'int64', dims: [batch] });
  const input = { name: target, dims: [batch] };
  const flat = emit('Reshape', [value, builder.ints([-1, elements])]);
  const oneHot = (index: string, depth: number) =>
    emit('OneHot', [index, builder.ints([depth]), builder.floats([0, 1])], { axis: -1 });
  const shaped = (rows: string) => emit('Reshape', [rows, builder.ints([-1, ...sizes])]);
  const scoreOf = (rows: string) =>
    emit('ReduceSum', [emit('Mul', [rows, flat]), builder.ints([1])], { keepdims: 0 });

  if (objective.kind === 'unit' && objective.position === 'mean') {
    const chosen = emit('Unsqueeze', [oneHot(target, channels), builder.ints([2])]);
    const spread = emit('Mul', [
      chosen,
      builder.floats(new Array(positions).fill(1 / positions), [1, 1, positions]),
    ]);
    const rows = emit('Reshape', [spread, builder.ints([-1, elements])]);
    const weighted = start === 'activation' ? emit('Mul', [rows, flat]) : rows;
    return { signals: signalsOf(shaped(weighted)), input, seeds, score: scoreOf(rows) };
  }

  let index = target;
  if (objective.kind === 'class') {
    if (positions !== 1) {
      throw new UnitscopeError(
        'unsupported',
        `${value} has dims [${dims.join(', ')}]: class scores must be [N, K]; explain a unit of the layer instead`,
        { subject: value },
      );
    }
    const top = emit('ArgMax', [flat], { axis: 1, keepdims: 0 });
    index = emit('Where', [emit('Less', [target, builder.ints(0)]), top, target]);
  } else if (objective.position === 'max') {
    const planes = emit('Reshape', [value, builder.ints([-1, channels, positions])]);
    // [N, 1, positions] of channel numbers: GatherElements picks the channel's plane of each sample.
    const channel = emit('Mul', [
      emit('Reshape', [target, builder.ints([-1, 1, 1])]),
      builder.ints(new Array(positions).fill(1), [1, 1, positions]),
    ]);
    const plane = emit('GatherElements', [planes, channel], { axis: 1 });
    const strongest = emit('Reshape', [
      emit('ArgMax', [plane], { axis: 2, keepdims: 0 }),
      builder.ints([-1]),
    ]);
    index = emit('Add', [emit('Mul', [target, builder.ints(positions)]), strongest]);
  }
  const rows = oneHot(index, elements);
  const weighted = start === 'activation' ? emit('Mul', [rows, flat]) : rows;
  return { signals: signalsOf(shaped(weighted)), input, seeds, score: scoreOf(rows), index };
}

/** S of each sample, [N]: the values times their coefficients, summed. */
function emitProducts(builder: GraphBuilder, seeds: EmittedObjective['seeds']): string {
  const emit = (operator: string, inputs: readonly string[], attributes = {}) =>
    builder.node(operator, inputs, attributes, { name: `objective/${operator}` });
  const parts = [...seeds].map(([value, { name }]) => {
    const rows = emit('Reshape', [emit('Mul', [name, value]), builder.ints([0, -1])]);
    return emit('ReduceSum', [rows, builder.ints([1])], { keepdims: 0 });
  });
  return parts.length === 1 ? parts[0]! : emit('Sum', parts);
}
