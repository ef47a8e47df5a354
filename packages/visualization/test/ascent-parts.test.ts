import { Random } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COLOR_MATRIX, fromColors, pullBackColors, toColors } from '../src/ascent/color.js';
import { FourierPlanes } from '../src/ascent/fourier.js';
import { adam, gradientAscent, normalisedAscent, progressAscent } from '../src/ascent/optimisers.js';
import {
  blurPenalty,
  clipSmallContribution,
  clipSmallNorm,
  decay,
  gaussianBlur,
  l1Penalty,
  l2Penalty,
  type Regulariser,
  totalVariation,
} from '../src/ascent/regularisers.js';
import type { CanvasState } from '../src/ascent/step-value.js';
import { jitter, lucidTransforms, pad, rotate, scale } from '../src/ascent/transforms.js';
import { rotateWarp, scaleWarp, type Warp, windowWarp } from '../src/ascent/warp.js';

const random = new Random(3);
const normal = (length: number, deviation = 1) =>
  Float32Array.from({ length }, () => deviation * random.normal());
const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0);
const side = fc.integer({ min: 2, max: 9 });

/** The plane of a spectrum as the definition says it, in double precision: one sum over all frequencies for a pixel. */
function slowPlane(spectrum: ArrayLike<number>, height: number, width: number): number[] {
  const whole = width + (width % 2);
  const count = whole / 2 + 1;
  const half = height * count;
  const plane: number[] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let j = 0; j < height; j++) {
        for (let k = 0; k < count; k++) {
          const fy = (j > height / 2 ? j - height : j) / height;
          const fx = (k > width / 2 ? k - width : k) / width;
          const scaled =
            Math.sqrt(height * width) / Math.max(Math.hypot(fx, fy), 1 / Math.max(height, width));
          const angle = 2 * Math.PI * ((j * y) / height + (k * x) / whole);
          const times = k === 0 || k === count - 1 ? 1 : 2;
          const i = j * count + k;
          const [re, im] = [spectrum[i]! * scaled, spectrum[half + i]! * scaled];
          // Of the first and the last frequency only the real part of the column's transform counts.
          const across = (2 * Math.PI * k * x) / whole;
          const down = (2 * Math.PI * j * y) / height;
          sum +=
            times === 2
              ? 2 * (re * Math.cos(angle) - im * Math.sin(angle))
              : (re * Math.cos(down) - im * Math.sin(down)) * Math.cos(across);
        }
      }
      plane.push(sum / (height * whole) / 4);
    }
  }
  return plane;
}

describe('Fourier planes', () => {
  it('are the transform as defined, at odd and even sizes', () => {
    fc.assert(
      fc.property(side, side, (height, width) => {
        const planes = new FourierPlanes({ height, width });
        const spectrum = normal(planes.length);
        const plane = new Float32Array(height * width);
        planes.render(spectrum, plane);
        const expected = slowPlane(spectrum, height, width);
        const largest = Math.max(...expected.map(Math.abs));
        for (const [i, value] of expected.entries())
          expect(Math.abs(plane[i]! - value)).toBeLessThan(3e-6 * largest);
      }),
      { seed: 1, numRuns: 40 },
    );
  });

  it('carry a gradient back as finite differences of the definition do', () => {
    for (const [height, width] of [
      [4, 6],
      [5, 4],
      [4, 5],
      [7, 3],
    ] as const) {
      const planes = new FourierPlanes({ height, width });
      const spectrum = Float64Array.from(normal(planes.length));
      const cotangent = normal(height * width);
      const gradient = new Float32Array(planes.length);
      planes.pullBack(cotangent, gradient);
      const largest = Math.max(...gradient.map(Math.abs));
      for (const i of spectrum.keys()) {
        const at = (shift: number) =>
          dot(slowPlane(spectrum.with(i, spectrum[i]! + shift), height, width), cotangent);
        expect(Math.abs((at(1e-3) - at(-1e-3)) / 2e-3 - gradient[i]!)).toBeLessThan(3e-6 * largest);
      }
    }
  });

  it('can be made from a plane', () => {
    fc.assert(
      fc.property(side, fc.integer({ min: 1, max: 5 }), (height, half) => {
        const width = 2 * half;
        const planes = new FourierPlanes({ height, width });
        const plane = normal(height * width);
        const spectrum = new Float32Array(planes.length);
        planes.analyse(plane, spectrum);
        const again = new Float32Array(plane.length);
        planes.render(spectrum, again);
        for (const [i, value] of plane.entries()) expect(again[i]).toBeCloseTo(value, 4);
      }),
      { seed: 2, numRuns: 40 },
    );
  });
});

