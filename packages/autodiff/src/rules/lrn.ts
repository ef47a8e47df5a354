import { floatAttribute, intAttribute } from '@unitscope/onnx';
import type { Rule, RuleContext } from '../rule.js';

/**
 * LRN, with N_c = bias + alpha / size * sum of x^2 over the window of channel c and y = x N^-beta.
 *
 * `gradient`: dx_c = R_c N_c^-beta - 2 alpha beta / size * x_c * sum over the channels j whose window holds c of
 * R_j y_j / N_j. `identity`: the signal as it is, for Zeiler and Fergus' deconvnet, which has no contrast
 * normalization on its way back (Zeiler and Fergus 2014, section 2.1).
 */
export const lrn = {
  gradient: {
    name: 'lrn.gradient',
    operator: 'LRN',
    backward: (context) => {
      const { node, builder } = context;
      const signal = context.signal(0);
      if (signal === undefined || !context.needs(0)) return [];
      const x = node.inputs[0]!;
      const [channels = 0, ...spatial] = context.sizes(x, 1);
      if (spatial.length === 0) throw context.unsupported('inputs without spatial axes are not covered');
      const size = intAttribute(node, 'size', 1);
      const alpha = floatAttribute(node, 'alpha', 1e-4);
      const beta = floatAttribute(node, 'beta', 0.75);
      const bias = floatAttribute(node, 'bias', 1);

      // Sums over channels as a 1x1 convolution with a band matrix: ONNX Runtime keeps it in its blocked layout.
      const window = builder.floats(bandMatrix(channels, size), [
        channels,
        channels,
        ...spatial.map(() => 1),
      ]);
      const holders = builder.floats(bandMatrix(channels, size, true), [
        channels,
        channels,
        ...spatial.map(() => 1),
      ]);
      const squares = context.emit('Conv', [context.emit('Mul', [x, x]), window]);
      const share = context.emit('Mul', [squares, builder.floats(alpha / size)]);
      const norm = context.emit('Add', [share, builder.floats(bias)]);
      const scaled = context.emit('Div', [signal, emitPower(context, norm, beta)]);
      const products = context.emit('Div', [context.emit('Mul', [scaled, x]), norm]);
      const sums = context.emit('Conv', [products, holders]);
      const factor = context.emit('Mul', [x, builder.floats((2 * alpha * beta) / size)]);
      return [context.emit('Sub', [scaled, context.emit('Mul', [factor, sums])])];
    },
  },
  identity: {
    name: 'lrn.identity',
    operator: 'LRN',
    backward: (context) => [context.signal(0)],
  },
} satisfies Record<string, Rule>;

/**
 * A matrix [channels, channels] with a one in row c, column j where ONNX's window of channel c holds channel j:
 * floor((size - 1) / 2) channels before c to ceil((size - 1) / 2) after it. Mirrored: where the window of j holds c.
 */
function bandMatrix(channels: number, size: number, mirrored = false): number[] {
  const shorter = Math.floor((size - 1) / 2);
  const longer = Math.ceil((size - 1) / 2);
  const [before, after] = mirrored ? [longer, shorter] : [shorter, longer];
  const band = new Array<number>(channels * channels).fill(0);
  for (let channel = 0; channel < channels; channel++) {
    const last = Math.min(channels - 1, channel + after);
    for (let other = Math.max(0, channel - before); other <= last; other++) {
      band[channel * channels + other] = 1;
    }
  }
  return band;
}

/** norm^beta. The usual 0.75 by two square roots: ONNX Runtime's Pow takes a scalar pow per element. */
function emitPower(context: RuleContext, norm: string, beta: number): string {
  if (beta === 1) return norm;
  if (beta !== 0.5 && beta !== 0.75) return context.emit('Pow', [norm, context.builder.floats(beta)]);
  const root = context.emit('Sqrt', [norm]);
  return beta === 0.5 ? root : context.emit('Mul', [root, context.emit('Sqrt', [root])]);
}
