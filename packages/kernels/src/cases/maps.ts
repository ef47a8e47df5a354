import { Random, sizeOf, type Tensor } from '@unitscope/tensor';
import type { PriorOptions } from '../mutual-information.js';
import type { KernelCase } from './case.js';

/** Maps of filters and the templates over them. */
export interface MapsProblem {
  readonly dims: readonly [number, number, number, number];
  readonly values: 'relu' | 'large' | 'negative' | 'ties' | 'zeros' | 'non-finite';
  readonly templates: Omit<PriorOptions, 'logZ'>;
  readonly purpose: KernelCase['purpose'];
}

const conformance = (
  dims: MapsProblem['dims'],
  values: MapsProblem['values'],
  templates: MapsProblem['templates'] = {},
): MapsProblem => ({ dims, values, templates, purpose: 'conformance' });

const benchmark = (dims: MapsProblem['dims']): MapsProblem => ({
  dims,
  values: 'relu',
  templates: {},
  purpose: 'benchmark',
});

export const mapsProblems: readonly MapsProblem[] = [
  // Sizes where the cone's foot lies on a cell and where it does not, and numbers of filters around vector widths.
  ...[1, 2, 3, 4, 5, 7, 8, 9, 13, 14].map((n) => conformance([3, 5, n, n], 'relu')),
  ...[1, 2, 3, 4, 7, 8, 9, 17].map((channels) => conformance([2, channels, 6, 6], 'relu')),
  ...(['large', 'negative', 'ties', 'zeros', 'non-finite'] as const).map((values) =>
    conformance([4, 6, 7, 7], values),
  ),
  conformance([3, 3, 6, 6], 'relu', { beta: 0.5 }),
  conformance([3, 3, 6, 6], 'relu', { beta: 1.7, tau: 0.1 }),
  conformance([3, 3, 6, 6], 'relu', { beta: 12.5, alpha: 0.5 }),
  conformance([3, 3, 6, 6], 'relu', { beta: 100, tau: 0.3 }),
  conformance([3, 3, 5, 5], 'relu', { alpha: 1 }),
  conformance([3, 3, 5, 5], 'relu', { alpha: 0 }),
  conformance([0, 3, 4, 4], 'relu'),
  conformance([3, 0, 4, 4], 'relu'),
  conformance([1, 1, 1, 1], 'relu'),
  conformance([1, 3, 5, 5], 'relu'),
  // Cut into the shares of several threads.
  conformance([9, 61, 7, 7], 'relu'),
  benchmark([16, 512, 14, 14]),
  benchmark([16, 512, 7, 7]),
];

/** The maps of a problem: the same ones every time. */
export function makeMaps({ dims, values }: MapsProblem): Tensor {
  const random = new Random(5);
  const cells = dims[2] * dims[3];
  const data = Float32Array.from({ length: sizeOf(dims) }, (_, i) => {
    const value = random.normal();
    // A third of the maps of these is all zeros.
    if (values === 'zeros') return Math.floor(i / cells) % 3 === 0 ? 0 : Math.max(value, 0);
    if (values === 'ties') return Math.max(Math.round(value), 0);
    if (values === 'negative') return -Math.abs(value);
    if (values === 'large') return Math.max(value, 0) * 50;
    if (values === 'non-finite' && i === cells + 3) return Number.NaN;
    if (values === 'non-finite' && i === cells * 3) return Number.POSITIVE_INFINITY;
    return Math.max(value, 0);
  });
  return { dims, data };
}

/** Which images are of a filter's category: every filter has some of either kind, where there are two images. */
export function makeTargets({ dims: [batch, channels] }: MapsProblem): Tensor<Uint8Array> {
  const data = Uint8Array.from({ length: batch * channels }, (_, i) => {
    return (Math.floor(i / channels) + (i % channels)) % 2;
  });
  return { dims: [batch, channels], data };
}

export function nameOfMaps({ dims, values, templates }: MapsProblem): string {
  const settings = Object.entries(templates).map(([name, value]) => ` ${name}=${value}`);
  return `x=[${dims.join(',')}] ${values}${settings.join('')}`;
}

/** 2^-24 of the value, the rounding to float32, and 2^-36 of what was summed, the running sums in double. */
export function firstBeyondDouble(
  name: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  magnitude: (at: number) => number,
): string | undefined {
  for (let i = 0; i < expected.length; i++) {
    if (Number.isNaN(actual[i]) && Number.isNaN(expected[i])) continue;
    // Half the distance of subnormal numbers beside it: the rounding of the smallest values.
    const bound = 2 ** -24 * Math.abs(expected[i]!) + 2 ** -36 * magnitude(i) + 2 ** -150;
    if (!(Math.abs(actual[i]! - expected[i]!) <= bound)) {
      return `${name}[${i}] is ${actual[i]}, the reference says ${expected[i]}, rounding allows ${bound}`;
    }
  }
  return undefined;
}