describe('decorrelated colours', () => {
  it('carry a gradient back as finite differences do', () => {
    const slow = (channels: ArrayLike<number>) =>
      Array.from({ length: 6 }, (_, i) => {
        const [row, pixel] = [Math.floor(i / 2), i % 2];
        const mixed = [0, 1, 2].reduce(
          (sum, c) => sum + COLOR_MATRIX[row * 3 + c]! * channels[c * 2 + pixel]!,
          0,
        );
        return 1 / (1 + Math.exp(-mixed));
      });
    const channels = normal(6);
    const colors = new Float32Array(6);
    toColors(channels, colors);
    for (const [i, value] of slow(channels).entries()) expect(colors[i]).toBeCloseTo(value, 6);
    const cotangent = normal(6);
    const gradient = new Float32Array(6);
    pullBackColors(colors, cotangent.slice(), gradient);
    for (let i = 0; i < 6; i++) {
      const at = (shift: number) =>
        dot(slow(Float64Array.from(channels, (v, j) => (j === i ? v + shift : v))), cotangent);
      expect(gradient[i]).toBeCloseTo((at(1e-4) - at(-1e-4)) / 2e-4, 5);
    }
  });

  it('can be made from colours', () => {
    const colors = Float32Array.of(0.1, 0.9, 0.5, 0.4, 0.7, 0.2);
    const channels = new Float32Array(6);
    fromColors(colors, channels);
    const again = new Float32Array(6);
    toColors(channels, again);
    for (const [i, value] of colors.entries()) expect(again[i]).toBeCloseTo(value, 5);
  });
});

/** <W x, y> = <x, W' y>, with what W adds to nothing taken off. */
function expectTransposed(warp: Warp): void {
  const [inside, outside] = [warp.from, warp.to].map(({ height, width }) => 2 * height * width) as [
    number,
    number,
  ];
  const [x, y] = [normal(inside), normal(outside)];
  const apply = (source: Float32Array) => {
    const target = new Float32Array(outside).fill(9);
    warp.apply(source, target, 2);
    return target;
  };
  const added = apply(new Float32Array(inside));
  const linear = apply(x).map((value, i) => value - added[i]!);
  const back = new Float32Array(inside).fill(9);
  warp.pullBack(y, back, 2);
  const scale = Math.sqrt(dot(linear, linear) * dot(y, y)) + 1;
  expect(Math.abs(dot(linear, y) - dot(x, back))).toBeLessThan(1e-5 * scale);
}

