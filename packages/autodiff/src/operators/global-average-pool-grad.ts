import { UnitscopeError } from '@unitscope/tensor';
import type { LoweringContext, NativeOperator } from '../native-operator.js';
import { emitRectified, rectifierOf } from './relu-grad.js';

/**
 * `GlobalAveragePoolGrad(dy, x)`, dy [N, C, 1, 1] the signal at the mean of x [N, C, H, W]: the signal at x, dy / (H W)
 * at every position. As many spatial axes as there are.
 *
 * - string attribute `rule`, `none` by default, and float attribute `ceiling`: those of ReluGrad for a rectifier whose
 *   output is x; what comes out is then the signal at that rectifier's input
 */
export const globalAveragePoolGrad = {
  operator: 'GlobalAveragePoolGrad',
  shape: (context) => [{ type: context.type(0), dims: context.dims(1) }],
  lower: (context) => {
    const { node } = context;
    const [dy, x] = node.inputs as [string, string];
    const rectifier = rectifierOf(node);
    const spread = emitSpread(context, dy, x);
    return [rectifier === undefined ? spread : emitRectified(context, rectifier, x, spread)];
  },
} satisfies NativeOperator;

function emitSpread({ node, builder, dims, emit }: LoweringContext, dy: string, x: string): string {
  const sizes = dims(x)
    .slice(2)
    .map((size) => {
      if (typeof size === 'number') return size;
      throw new UnitscopeError(
        'unsupported',
        `${node.name}: dims [${dims(x).join(', ')}] are known at run time only`,
      );
    });
  const count = sizes.reduce((product, size) => product * size, 1);
  // Divided while it is small; Expand keeps batch and channels as they are.
  const share = emit('Mul', [dy, builder.floats(1 / count)]);
  return emit('Expand', [share, builder.ints([1, 1, ...sizes])]);
}
