import { sizeOf, type Tensor, UnitscopeError } from '@unitscope/tensor';

/**
 * A picture without what is to be explained, as the network takes it: one number everywhere, one for each channel, or a
 * picture of [1, C, H, W].
 */
export type Baseline = number | readonly number[] | Tensor;

/** The baseline as a picture of the batch's dims, [1, C, H, W]. Throws `bad-input` for one that does not fit. */
export function baselinePicture(baseline: Baseline, { dims }: Tensor): Tensor {
  const wanted = [1, ...dims.slice(1)];
  if (typeof baseline === 'number' || !('data' in baseline)) {
    const [, channels = 1, ...map] = wanted;
    const colors = typeof baseline === 'number' ? new Array<number>(channels).fill(baseline) : baseline;
    if (colors.length !== channels || !colors.every(Number.isFinite)) {
      throw new UnitscopeError(
        'wrong-use',
        `the baseline must be a finite number, or one for each of ${channels} channels, got ${colors.join(', ')}`,
        { subject: 'baseline' },
      );
    }
    const plane = sizeOf(map);
    const data = new Float32Array(channels * plane);
    for (const [channel, color] of colors.entries()) data.fill(color, channel * plane, (channel + 1) * plane);
    return { dims: wanted, data };
  }
  const fits = baseline.dims.length === wanted.length && wanted.every((size, i) => size === baseline.dims[i]);
  if (fits) return baseline;
  throw new UnitscopeError(
    'bad-input',
    `the baseline must have dims [${wanted.join(', ')}], got [${baseline.dims.join(', ')}]`,
    { subject: 'baseline' },
  );
}

/** For records: the numbers, or that it was a picture. */
export function describeBaseline(baseline: Baseline): number | readonly number[] | string {
  return typeof baseline === 'number' || !('data' in baseline) ? baseline : 'picture';
}

/** Throws `wrong-use` unless the value is a whole number of at least 1. */
export function requireCount(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new UnitscopeError('wrong-use', `${name} must be a whole number of at least 1, got ${value}`, {
    subject: name,
  });
}
