import { gradient as gradientComposite } from '@unitscope/autodiff';
import { type Tensor, zeros } from '@unitscope/tensor';
import { explainBy } from './explain.js';
import { onePass } from './method.js';

/** The derivative of the score with respect to every pixel and channel, dS/dx, [N, C, H, W]. */
export const gradientMethod = onePass({
  name: 'gradient',
  summary: 'how the score changes with every pixel',
  composite: gradientComposite,
  form: 'signed',
});

/**
 * M_ij = max_c |dS/dx_ijc|, the class saliency map (Simonyan, Vedaldi, Zisserman 2013), [N, 1, H, W]. Others sum over
 * the channels, which is a different map.
 */
export const saliencyMapMethod = onePass({
  name: 'saliency-map',
  summary: 'the largest change over the colours at every pixel',
  composite: gradientComposite,
  form: 'magnitude',
  finish: maxOverChannels,
});

/** x · dS/dx, [N, C, H, W]: to first order, what every pixel adds to the score. */
export const inputTimesGradientMethod = onePass({
  name: 'input-times-gradient',
  summary: 'what every pixel adds to the score, to first order',
  composite: gradientComposite,
  form: 'signed',
  finish: (signal, input) => ({ dims: signal.dims, data: signal.data.map((g, i) => g * input.data[i]!) }),
});

function maxOverChannels({ dims, data }: Tensor): Tensor {
  const [count = 0, channels = 0, ...spatial] = dims;
  const map = zeros([count, 1, ...spatial]);
  const size = map.data.length / Math.max(count, 1);
  for (let n = 0; n < count; n++) {
    for (let c = 0; c < channels; c++) {
      const from = (n * channels + c) * size;
      for (let i = 0; i < size; i++) {
        const magnitude = Math.abs(data[from + i]!);
        if (magnitude > map.data[n * size + i]!) map.data[n * size + i] = magnitude;
      }
    }
  }
  return map;
}

/** See `gradientMethod`. */
export const gradient = explainBy(gradientMethod);

/** See `saliencyMapMethod`. */
export const saliencyMap = explainBy(saliencyMapMethod);

/** See `inputTimesGradientMethod`. */
export const inputTimesGradient = explainBy(inputTimesGradientMethod);
