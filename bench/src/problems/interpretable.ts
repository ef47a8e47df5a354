import { maskForwardSync, miGradientSync } from '@unitscope/kernels';
import { Random } from '@unitscope/tensor';
import { ofCopy, type Problem } from './problem.js';

const DIMS = [16, 512, 14, 14] as const;

function rectifiedMaps() {
  const { dims, data } = new Random(1).normalTensor(DIMS);
  return { dims, data: data.map((value) => Math.max(value, 0)) };
}

/** The layers of an interpretable network. */
export const interpretableProblems: readonly Problem[] = [
  {
    kernel: 'maskForward',
    name: `[${DIMS.join(', ')}]`,
    operation: 'mask',
    goal: ofCopy(0.6),
    prepare: () => {
      const x = rectifiedMaps();
      const into = { y: new Float32Array(x.data.length), mu: new Int32Array(DIMS[0] * DIMS[1]) };
      return {
        bytes: x.data.byteLength + into.y.byteLength + into.mu.byteLength,
        settings: { beta: 4 },
        inputs: { x },
        run: (threads) => maskForwardSync(x, { backend: 'cpu', threads, beta: 4, into }),
        outputs: () => ({ y: into.y, mu: into.mu }),
      };
    },
  },
  {
    kernel: 'miGradient',
    name: `[${DIMS.join(', ')}] exact`,
    operation: 'mi_gradient',
    goal: {
      text: 'at least 6 times as fast as two GEMMs in torch',
      atLeast: 6,
      value: ({ ours, peer }) => (peer === undefined ? undefined : peer.min / ours.min),
    },
    prepare: () => {
      const x = rectifiedMaps();
      const into = { dx: new Float32Array(x.data.length) };
      const [, , n] = DIMS;
      const [tau, beta, alpha] = [0.5 / n ** 2, 4, n ** 2 / (1 + n ** 2)];
      return {
        bytes: x.data.byteLength + into.dx.byteLength,
        settings: { tau, beta, alpha },
        inputs: { x },
        run: (threads) => miGradientSync(x, { backend: 'cpu', threads, tau, beta, alpha, into }),
        outputs: () => ({ dx: into.dx }),
      };
    },
  },
];
