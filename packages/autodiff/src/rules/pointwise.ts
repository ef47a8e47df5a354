import type { Constant, ElementType } from '@unitscope/onnx';
import type { Rule, RuleContext } from '../rule.js';

/** The names a rule of a function applied element by element works with. */
export interface Pointwise {
  readonly context: RuleContext;
  readonly x: string;
  readonly y: string;
  /** The signal at y. */
  readonly dy: string;
  readonly emit: RuleContext['emit'];
  /** A scalar constant of the element type of y. */
  readonly scalar: (value: number) => string;
}

/** The gradient rule of y = f(x), element by element: `derivative` emits dy f'(x), or nothing where f' is 0. */
export function pointwise(operator: string, derivative: (at: Pointwise) => string | undefined): Rule {
  return {
    name: `${operator.toLowerCase()}.gradient`,
    operator,
    backward: (context) => {
      const dy = context.signal(0);
      if (dy === undefined || !context.needs(0)) return [undefined];
      const [x, y] = [context.node.inputs[0]!, context.node.outputs[0]!];
      const scalar = (value: number) => scalarLike(context, y, value);
      return [derivative({ context, x, y, dy, emit: context.emit, scalar })];
    },
  };
}

/** A scalar constant of the element type of `like`. */
export function scalarLike(context: RuleContext, like: string, value: number): string {
  return arrayLike(context, like, [value], []);
}

/** A constant of the element type of `like`; throws `unsupported` where that is neither float32 nor float64. */
export function arrayLike(
  context: RuleContext,
  like: string,
  values: readonly number[],
  dims: readonly number[],
): string {
  return context.builder.constant(floatConstant(context, context.type(like), values, dims));
}

export function floatConstant(
  context: RuleContext,
  type: ElementType,
  values: readonly number[],
  dims: readonly number[],
): Constant {
  if (type === 'float32') return { type, dims, data: Float32Array.from(values) };
  if (type === 'float64') return { type, dims, data: Float64Array.from(values) };
  throw context.unsupported(`its element type is ${type}; convert the network to float32`);
}

export function isFloat(type: ElementType): boolean {
  return type === 'float32' || type === 'float64' || type === 'float16' || type === 'bfloat16';
}
