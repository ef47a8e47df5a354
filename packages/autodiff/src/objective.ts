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
 */
export type Objective =
  | { readonly kind: 'class'; readonly value: string }
  | { readonly kind: 'unit'; readonly value: string; readonly position: UnitPosition }
  | { readonly kind: 'seed'; readonly value: string };

export type UnitPosition = 'given' | 'max' | 'mean';

/**
 * The signal the backward pass starts with: 1 for the derivative; the explained score or activation itself for Zeiler and
 * Fergus' deconvnet and for relevance, of which there is as much as there is to explain.
 */
export type StartingSignal = 'one' | 'activation';

export interface EmittedObjective {
  /** The starting signal, of the dims of the objective's value. */
  readonly signal: string;
  /** Run-time inputs the objective added: `target` or `seed`. */
  readonly input: { readonly name: string; readonly dims: readonly Dim[] };
  /** The scalar S of each sample, [N]; the seed objective has none. */
  readonly score?: string;
  /** The element of the value, flat without the batch axis, that was explained, [N]; only where it is one element. */
  readonly index?: string;
}

/** Writes the nodes that turn the run-time target into the starting signal. */
export function emitObjective(
  builder: GraphBuilder,
  objective: Objective,
  dims: readonly Dim[],
  start: StartingSignal,
): EmittedObjective {
  const { value } = objective;
  if (objective.kind === 'seed') {
    const name = builder.input({ name: builder.freshName('seed'), type: 'float32', dims });
    return { signal: name, input: { name, dims } };
  }
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
    return { signal: shaped(weighted), input, score: scoreOf(rows) };
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
  return { signal: shaped(weighted), input, score: scoreOf(rows), index };
}
