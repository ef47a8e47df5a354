import type { KernelName } from '../kernel-arguments.js';
import { adamStepCases } from './adam-step.js';
import { argmaxMapsCases } from './argmax-maps.js';
import type { KernelCase } from './case.js';
import { cosineSimilarityCases } from './cosine-similarity.js';
import { graphEmStepCases } from './graph-em-step.js';
import { iouCountsCases } from './iou-counts.js';
import { lassoCases } from './lasso.js';
import { mapMomentsCases } from './map-moments.js';
import { maskBackwardCases } from './mask-backward.js';
import { maskForwardCases } from './mask-forward.js';
import { matmulCases } from './matmul.js';
import { maxPoolCases } from './max-pool.js';
import { maxPoolBackwardCases } from './max-pool-backward.js';
import { miGradientCases } from './mi-gradient.js';
import { miLossCases } from './mi-loss.js';
import { sgdStepCases } from './sgd-step.js';
import { templateScoresCases } from './template-scores.js';
import { topQuantileCases } from './top-quantile.js';
import { unpoolCases } from './unpool.js';

/** Every case of every kernel, for tests, benchmarks and the self-test. */
export const kernelCases = {
  maxPool: maxPoolCases,
  unpool: unpoolCases,
  maxPoolBackward: maxPoolBackwardCases,
  maskForward: maskForwardCases,
  maskBackward: maskBackwardCases,
  templateScores: templateScoresCases,
  miLoss: miLossCases,
  miGradient: miGradientCases,
  iouCounts: iouCountsCases,
  topQuantile: topQuantileCases,
  argmaxMaps: argmaxMapsCases,
  mapMoments: mapMomentsCases,
  matmul: matmulCases,
  cosineSimilarity: cosineSimilarityCases,
  graphEmStep: graphEmStepCases,
  sgdStep: sgdStepCases,
  adamStep: adamStepCases,
  lasso: lassoCases,
} as const satisfies Record<KernelName, readonly KernelCase[]>;