describe('transforms', () => {
  it('have exact transposes', () => {
    fc.assert(
      fc.property(side, side, side, side, fc.integer({ min: -4, max: 4 }), (h, w, h2, w2, shift) => {
        const [from, to] = [
          { height: h, width: w },
          { height: h2, width: w2 },
        ];
        expectTransposed(windowWarp(from, to, [shift, -shift], 0.5));
        expectTransposed(scaleWarp(from, to, true));
        expectTransposed(scaleWarp(from, to, false));
        expectTransposed(rotateWarp(from, shift));
      }),
      { seed: 3, numRuns: 60 },
    );
  });

  it('one after the other have the size that Lucid gives them', () => {
    let size = { height: 128, width: 128 };
    for (const transform of lucidTransforms()) {
      const warp = transform.draw(size, random, 0.5);
      expect(warp.from).toEqual(size);
      size = warp.to;
    }
    expect(size.height).toBeGreaterThanOrEqual(Math.floor(144 * 0.9) - 4);
    expect(size.height).toBeLessThanOrEqual(Math.floor(144 * 1.1) - 4);
  });

  it('pad by grey, take windows inside, keep the corners or the edges', () => {
    const size = { height: 2, width: 2 };
    const run = (warp: Warp, source: readonly number[]) => {
      const target = new Float32Array(warp.to.height * warp.to.width);
      warp.apply(Float32Array.from(source), target, 1);
      return [...target];
    };
    expect(run(pad(1).draw(size, random, 0.5), [1, 2, 3, 4])).toEqual([
      ...[0.5, 0.5, 0.5, 0.5],
      ...[0.5, 1, 2, 0.5],
      ...[0.5, 3, 4, 0.5],
      ...[0.5, 0.5, 0.5, 0.5],
    ]);
    expect([1, 2, 3, 4]).toContain(run(jitter(1).draw(size, random, 0), [1, 2, 3, 4])[0]);
    const wide = { height: 2, width: 3 };
    expect(run(scaleWarp(size, wide, true), [0, 1, 2, 3])).toEqual([0, 0.5, 1, 2, 2.5, 3]);
    expect(run(scaleWarp({ height: 1, width: 2 }, { height: 1, width: 4 }, false), [0, 1])).toEqual([
      0, 0.25, 0.75, 1,
    ]);
    expect(run(rotate([0]).draw(size, random, 0), [1, 2, 3, 4])).toEqual([1, 2, 3, 4]);
    const turned = run(rotate([90]).draw(size, random, 0), [1, 2, 3, 4]);
    expect(turned.map(Math.round)).not.toEqual([1, 2, 3, 4]);
    expect(turned.map(Math.round).sort()).toEqual([1, 2, 3, 4]);
    expect(scale([0.5]).draw({ height: 5, width: 5 }, random, 0).to).toEqual({ height: 2, width: 2 });
    expect(() => jitter(2).draw(size, random, 0)).toThrow(/cannot lose 2 pixels/);
  });
});

function stateOf(count = 2, height = 4, width = 5): CanvasState {
  const length = count * 3 * height * width;
  return { canvas: normal(length), gradient: normal(length), count, channels: 3, height, width, grey: 0.25 };
}

/** What a penalty adds to a gradient of zeros. */
function penaltyGradient(regulariser: Regulariser, state: CanvasState): Float32Array {
  const gradient = new Float32Array(state.canvas.length);
  regulariser.penalise!({ ...state, gradient });
  return gradient;
}

describe('penalties are what finite differences of their formulas are', () => {
  const state = stateOf();
  const { canvas, height, width, grey } = state;
  const variation = (x: ArrayLike<number>) => {
    let sum = 0;
    for (let i = 0; i < x.length; i++) {
      const [row, column] = [Math.floor(i / width) % height, i % width];
      if (column + 1 < width) sum += Math.abs(x[i + 1]! - x[i]!);
      if (row + 1 < height) sum += Math.abs(x[i + width]! - x[i]!);
    }
    return sum;
  };
  const sumOf = (term: (value: number) => number) => (x: ArrayLike<number>) =>
    Array.from(x).reduce((sum, value) => sum + term(value - grey), 0);
  const formulas: readonly (readonly [Regulariser, (x: ArrayLike<number>) => number])[] = [
    [l2Penalty(0.7), (x) => 0.7 * sumOf((v) => v * v)(x)],
    [l1Penalty(0.7), (x) => 0.7 * sumOf(Math.abs)(x)],
    [totalVariation(0.7), (x) => 0.7 * variation(x)],
  ];
  it.each(formulas)('$name', (regulariser, formula) => {
    const gradient = penaltyGradient(regulariser, state);
    for (const i of canvas.keys()) {
      const at = (shift: number) => formula(Float64Array.from(canvas, (v, j) => (j === i ? v + shift : v)));
      expect(-gradient[i]!).toBeCloseTo((at(1e-5) - at(-1e-5)) / 2e-5, 4);
    }
  });

  it('the blur penalty draws to the weighted mean around', () => {
    const peak = { ...stateOf(1, 3, 3), canvas: new Float32Array(27), channels: 3 };
    peak.canvas[4] = 1;
    const gradient = penaltyGradient(blurPenalty(1), peak);
    expect(gradient[4]).toBeCloseTo(-(1 - 1 / 5), 6);
    // A corner's mean is over four pixels: 1 of its own, 1/2 of three.
    expect(gradient[0]).toBeCloseTo(0.5 / 2.5, 6);
    expect(gradient[9]).toBe(0);
  });
});

