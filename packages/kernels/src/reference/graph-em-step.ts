import type { KernelArguments } from '../kernel-arguments.js';
import type { OnHost } from '../storage.js';

type Inputs = Omit<OnHost<KernelArguments['graphEmStep']>, 'sums' | 'position' | 'score' | 'tauOfImage'>;

const CANDIDATES = 6;
const ALL = CANDIDATES ** 2;

/** N(c; deviation) of a squared distance. */
function density(squared: number, deviation: number): number {
  return Math.exp(-squared / (2 * deviation ** 2)) / (Math.sqrt(2 * Math.PI) * deviation);
}

/** The middle of bin `candidate` of [-radius, radius]. */
const offsetOf = (radius: number, candidate: number): number => (radius * (2 * candidate - 5)) / 6;

export function graphRadius(range: number, sigma: number): number {
  return Math.floor(Math.min(range, 3 * sigma) + 0.5);
}

/** The bin of [-radius, radius] that holds t / 6, on an edge the lower one; undefined beyond the outermost middles. */
function binOf(t: number, radius: number): number | undefined {
  if (!(Math.abs(t) <= 5 * radius)) return undefined;
  let bin = 0;
  for (let edge = -2; edge <= 2; edge++) if (t > 2 * radius * edge) bin++;
  return bin;
}

/** K of every candidate and cell of a window, `[36, (2 radius + 1)^2]`. */
function smoothingKernel(radius: number, smoothing: number): Float64Array {
  const side = 2 * radius + 1;
  return Float64Array.from({ length: ALL * side ** 2 }, (_, at) => {
    const [c, cell] = [Math.floor(at / side ** 2), at % side ** 2];
    const down = offsetOf(radius, Math.floor(c / CANDIDATES)) - (Math.floor(cell / side) - radius);
    const across = offsetOf(radius, c % CANDIDATES) - ((cell % side) - radius);
    return density(Math.min(down ** 2 + across ** 2, 9 * smoothing ** 2), smoothing);
  });
}

/**
 * The sums of the images (from 0), positions, scores and tau by their definition. `magnitude` is of each sum the sum of the
 * sizes of its terms; `products` is prob E of every image, node and candidate.
 */
export function graphEmStepReference(inputs: Inputs) {
  const { images, channels, height, width, nodes, range, smoothing, x, coord, sigma, priorSigma } = inputs;
  const total = channels * nodes;
  const sums = new Float64Array(total * 5);
  const magnitude = new Float64Array(total * 5);
  const products = new Float64Array(images * total * ALL);
  const position = new Float64Array(images * total * 2);
  const score = new Float64Array(images * total);
  const tauOfImage = new Float64Array(images);
  const radii = Array.from(sigma, (value) => graphRadius(range, value));
  const kernels = new Map([...new Set(radii)].map((radius) => [radius, smoothingKernel(radius, smoothing)]));

  const smoothed = (map: Float32Array, centre: readonly [number, number], radius: number, c: number) => {
    const side = 2 * radius + 1;
    const kernel = kernels.get(radius)!;
    const [top, left] = [Math.floor(centre[0] + 0.5) - radius, Math.floor(centre[1] + 0.5) - radius];
    let sum = 0;
    for (let i = 0; i < side; i++) {
      for (let j = 0; j < side; j++) {
        const [row, column] = [top + i, left + j];
        if (!(row >= 0 && row < height && column >= 0 && column < width)) continue;
        sum += kernel[(c * side + i) * side + j]! * Math.max(map[row * width + column]!, 0);
      }
    }
    return sum;
  };

  for (let image = 0; image < images; image++) {
    const centres = Array.from({ length: total }, (_, n): [number, number] => {
      const at = 2 * (image * total + n);
      const shift = (axis: number) => (inputs.withPriors === 0 ? 0 : inputs.priorOffset[at + axis]!);
      return [coord[2 * n]! + shift(0), coord[2 * n + 1]! + shift(1)];
    });
    const probs = Array.from({ length: total }, (_, n) => {
      const weight = inputs.withPriors === 0 ? 1 : inputs.priorWeight[image * total + n]!;
      const along = (candidate: number) => density(offsetOf(radii[n]!, candidate) ** 2, priorSigma[n]!);
      return Float64Array.from(
        { length: ALL },
        (_, c) => weight * along(Math.floor(c / CANDIDATES)) * along(c % CANDIDATES),
      );
    });
    const sumOfAll = probs.reduce((all, prob) => all + prob.reduce((some, value) => some + value, 0), 0);
    const tau = total === 0 ? 0 : (inputs.tau * sumOfAll) / total;
    tauOfImage[image] = tau;

    for (let n = 0; n < total; n++) {
      const channel = Math.floor(n / nodes);
      const start = (image * channels + channel) * height * width;
      const map = x.subarray(start, start + height * width);
      const [centre, radius, prob] = [centres[n]!, radii[n]!, probs[n]!];
      const seen = image * total + n;
      const variance = priorSigma[n]! ** 2;
      const all = new Float64Array(ALL).fill(tau);
      for (let other = channel * nodes; other < (channel + 1) * nodes; other++) {
        const bins = (axis: 0 | 1) =>
          Array.from({ length: CANDIDATES }, (_, candidate) => {
            const t = 6 * (centre[axis] - centres[other]![axis]) + radius * (2 * candidate - 5);
            return binOf(t, radii[other]!);
          });
        const [rows, columns] = [bins(0), bins(1)];
        for (let c = 0; c < ALL; c++) {
          const [row, column] = [rows[Math.floor(c / CANDIDATES)], columns[c % CANDIDATES]];
          if (row !== undefined && column !== undefined)
            all[c] = all[c]! + probs[other]![row * CANDIDATES + column]!;
        }
      }
      let best = 0;
      for (let c = 0; c < ALL; c++) {
        const [a, b] = [Math.floor(c / CANDIDATES), c % CANDIDATES];
        const evidence = smoothed(map, centre, radius, c);
        const responsible = (prob[c]! / Math.max(all[c]!, 1e-7)) * evidence;
        const product = prob[c]! * evidence;
        products[seen * ALL + c] = product;
        if (product > products[seen * ALL + best]!) best = c;
        const terms = [
          responsible,
          (responsible * offsetOf(radius, a)) / variance,
          (responsible * offsetOf(radius, b)) / variance,
          product,
          product * ((a - 2.5) ** 2 + (b - 2.5) ** 2),
        ];
        terms.forEach((term, i) => {
          sums[n * 5 + i] = sums[n * 5 + i]! + term;
          magnitude[n * 5 + i] = magnitude[n * 5 + i]! + Math.abs(term);
        });
      }
      position[2 * seen] = centre[0] + offsetOf(radius, Math.floor(best / CANDIDATES));
      position[2 * seen + 1] = centre[1] + offsetOf(radius, best % CANDIDATES);
      score[seen] = products[seen * ALL + best]!;
    }
  }
  return { sums, magnitude, products, position, score, tauOfImage };
}
