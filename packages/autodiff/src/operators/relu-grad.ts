import { floatAttribute, type Node, stringAttribute } from '@unitscope/onnx';
import { UnitscopeError } from '@unitscope/tensor';
import type { LoweringContext, NativeOperator } from '../native-operator.js';

/** What happens to the signal R at a rectifier of output y (Simonyan; Springenberg; Zeiler and Fergus). */
export type ReluGradRule = 'gradient' | 'guided' | 'deconvnet';

/** The rule of a rectifier, and its ceiling where it is a Clip(0, ceiling). */
export interface Rectifier {
  readonly rule: ReluGradRule;
  readonly ceiling: number | undefined;
}

/** The largest float32: times any normal y > 0 it is at least 1. */
const STEEP = 3.4028234663852886e38;

/**
 * `ReluGrad(y, dy)`, y and dy of equal dims: the signal at the input of a Relu whose output is y.
 *
 * - string attribute `rule`: `gradient` dy [y > 0], `guided` dy [y > 0] [dy > 0], `deconvnet` max(dy, 0)
 * - float attribute `ceiling`, none by default: [0 < y < ceiling] in place of [y > 0], for Clip(0, ceiling)
 *
 * The lowering masks by multiplying with a steep HardSigmoid of y. Inside a network (two masks between four 1x1
 * convolutions of [1, 64, 112, 112], ONNX Runtime 1.30, 2 threads) a pair of masks costs 0.9 ms that way, 1.5 ms as
 * Mul(dy, Cast(Greater)), 2.1 ms as Where(Greater), 3.1 ms as Mul(dy, Sign); at batch 16 the order is the same. It alone
 * stays in the runtime's blocked layout, and the Relu in front of it is fused into the convolution that makes dy.
 *
 * It differs from the definition, which it multiplies out, only where a number is not finite or not normal: a masked
 * signal that is infinite or NaN becomes NaN, NaN in y or in dy becomes NaN, and where y is below 2.94e-39 part of the
 * signal is lost.
 */
export const reluGrad = {
  operator: 'ReluGrad',
  shape: (context) => [{ type: context.type(1), dims: context.dims(1) }],
  lower: (context) => {
    const { node } = context;
    const [y, dy] = node.inputs as [string, string];
    const rectifier = rectifierOf(node);
    if (rectifier === undefined) throw unknownRule(node, 'none');
    return [emitRectified(context, rectifier, y, dy)];
  },
} satisfies NativeOperator;

/**
 * The attributes `rule` and `ceiling` of an operator that passes its result through a rectifier's rule; undefined where
 * the rule is `none` or left out. Throws `wrong-use` for any other rule.
 */
export function rectifierOf(node: Node): Rectifier | undefined {
  const rule = stringAttribute(node, 'rule', 'none');
  const ceiling = node.attributes.has('ceiling') ? floatAttribute(node, 'ceiling', 0) : undefined;
  return toRectifier(node, rule, ceiling);
}

export function toRectifier(node: Node, rule: string, ceiling: number | undefined): Rectifier | undefined {
  if (rule === 'none') return undefined;
  if (rule === 'gradient' || rule === 'guided' || rule === 'deconvnet') return { rule, ceiling };
  throw unknownRule(node, rule);
}

function unknownRule(node: Node, rule: string): UnitscopeError {
  return new UnitscopeError(
    'wrong-use',
    `${node.operator} ${node.name}: rule must be gradient, guided or deconvnet, not ${rule}`,
    {
      subject: node.name,
      alternatives: ['gradient', 'guided', 'deconvnet'],
    },
  );
}

/** The signal behind a rectifier of output y, in standard operators. */
export function emitRectified(
  context: LoweringContext,
  { rule, ceiling }: Rectifier,
  y: string,
  dy: string,
): string {
  if (rule === 'deconvnet') return context.emit('Relu', [dy]);
  // Rectified first, where the convolution that makes dy can take the Relu in: a mask is 0 or 1, the order is free.
  return emitMask(context, ceiling, y, rule === 'guided' ? context.emit('Relu', [dy]) : dy);
}

function emitMask({ emit }: LoweringContext, ceiling: number | undefined, y: string, dy: string): string {
  const positive = emit('HardSigmoid', [y], { alpha: { float: STEEP }, beta: { float: 0 } });
  const masked = emit('Mul', [dy, positive]);
  if (ceiling === undefined) return masked;
  // A power of two keeps steep * ceiling exact, so that y = ceiling gives exactly 0, and steep * (ceiling - y) is
  // at least 1 for the largest float32 below the ceiling.
  const steep = 2 ** (24 - Math.floor(Math.log2(ceiling)));
  const below = emit('HardSigmoid', [y], { alpha: { float: -steep }, beta: { float: steep * ceiling } });
  return emit('Mul', [masked, below]);
}
