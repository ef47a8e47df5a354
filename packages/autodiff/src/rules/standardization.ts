import type { RuleContext } from '../rule.js';

/**
 * The signal at X of Z = (X - mean) / sqrt(variance + epsilon), mean and variance over `axes`, from the signal G at Z:
 * dX = (G - mean(G) - Z * mean(G * Z)) / sqrt(variance + epsilon).
 */
export function emitStandardizationGradient(
  context: RuleContext,
  x: string,
  signal: string,
  axes: readonly number[],
  epsilon: number,
): string {
  const { builder } = context;
  const over = builder.ints(axes);
  const mean = (value: string) => context.emit('ReduceMean', [value, over], { keepdims: 1 });
  const centred = context.emit('Sub', [x, mean(x)]);
  const variance = mean(context.emit('Mul', [centred, centred]));
  const deviation = context.emit('Sqrt', [context.emit('Add', [variance, builder.floats(epsilon)])]);
  const standardized = context.emit('Div', [centred, deviation]);
  const correlation = mean(context.emit('Mul', [signal, standardized]));
  const withoutMean = context.emit('Sub', [signal, mean(signal)]);
  const projected = context.emit('Sub', [withoutMean, context.emit('Mul', [standardized, correlation])]);
  return context.emit('Div', [projected, deviation]);
}
