import { UnitscopeError } from '@unitscope/tensor';
import { type CanvasState, LUCID, SIMONYAN, type StepValue, YOSINSKI } from './step-value.js';

/**
 * What keeps an ascent among pictures. A penalty changes the gradient before a step; a mend changes the pixels after
 * it, which only the pixel parametrisation allows.
 */
export interface Regulariser extends StepValue {
  /** Subtracts the gradient of the penalty. */
  readonly penalise?: (state: CanvasState) => void;
  /** @param step the number of the step that was made, from 1 */
  readonly mend?: (state: CanvasState, step: number) => void;
}

/** Adds -2 lambda (x - grey): the L2 norm of Eq 5, S_c(I) - lambda ||I||^2. */
export function l2Penalty(lambda: number): Regulariser {
  return {
    ...{ name: 'l2', paper: SIMONYAN, options: { lambda } },
    penalise({ canvas, gradient, grey }) {
      for (let i = 0; i < canvas.length; i++) gradient[i]! -= 2 * lambda * (canvas[i]! - grey);
    },
  };
}

/** Adds -lambda sign(x - grey), the gradient of the L1 norm; 0 at grey. */
export function l1Penalty(lambda: number): Regulariser {
  return {
    ...{ name: 'l1', paper: LUCID, options: { lambda } },
    penalise({ canvas, gradient, grey }) {
      for (let i = 0; i < canvas.length; i++) gradient[i]! -= lambda * Math.sign(canvas[i]! - grey);
    },
  };
}

/** Anisotropic total variation, lambda sum |dx| + |dy| (Mahendran and Vedaldi 2014 for pictures of units). */
export function totalVariation(lambda: number): Regulariser {
  return {
    name: 'total-variation',
    paper: 'Mahendran, Vedaldi 2014, arXiv:1412.0035',
    options: { lambda },
    penalise({ canvas, gradient, height, width }) {
      for (let row = 0, i = 0; i < canvas.length; row = (row + 1) % height) {
        for (let column = 0; column < width; column++, i++) {
          for (const next of [column + 1 < width ? i + 1 : -1, row + 1 < height ? i + width : -1]) {
            if (next < 0) continue;
            const slope = lambda * Math.sign(canvas[next]! - canvas[i]!);
            gradient[i]! += slope;
            gradient[next]! -= slope;
          }
        }
      }
    },
  };
}

/**
 * lambda / 2 sum (x - blur(x))^2 with the blur taken as given: its gradient is lambda (x - blur(x)). The blur is of
 * 3 x 3 pixels, 1 in the middle and 1/2 around it, over those inside the picture.
 */
export function blurPenalty(lambda: number): Regulariser {
  return {
    ...{ name: 'blur-penalty', paper: LUCID, options: { lambda } },
    penalise({ canvas, gradient, height, width }) {
      const size = height * width;
      for (let i = 0; i < canvas.length; i++) {
        const [row, column] = [Math.floor((i % size) / width), i % width];
        let [sum, weights] = [0, 0];
        for (let y = row > 0 ? -1 : 0; y <= (row + 1 < height ? 1 : 0); y++) {
          for (let x = column > 0 ? -1 : 0; x <= (column + 1 < width ? 1 : 0); x++) {
            const weight = x === 0 && y === 0 ? 1 : 0.5;
            sum += weight * canvas[i + y * width + x]!;
            weights += weight;
          }
        }
        gradient[i]! -= lambda * (canvas[i]! - sum / weights);
      }
    },
  };
}

/** Draws every pixel to grey by a fraction after a step: x <- grey + (1 - decay)(x - grey). */
export function decay(fraction: number): Regulariser {
  return {
    ...{ name: 'decay', paper: YOSINSKI, options: { fraction } },
    mend({ canvas, grey }) {
      for (let i = 0; i < canvas.length; i++) canvas[i] = grey + (1 - fraction) * (canvas[i]! - grey);
    },
  };
}

