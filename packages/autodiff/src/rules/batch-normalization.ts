import { type Constant, floatAttribute, intAttribute } from '@unitscope/onnx';
import type { Rule, RuleContext } from '../rule.js';
import { emitChannelSums } from './weight-gradient.js';

/** ONNX's number of float32. */
const FLOAT = 1;

/**
 * BatchNormalization by given statistics: dX = R * scale / sqrt(variance + epsilon), per channel; dscale and dbias are
 * the sums of R * (X - mean) / sqrt(variance + epsilon) and of R over samples and positions. The statistics get none.
 */
export const batchNormalization = {
  gradient: {
    name: 'batch-normalization.gradient',
    operator: 'BatchNormalization',
    backward: (context) => {
      const { node, emit } = context;
      if (intAttribute(node, 'training_mode', 0) !== 0) {
        throw context.unsupported('training_mode = 1 is not covered; export the network for inference');
      }
      if (context.needs(3) || context.needs(4)) {
        throw context.unsupported('its statistics are given, they have no gradient');
      }
      const signal = context.signal(0);
      if (signal === undefined) return [];
      const [x, scale, , mean, variance] = node.inputs as [string, string, string, string, string];
      const rank = context.dims(x).length;
      const epsilon = floatAttribute(node, 'epsilon', 1e-5);
      const signals: (string | undefined)[] = [undefined, undefined, undefined];
      if (context.needs(0)) {
        const [scales, variances] = [context.constant(scale), context.constant(variance)];
        const factor =
          scales !== undefined && variances !== undefined
            ? constantFactor(context, scales, variances, epsilon, rank)
            : perChannel(context, emit('Div', [scale, emitDeviation(context, variance, epsilon)]), rank);
        signals[0] = emit('Mul', [signal, factor]);
      }
      if (context.needs(1)) {
        const centred = emit('Sub', [x, perChannel(context, mean, rank)]);
        const products = emitChannelSums(context, emit('Mul', [signal, centred]), rank);
        signals[1] = emit('Div', [products, emitDeviation(context, variance, epsilon)]);
      }
      if (context.needs(2)) signals[2] = emitChannelSums(context, signal, rank);
      return signals;
    },
  } satisfies Rule,
};

/**
 * The rule of a BatchNormalization whose mean and variance are those of the batch itself, and move with it. With
 * Z = (X - mean) / d, d = sqrt(variance + epsilon), and n samples and positions of a channel:
 * dscale = sum of R Z, dbias = sum of R, dX = scale / d (R - dbias / n - Z dscale / n).
 *
 * @param centred X - mean, of which the variance has been computed
 */
export function batchStatistics(centred: string): Rule {
  return {
    name: 'batch-normalization.batch',
    operator: 'BatchNormalization',
    backward: (context) => {
      const signal = context.signal(0);
      if (signal === undefined) return [];
      const { node, emit } = context;
      const [, scale, , , variance] = node.inputs as [string, string, string, string, string];
      const rank = context.dims(node.outputs[0]!).length;
      const deviation = emitDeviation(context, variance, floatAttribute(node, 'epsilon', 1e-5));
      const byBias = emitChannelSums(context, signal, rank);
      const byScale = emit('Div', [
        emitChannelSums(context, emit('Mul', [signal, centred]), rank),
        deviation,
      ]);
      const signals = [
        undefined,
        context.needs(1) ? byScale : undefined,
        context.needs(2) ? byBias : undefined,
      ];
      if (!context.needs(0)) return signals;
      const size = (value: string) => emit('Cast', [emit('Size', [value])], { to: FLOAT });
      const count = emit('Div', [size(centred), size(variance)]);
      // dX = f R + g (X - mean) + h, one factor or summand for each channel.
      const factor = emit('Div', [scale, deviation]);
      const share = emit('Div', [factor, count]);
      const slope = emit('Neg', [emit('Div', [emit('Mul', [share, byScale]), deviation])]);
      const offset = emit('Neg', [emit('Mul', [share, byBias])]);
      const direct = emit('Mul', [signal, perChannel(context, factor, rank)]);
      const turned = emit('Mul', [centred, perChannel(context, slope, rank)]);
      const moved = emit('Add', [turned, perChannel(context, offset, rank)]);
      return [emit('Add', [direct, moved]), signals[1], signals[2]];
    },
  };
}

function emitDeviation(context: RuleContext, variance: string, epsilon: number): string {
  return context.emit('Sqrt', [context.emit('Add', [variance, context.builder.floats(epsilon)])]);
}

/** One number per channel, [C], in dims that broadcast over [N, C, ...]. */
function perChannel(context: RuleContext, value: string, rank: number): string {
  if (rank === 2) return value;
  const ones = Array.from({ length: rank - 2 }, () => 1);
  return context.emit('Reshape', [value, context.builder.ints([-1, ...ones])]);
}

function constantFactor(
  { builder }: RuleContext,
  scales: Constant,
  variances: Constant,
  epsilon: number,
  rank: number,
): string {
  const factors = Array.from(
    { length: scales.data.length },
    (_, channel) => Number(scales.data[channel]) / Math.sqrt(Number(variances.data[channel]) + epsilon),
  );
  const ones = Array.from({ length: rank - 2 }, () => 1);
  return builder.floats(factors, [factors.length, ...ones]);
}
