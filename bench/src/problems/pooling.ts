import { maxPoolBackwardSync, maxPoolSync, unpoolSync } from '@unitscope/kernels';
import { Random } from '@unitscope/tensor';
import { ofCopy, type Problem } from './problem.js';

const DIMS = [16, 64, 112, 112] as const;
const SIZE = [112, 112] as const;

const WINDOWS = [
  { kernel: 2, stride: 2, padding: 0 },
  { kernel: 3, stride: 2, padding: 1 },
];

/** The tensors of one pooling: what goes in, and a signal that comes back. */
function pooled(window: (typeof WINDOWS)[number]) {
  const x = new Random(1).normalTensor(DIMS);
  const { y, switches } = maxPoolSync(x, window);
  const dy = new Random(2).normalTensor(y.dims);
  return { x, y, switches, dy };
}

export const poolingProblems: readonly Problem[] = WINDOWS.flatMap((window): Problem[] => {
  const name = `[${DIMS.join(', ')}] window ${window.kernel}, stride ${window.stride}, padding ${window.padding}`;
  return [
    {
      kernel: 'maxPool',
      name,
      operation: 'max_pool',
      goal: ofCopy(0.5),
      prepare: () => {
        const { x, y, switches } = pooled(window);
        const into = { y: y.data, switches: switches.data };
        return {
          bytes: x.data.byteLength + y.data.byteLength + switches.data.byteLength,
          settings: window,
          inputs: { x },
          run: (threads) => maxPoolSync(x, window, { backend: 'cpu', threads, into }),
          outputs: () => ({ y: y.data }),
        };
      },
    },
    {
      kernel: 'unpool',
      name,
      operation: 'max_unpool',
      goal: ofCopy(0.7),
      prepare: () => {
        const { x, switches, dy } = pooled(window);
        const into = { x: new Float32Array(x.data.length) };
        // Torch keeps one of the values that meet in a cell, and does not say which.
        const apart = window.kernel <= window.stride;
        return {
          bytes: dy.data.byteLength + switches.data.byteLength + into.x.byteLength,
          settings: window,
          inputs: { x, dy },
          run: (threads) =>
            unpoolSync(dy, switches, SIZE, window, { backend: 'cpu', threads, into, mode: 'overwrite' }),
          outputs: () => (apart ? { dx: into.x } : {}),
        };
      },
    },
    {
      kernel: 'maxPoolBackward',
      name,
      operation: 'max_pool_backward',
      goal: ofCopy(0.7),
      prepare: () => {
        const { x, dy } = pooled(window);
        const into = { dx: new Float32Array(x.data.length) };
        return {
          bytes: x.data.byteLength + dy.data.byteLength + into.dx.byteLength,
          settings: window,
          inputs: { x, dy },
          run: (threads) => maxPoolBackwardSync(x, dy, window, { backend: 'cpu', threads, into }),
          outputs: () => ({ dx: into.dx }),
        };
      },
    },
  ];
});
