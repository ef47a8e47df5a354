import { sameDims, type Tensor, type TensorData, UnitscopeError } from '@unitscope/tensor';

/**
 * Labels as the loss takes them: int64 [N] for `softmax`; float32 [N, K] of 1, -1 and 0 for `logistic`, where a category
 * stands for 1 at its place and -1 elsewhere, and of a single score category 1 is yes, 0 is no.
 *
 * Throws `bad-input` for labels that do not fit.
 */
export function encodeLabels(
  labels: readonly number[] | Tensor,
  type: 'int64' | 'float32',
  count: number,
  classes: number,
): Tensor<TensorData> {
  if (!isList(labels)) {
    if (type === 'float32' && sameDims(labels.dims, [count, classes])) return labels;
    throw new UnitscopeError(
      'bad-input',
      type === 'float32'
        ? `labels must be [${count}, ${classes}], they are [${labels.dims.join(', ')}]`
        : 'the loss softmax takes the number of one category for each sample',
    );
  }
  const most = type === 'float32' && classes === 1 ? 2 : classes;
  const wrong = labels.find((label) => !Number.isInteger(label) || label < 0 || label >= most);
  if (wrong !== undefined) {
    throw new UnitscopeError('bad-input', `no category ${wrong}; there are ${most}, counted from 0`);
  }
  if (type === 'int64') return { dims: [count], data: BigInt64Array.from(labels, BigInt) };
  const data = new Float32Array(count * classes).fill(-1);
  labels.forEach((label, i) => {
    if (classes > 1) data[i * classes + label] = 1;
    else data[i] = label === 1 ? 1 : -1;
  });
  return { dims: [count, classes], data };
}

function isList(labels: readonly number[] | Tensor): labels is readonly number[] {
  return Array.isArray(labels);
}

/** What the scores of one sample say: its category, and the loss -log softmax or the sum of log(1 + exp(-c y)). */
export function judge(
  loss: 'softmax' | 'logistic',
  scores: Float32Array,
  label: number,
): { readonly predicted: number; readonly loss: number } {
  let predicted = 0;
  for (let k = 1; k < scores.length; k++) if (scores[k]! > scores[predicted]!) predicted = k;
  if (loss === 'softmax') {
    const most = scores[predicted]!;
    const sum = scores.reduce((total, y) => total + Math.exp(y - most), 0);
    return { predicted, loss: most + Math.log(sum) - scores[label]! };
  }
  const single = scores.length === 1;
  let total = 0;
  for (let k = 0; k < scores.length; k++) {
    const isYes = single ? label === 1 : k === label;
    const against = isYes ? -scores[k]! : scores[k]!;
    total += against > 0 ? against + Math.log1p(Math.exp(-against)) : Math.log1p(Math.exp(against));
  }
  return { predicted: single ? Number(scores[0]! > 0) : predicted, loss: total };
}
