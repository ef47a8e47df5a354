import type { Dim, GraphBuilder } from '@unitscope/onnx';
import { UnitscopeError } from '@unitscope/tensor';

/**
 * What training makes small, from scores y [N, K] or [N, K, 1, ...]: L = sum over samples i of w_i l_i, the weights w
 * given at run time (1 / N each for the mean).
 *
 * - `softmax`: l = -log softmax(y)[label], labels int64 [N]
 * - `logistic`: l = sum over k of |c_k| log(1 + exp(-c_k y_k)), labels c float32 [N, K], 1 for yes, -1 for no, 0 for
 *   what is not known
 */
export interface Loss {
  readonly kind: LossKind;
  /** The scores. */
  readonly value: string;
}

export type LossKind = 'softmax' | 'logistic';

export interface EmittedLoss {
  /** dL/dy, of the dims of the scores. */
  readonly signal: string;
  /** L, a scalar. */
  readonly loss: string;
  readonly labels: LossInput;
  readonly weights: LossInput;
}

export interface LossInput {
  readonly name: string;
  readonly type: 'int64' | 'float32';
  readonly dims: readonly Dim[];
}

/** Writes the loss and the signal the backward pass starts with. */
export function emitLoss(builder: GraphBuilder, { kind, value }: Loss, dims: readonly Dim[]): EmittedLoss {
  const [batch = 1, classes, ...positions] = dims;
  if (typeof classes !== 'number' || positions.some((size) => size !== 1)) {
    throw new UnitscopeError(
      'unsupported',
      `${value} has dims [${dims.join(', ')}]: the scores a loss is of must be [N, K]`,
      { subject: value },
    );
  }
  const emit = (operator: string, inputs: readonly string[], attributes = {}) =>
    builder.node(operator, inputs, attributes, { name: `loss/${operator}` });
  const input = (stem: string, type: LossInput['type'], inputDims: readonly Dim[]): LossInput => {
    const info = { name: builder.freshName(stem), type, dims: inputDims };
    builder.input(info);
    return info;
  };
  const labels = input(
    'labels',
    kind === 'softmax' ? 'int64' : 'float32',
    kind === 'softmax' ? [batch] : [batch, classes],
  );
  const weights = input('weights', 'float32', [batch]);
  const scores = positions.length === 0 ? value : emit('Reshape', [value, builder.ints([-1, classes])]);
  const column = emit('Unsqueeze', [weights.name, builder.ints([1])]);
  let losses: string;
  let slope: string;
  if (kind === 'softmax') {
    const chosen = emit('OneHot', [labels.name, builder.ints([classes]), builder.floats([0, 1])], {
      axis: -1,
    });
    const logarithms = emit('LogSoftmax', [scores], { axis: 1 });
    losses = emit('Neg', [emit('Mul', [chosen, logarithms])]);
    slope = emit('Sub', [emit('Exp', [logarithms]), chosen]);
  } else {
    const against = emit('Neg', [emit('Mul', [labels.name, scores])]);
    losses = emit('Mul', [emit('Abs', [labels.name]), emit('Softplus', [against])]);
    slope = emit('Neg', [emit('Mul', [labels.name, emit('Sigmoid', [against])])]);
  }
  const loss = emit('ReduceSum', [emit('Mul', [losses, column])], { keepdims: 0 });
  const signal = emit('Mul', [slope, column]);
  const shaped =
    positions.length === 0
      ? signal
      : emit('Reshape', [signal, builder.ints([-1, classes, ...positions.map(() => 1)])]);
  return { signal: shaped, loss, labels, weights };
}