describe('mends', () => {
  it('decay to grey', () => {
    const state = stateOf();
    const before = state.canvas.slice();
    decay(0.3).mend!(state, 1);
    for (const [i, value] of before.entries())
      expect(state.canvas[i]).toBeCloseTo(0.25 + 0.7 * (value - 0.25), 6);
  });

  it('blur every so many steps, keeping the sum of a plane', () => {
    const state = stateOf();
    const before = state.canvas.slice();
    const blur = gaussianBlur(0.8, 4);
    blur.mend!(state, 3);
    expect(state.canvas).toEqual(before);
    blur.mend!(state, 4);
    const plane = (canvas: Float32Array, i: number) => canvas.subarray(i * 20, i * 20 + 20);
    const spread = (x: Float32Array) => dot(x, x) - dot(x, new Float32Array(20).fill(1)) ** 2 / 20;
    for (let i = 0; i < 6; i++) {
      const [was, is] = [plane(before, i), plane(state.canvas, i)];
      expect(dot(is, new Float32Array(20).fill(1))).toBeCloseTo(dot(was, new Float32Array(20).fill(1)), 4);
      expect(spread(is)).toBeLessThan(spread(was));
    }
    const flat = { ...state, canvas: new Float32Array(120).fill(3) };
    blur.mend!(flat, 8);
    for (const value of flat.canvas) expect(value).toBeCloseTo(3, 5);
    expect(() => gaussianBlur(0, 4)).toThrow(/is none/);
  });

  it.each([
    [clipSmallNorm(50), (s: CanvasState, i: number) => (s.canvas[i]! - s.grey) ** 2],
    [
      clipSmallContribution(50),
      (s: CanvasState, i: number) => Math.abs((s.canvas[i]! - s.grey) * s.gradient[i]!),
    ],
  ] as const)('%# set half of the pixels of each sample to grey, the least ones', (regulariser, worth) => {
    const state = stateOf();
    const before = { ...state, canvas: state.canvas.slice() };
    regulariser.mend!(state, 1);
    for (let sample = 0; sample < 2; sample++) {
      const worths = Array.from({ length: 20 }, (_, pixel) =>
        [0, 1, 2].reduce((sum, c) => sum + worth(before, (sample * 3 + c) * 20 + pixel), 0),
      );
      const median = worths.toSorted((a, b) => a - b);
      for (const [pixel, value] of worths.entries()) {
        for (let c = 0; c < 3; c++) {
          const i = (sample * 3 + c) * 20 + pixel;
          expect(state.canvas[i]).toBe(value <= median[9]! ? 0.25 : before.canvas[i]);
        }
      }
    }
    expect(() => clipSmallNorm(100)).toThrow(/percentile/);
  });
});

describe('optimisers', () => {
  it('take steps of each sample by itself', () => {
    const step = (optimiser: ReturnType<typeof gradientAscent>) => {
      const parameters = Float32Array.of(1, 2, 3, 4);
      optimiser.start(2)(parameters, Float32Array.of(3, 4, 0, 0.5));
      return [...parameters];
    };
    expect(step(gradientAscent(2))).toEqual([7, 10, 3, 5]);
    const normalised = step(normalisedAscent(10));
    for (const [i, value] of [7, 10, 3, 14].entries()) expect(normalised[i]).toBeCloseTo(value, 5);
    const progress = step(progressAscent(5, 2));
    for (const [i, value] of [1.6, 2.8, 3, 5].entries()) expect(progress[i]).toBeCloseTo(value, 5);
  });

  it('Adam climbs by its rate at first, whatever the gradient', () => {
    const parameters = Float32Array.of(0, 0, 0);
    adam(0.05).start(1)(parameters, Float32Array.of(1e-3, -40, 0));
    for (const [i, value] of [0.05, -0.05, 0].entries()) expect(parameters[i]).toBeCloseTo(value, 4);
  });
});