/** A Gaussian blur of standard deviation `sigma` pixels after every `every`th step; the border is mirrored. */
export function gaussianBlur(sigma: number, every: number): Regulariser {
  if (!(sigma > 0) || !Number.isInteger(every) || every < 1) {
    throw new UnitscopeError('wrong-use', `a blur of ${sigma} pixels every ${every} steps is none`);
  }
  const reach = Math.max(1, Math.ceil(4 * sigma));
  const raw = Array.from({ length: 2 * reach + 1 }, (_, i) =>
    Math.exp(-((i - reach) ** 2) / (2 * sigma ** 2)),
  );
  const total = raw.reduce((sum, value) => sum + value, 0);
  const weights = raw.map((value) => value / total);
  return {
    ...{ name: 'gaussian-blur', paper: YOSINSKI, options: { sigma, every } },
    mend({ canvas, height, width }, step) {
      if (step % every !== 0) return;
      const line = new Float32Array(Math.max(height, width));
      for (let plane = 0; plane < canvas.length; plane += height * width) {
        for (let row = 0; row < height; row++) blurLine(canvas, plane + row * width, 1, width, weights, line);
        for (let column = 0; column < width; column++) {
          blurLine(canvas, plane + column, width, height, weights, line);
        }
      }
    },
  };
}

function blurLine(
  canvas: Float32Array,
  start: number,
  stride: number,
  length: number,
  weights: readonly number[],
  line: Float32Array,
): void {
  const reach = (weights.length - 1) / 2;
  for (let i = 0; i < length; i++) line[i] = canvas[start + i * stride]!;
  for (let i = 0; i < length; i++) {
    let sum = 0;
    for (let tap = 0; tap < weights.length; tap++) {
      let from = i + tap - reach;
      if (from < 0 || from >= length) {
        from = ((from % (2 * length)) + 2 * length) % (2 * length);
        if (from >= length) from = 2 * length - 1 - from;
      }
      sum += weights[tap]! * line[from]!;
    }
    canvas[start + i * stride] = sum;
  }
}

/** Sets the pixels to grey whose colours' norm is under a percentile of the picture's, after every step. */
export function clipSmallNorm(percentile: number): Regulariser {
  return clipping('clip-small-norm', percentile, ({ canvas, grey }, i) => (canvas[i]! - grey) ** 2);
}

/**
 * Sets the pixels to grey that matter least, after every step: sum over the colours of |x dS/dx| under a percentile of
 * the picture's.
 */
export function clipSmallContribution(percentile: number): Regulariser {
  return clipping('clip-small-contribution', percentile, ({ canvas, gradient, grey }, i) =>
    Math.abs((canvas[i]! - grey) * gradient[i]!),
  );
}

function clipping(
  name: string,
  percentile: number,
  worth: (state: CanvasState, index: number) => number,
): Regulariser {
  if (!(percentile > 0 && percentile < 100)) {
    throw new UnitscopeError('wrong-use', `a percentile lies between 0 and 100, not at ${percentile}`);
  }
  return {
    ...{ name, paper: YOSINSKI, options: { percentile } },
    mend(state) {
      const { canvas, count, channels, height, width, grey } = state;
      const size = height * width;
      const worths = new Float32Array(size);
      for (let sample = 0; sample < count; sample++) {
        const start = sample * channels * size;
        worths.fill(0);
        for (let i = 0; i < channels * size; i++) worths[i % size]! += worth(state, start + i);
        const least = percentileOf(worths, percentile);
        for (let i = 0; i < channels * size; i++) if (worths[i % size]! < least) canvas[start + i] = grey;
      }
    },
  };
}

/** By linear interpolation between the values in order. */
function percentileOf(values: Float32Array, percentile: number): number {
  const sorted = values.slice().sort();
  const at = (percentile / 100) * (sorted.length - 1);
  const below = sorted[Math.floor(at)]!;
  return below + (at - Math.floor(at)) * (sorted[Math.ceil(at)]! - below);
}
