import { floatAttribute, intAttribute } from '../graph.js';
import { planesOf } from './convolution.js';
import { broadcastData, broadcastDims, product } from './indexing.js';
import { axisOf, nodeError, type Operator, perChannel, required } from './operator.js';
import { floats, type Value } from './value.js';

/** The mean and the population variance of `count` numbers that start at `start`. */
function moments(data: Float64Array, start: number, count: number): { mean: number; variance: number } {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += data[start + i]!;
  const mean = sum / count;
  let squares = 0;
  for (let i = 0; i < count; i++) squares += (data[start + i]! - mean) ** 2;
  return { mean, variance: squares / count };
}

/**
 * y = scale (x - mean) / sqrt(variance + epsilon) + bias per channel. In training the moments are the batch's, and
 * the running ones, momentum old + (1 - momentum) new, are outputs 1 and 2.
 */
export const batchNormalization: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const constants = [1, 2, 3, 4].map((index) => required(node, inputs, index));
  const [scale, bias, mean, variance] = constants.map((constant) => constant.data);
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const [batch = 1, channels = 1, ...spatial] = x.dims;
  for (const constant of constants) perChannel(node, constant, channels);
  const plane = product(spatial);
  const training = intAttribute(node, 'training_mode', 0) !== 0;
  const [used, spread] = training ? batchMoments(x.data, batch, channels, plane) : [mean!, variance!];
  const y = new Float64Array(x.data.length);
  for (let i = 0; i < y.length; i++) {
    const c = Math.floor(i / plane) % channels;
    y[i] = (scale![c]! * (x.data[i]! - used[c]!)) / Math.sqrt(spread[c]! + epsilon) + bias![c]!;
  }
  if (!training) return [floats(x.dims, y)];
  const momentum = floatAttribute(node, 'momentum', 0.9);
  const running = (old: Float64Array, now: Float64Array) =>
    floats(
      [channels],
      old.map((value, c) => momentum * value + (1 - momentum) * now[c]!),
    );
  return [floats(x.dims, y), running(mean!, used), running(variance!, spread)];
};

function batchMoments(
  data: Float64Array,
  batch: number,
  channels: number,
  plane: number,
): readonly [Float64Array, Float64Array] {
  const means = new Float64Array(channels);
  const variances = new Float64Array(channels);
  const gathered = new Float64Array(batch * plane);
  for (let c = 0; c < channels; c++) {
    for (let n = 0; n < batch; n++) {
      const start = (n * channels + c) * plane;
      gathered.set(data.subarray(start, start + plane), n * plane);
    }
    const { mean, variance } = moments(gathered, 0, gathered.length);
    means[c] = mean;
    variances[c] = variance;
  }
  return [means, variances];
}

/** y = scale (x - mean) / sqrt(variance + epsilon) + bias, moments per sample and channel. */
export const instanceNormalization: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const scale = required(node, inputs, 1);
  const bias = required(node, inputs, 2);
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const { batch, channels, spatial } = planesOf(node, x);
  perChannel(node, scale, channels);
  perChannel(node, bias, channels);
  const plane = product(spatial);
  const y = new Float64Array(x.data.length);
  for (let i = 0; i < batch * channels; i++) {
    const { mean, variance } = moments(x.data, i * plane, plane);
    const factor = scale.data[i % channels]! / Math.sqrt(variance + epsilon);
    for (let j = i * plane; j < (i + 1) * plane; j++) {
      y[j] = factor * (x.data[j]! - mean) + bias.data[i % channels]!;
    }
  }
  return [floats(x.dims, y)];
};

/** Normalised over the axes from `axis` on; outputs 1 and 2 are the mean and 1 / sqrt(variance + epsilon). */
export const layerNormalization: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const axis = axisOf(node, intAttribute(node, 'axis', -1), x.dims.length);
  const tail = x.dims.slice(axis);
  const length = product(tail);
  const constant = (value: Value) => {
    if (broadcastDims(node, value.dims, tail).join() !== tail.join()) {
      throw nodeError(
        'bad-input',
        node,
        `[${value.dims.join(', ')}] does not broadcast to [${tail.join(', ')}]`,
      );
    }
    return broadcastData(value, tail);
  };
  const scale = constant(required(node, inputs, 1));
  const bias = inputs[2] === undefined ? new Float64Array(length) : constant(inputs[2]);
  const groups = product(x.dims.slice(0, axis));
  const means = new Float64Array(groups);
  const inverses = new Float64Array(groups);
  const y = new Float64Array(x.data.length);
  for (let g = 0; g < groups; g++) {
    const { mean, variance } = moments(x.data, g * length, length);
    const inverse = 1 / Math.sqrt(variance + epsilon);
    means[g] = mean;
    inverses[g] = inverse;
    for (let i = 0; i < length; i++) {
      const at = g * length + i;
      y[at] = (x.data[at]! - mean) * inverse * scale[i]! + bias[i]!;
    }
  }
  const kept = [...x.dims.slice(0, axis), ...tail.map(() => 1)];
  return [floats(x.dims, y), floats(kept, means), floats(kept, inverses)];
};

/** y = x / (bias + alpha / size * sum of x^2 over `size` neighbouring channels)^beta (Krizhevsky et al. 2012). */
export const localResponseNormalization: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const { batch, channels, spatial } = planesOf(node, x);
  const size = intAttribute(node, 'size');
  if (size === undefined) throw nodeError('bad-input', node, 'the attribute size is missing');
  const alpha = floatAttribute(node, 'alpha', 1e-4);
  const beta = floatAttribute(node, 'beta', 0.75);
  const bias = floatAttribute(node, 'bias', 1);
  const before = Math.floor((size - 1) / 2);
  const after = Math.ceil((size - 1) / 2);
  const plane = product(spatial);
  const y = new Float64Array(x.data.length);
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < plane; p++) {
        let squares = 0;
        for (let other = Math.max(0, c - before); other <= Math.min(channels - 1, c + after); other++) {
          squares += x.data[(n * channels + other) * plane + p]! ** 2;
        }
        const at = (n * channels + c) * plane + p;
        y[at] = x.data[at]! / (bias + (alpha / size) * squares) ** beta;
      }
    }
  }
  return [floats(x.dims, y)];
};
