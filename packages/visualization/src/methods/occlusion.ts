import { gradient as gradientComposite } from '@unitscope/autodiff';
import { UnitscopeError, zeros } from '@unitscope/tensor';
import { type Baseline, baselinePicture, describeBaseline, requireCount } from './baseline.js';
import { scoreCopies } from './copies.js';
import { explainBy } from './explain.js';
import type { Method } from './method.js';

export interface OcclusionOptions {
  /** Height and width of what is covered, in pixels; an eighth of the picture by default. */
  readonly window?: readonly [number, number];
  /** How far the window moves, in pixels; half the window by default. */
  readonly stride?: readonly [number, number];
  /** What it is covered with; 0 by default. */
  readonly baseline?: Baseline;
}

/**
 * By how much the score falls when a window of the picture is covered, averaged over the windows that cover a pixel,
 * [N, 1, H, W] (Zeiler and Fergus 2014, section 4.2). The last window in a row is cut at the picture's edge. Forward
 * passes only, one for each window.
 *
 * Throws `wrong-use` for a window larger than the picture, a size below one pixel, and a stride above the window, which
 * would leave pixels that no window covers.
 */
export function occlusionMethod({ window, stride, baseline = 0 }: OcclusionOptions = {}): Method {
  for (const size of window ?? []) requireCount('window', size);
  for (const size of stride ?? []) requireCount('stride', size);
  return {
    name: 'occlusion',
    summary: 'by how much the score falls when a part of the picture is covered',
    form: 'signed',
    composite: gradientComposite,
    forwardOnly: true,
    parameters: {
      baseline: describeBaseline(baseline),
      ...(window === undefined ? {} : { window }),
      ...(stride === undefined ? {} : { stride }),
    },
    silence: 'the score is the same whatever is covered',
    attribute: async (passes, batch) => {
      const [count = 0, channels = 1, height = 1, width = 1] = batch.dims;
      const [high, wide] = window ?? [Math.ceil(height / 8), Math.ceil(width / 8)];
      const [down, across] = stride ?? [Math.ceil(high / 2), Math.ceil(wide / 2)];
      requireFit([high, wide], [down, across], [height, width]);
      const cover = baselinePicture(baseline, batch);
      const { score } = await passes.settle(batch);
      const rows = startsOf(height, high, down);
      const columns = startsOf(width, wide, across);
      const plane = height * width;
      const length = channels * plane;
      const placeOf = (copy: number) => {
        const top = rows[Math.floor(copy / columns.length)]!;
        const left = columns[copy % columns.length]!;
        return { top, left, bottom: Math.min(top + high, height), right: Math.min(left + wide, width) };
      };
      const sums = new Float64Array(count * plane);
      const covering = new Uint32Array(plane);
      const write = (target: Float32Array, sample: number, copy: number) => {
        target.set(batch.data.subarray(sample * length, (sample + 1) * length));
        const { top, left, bottom, right } = placeOf(copy);
        for (let c = 0; c < channels; c++) {
          for (let y = top; y < bottom; y++) {
            const row = c * plane + y * width;
            target.set(cover.data.subarray(row + left, row + right), row + left);
          }
        }
      };
      const copies = { count: rows.length * columns.length, write };
      await scoreCopies(passes, batch, copies, (covered, sample, copy) => {
        const fall = score[sample]! - covered;
        const { top, left, bottom, right } = placeOf(copy);
        for (let y = top; y < bottom; y++) {
          for (let x = left; x < right; x++) {
            sums[sample * plane + y * width + x]! += fall;
            if (sample === 0) covering[y * width + x]!++;
          }
        }
      });
      const map = zeros([count, 1, height, width]);
      for (let i = 0; i < sums.length; i++) map.data[i] = sums[i]! / covering[i % plane]!;
      return { map };
    },
  };
}

/** Where windows begin: every `stride` pixels until one reaches the end. */
function startsOf(size: number, window: number, stride: number): number[] {
  const count = Math.ceil(Math.max(0, size - window) / stride) + 1;
  return Array.from({ length: count }, (_, i) => i * stride);
}

function requireFit(window: readonly number[], stride: readonly number[], picture: readonly number[]): void {
  const refuse = (why: string) => new UnitscopeError('wrong-use', why, { subject: 'window' });
  if (window.some((size, axis) => size > picture[axis]!)) {
    throw refuse(`a window of ${window.join('x')} does not fit a picture of ${picture.join('x')}`);
  }
  if (stride.some((step, axis) => step > window[axis]!)) {
    throw refuse(
      `a stride of ${stride.join('x')} leaves pixels that no window of ${window.join('x')} covers`,
    );
  }
}

/** See `occlusionMethod`, with its defaults. */
export const occlusion = explainBy(occlusionMethod());
