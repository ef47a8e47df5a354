import { centralDifference, evaluate } from '@unitscope/onnx';
import type { StandaloneParameters } from '../../src/index.js';
import { referenceNoise } from './noise-reference.js';
import { SIDE, smallNetwork } from './small-network.js';

// The methods on one picture of the small network in doubles, from their definitions and those of the operators.

const network = smallNetwork();
const LOGITS = network.nodes.at(-2)!.outputs[0]!;
/** The last convolution. */
export const CAM = 'last';
export const PIXELS = 2 * SIDE * SIDE;

type Values = Float64Array;
type Reference = (x: Values, target: number, parameters: Partial<StandaloneParameters>) => Values;

export function scoreOf(picture: Values, target: number): number {
  const feeds = { picture: { dims: [1, 2, SIDE, SIDE], data: picture } };
  return evaluate(network, feeds, { outputs: [LOGITS] }).get(LOGITS)!.data[target]!;
}

function differences(f: (x: Values) => number, x: Values): Values {
  return centralDifference(
    f,
    x,
    1e-6,
    Array.from({ length: x.length }, (_, i) => i),
  );
}

const gradientAt: Reference = (picture, target) => differences((x) => scoreOf(x, target), picture);

function gradCamOf(picture: Values, target: number): Values {
  const cam = network.nodes.find(({ name }) => name === CAM)!.outputs[0]!;
  const feed = { dims: [1, 2, SIDE, SIDE], data: picture };
  const { dims, data } = evaluate(network, { picture: feed }, { outputs: [cam] }).get(cam)!;
  const [, channels = 0, height = 0, width = 0] = dims;
  const scoreAt = (x: Values) =>
    evaluate(network, { picture: feed, [cam]: { dims, data: x } }, { outputs: [LOGITS] }).get(LOGITS)!.data[
      target
    ]!;
  const gradient = differences(scoreAt, data);
  const plane = height * width;
  const map = Float64Array.from({ length: plane }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < channels; k++) {
      const weight = gradient.subarray(k * plane, (k + 1) * plane).reduce((total, g) => total + g, 0) / plane;
      sum += weight * data[k * plane + i]!;
    }
    return Math.max(0, sum);
  });
  // Bilinear between the centres of the cells, the nearest cell beyond the outermost ones.
  const place = (i: number, size: number) => {
    const at = Math.min(size - 1, Math.max(0, ((i + 0.5) * size) / SIDE - 0.5));
    return [Math.floor(at), Math.min(size - 1, Math.floor(at) + 1), at - Math.floor(at)] as const;
  };
  return Float64Array.from({ length: SIDE * SIDE }, (_, i) => {
    const [top, bottom, down] = place(Math.floor(i / SIDE), height);
    const [left, right, along] = place(i % SIDE, width);
    const row = (y: number) => map[y * width + left]! * (1 - along) + map[y * width + right]! * along;
    return row(top) * (1 - down) + row(bottom) * down;
  });
}

function smoothed(power: number): Reference {
  return (x, target, { samples = 0, seed = 0, noise = 0 }) => {
    const deviation = noise * (Math.max(...x) - Math.min(...x));
    const sum = new Float64Array(x.length);
    for (let i = 0; i < samples; i++) {
      const drawn = referenceNoise(seed, i, x.length);
      const noisy = x.map((value, p) => value + deviation * drawn[p]!);
      for (const [p, g] of gradientAt(noisy, target, {}).entries()) sum[p]! += g ** power / samples;
    }
    return sum;
  };
}

/** Nodes and weights of two-point Gauss-Legendre on [0, 1], as every textbook has them. */
const [NEAR, FAR] = [0.5 - Math.sqrt(3) / 6, 0.5 + Math.sqrt(3) / 6];

export const references: Readonly<Record<string, Reference>> = {
  gradient: gradientAt,
  'saliency-map': (x, target) => {
    const gradient = gradientAt(x, target, {});
    const plane = SIDE * SIDE;
    return gradient.subarray(0, plane).map((g, i) => Math.max(Math.abs(g), Math.abs(gradient[plane + i]!)));
  },
  'input-times-gradient': (x, target) => gradientAt(x, target, {}).map((g, i) => g * x[i]!),
  'grad-cam': gradCamOf,
  smoothgrad: smoothed(1),
  'smoothgrad-squared': smoothed(2),
  // Of two steps.
  'integrated-gradients': (x, target, { baseline = 0 }) => {
    const plane = SIDE * SIDE;
    const from = x.map((_, p) =>
      typeof baseline === 'number' ? baseline : baseline[Math.floor(p / plane)]!,
    );
    const at = (a: number) =>
      gradientAt(
        x.map((value, p) => from[p]! + a * (value - from[p]!)),
        target,
        {},
      );
    const [near, far] = [at(NEAR), at(FAR)];
    return x.map((value, p) => ((value - from[p]!) * (near[p]! + far[p]!)) / 2);
  },
};
