import type { RuleContext } from '../rule.js';

export interface Standardized {
  /** Z = (X - mean) / deviation. */
  readonly value: string;
  /** sqrt(variance + epsilon), one per standardized set. */
  readonly deviation: string;
}

/** Z = (X - mean) / sqrt(variance + epsilon), mean and variance over `axes`. */
export function emitStandardized(
  context: RuleContext,
  x: string,
  axes: readonly number[],
  epsilon: number,
): Standardized {
  const { builder } = context;
  const centred = context.emit('Sub', [x, emitMean(context, x, axes)]);
  const variance = emitMean(context, context.emit('Mul', [centred, centred]), axes);
  const deviation = context.emit('Sqrt', [context.emit('Add', [variance, builder.floats(epsilon)])]);
  return { value: context.emit('Div', [centred, deviation]), deviation };
}

/** The signal at X from the signal G at Z: dX = (G - mean(G) - Z * mean(G * Z)) / sqrt(variance + epsilon). */
export function emitStandardizationGradient(
  context: RuleContext,
  { value, deviation }: Standardized,
  signal: string,
  axes: readonly number[],
): string {
  const correlation = emitMean(context, context.emit('Mul', [signal, value]), axes);
  const withoutMean = context.emit('Sub', [signal, emitMean(context, signal, axes)]);
  const projected = context.emit('Sub', [withoutMean, context.emit('Mul', [value, correlation])]);
  return context.emit('Div', [projected, deviation]);
}

function emitMean(context: RuleContext, value: string, axes: readonly number[]): string {
  return context.emit('ReduceMean', [value, context.builder.ints(axes)], { keepdims: 1 });
}
