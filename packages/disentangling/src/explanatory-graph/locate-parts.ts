import { concatBatch, type Tensor, UnitscopeError } from '@unitscope/tensor';
import type { ExplanatoryGraph } from './graph.js';
import type { GraphParse } from './parse.js';

/** Where patterns were found in pictures: nodes of a graph, or filters at their largest activations. */
export interface Detections {
  /** `[pictures, patterns, 2]`: y and x in pixels of the input. */
  readonly position: Tensor<Float64Array>;
  /** `[pictures, patterns]` */
  readonly score: Tensor;
  /** Of each picture, 1 where its mirror image was looked at: offsets then point the other way. */
  readonly mirrored: Uint8Array;
}

/** Which patterns vote for a landmark, and where they put it. */
export interface LandmarkVotes {
  /** Patterns. */
  readonly voters: Int32Array;
  /** From each to the landmark, y and x in pixels, in pictures that are not mirrored. */
  readonly offsets: Float64Array;
  /** How much the vote of each counts per score. */
  readonly weights: Float64Array;
}

export interface PartVotes {
  readonly landmarks: readonly (LandmarkVotes | undefined)[];
}

export interface VoteOptions {
  /** Patterns that vote for a landmark. Default 50. */
  readonly voters?: number;
}

// Offsets seen in three pictures may agree by chance: none is trusted to better than this share of the diagonal.
const LEAST_SPREAD = 0.05;

/**
 * Learns from a few annotated pictures which patterns vote for each landmark, with their mean offset to it: those of the
 * largest mean score / (s^2 + (0.05 diagonal)^2), s^2 being the mean squared difference of the offset from its mean. A
 * landmark that is seen in none of the pictures has no votes. The paper gives no more than the idea; this is our reading.
 *
 * @param landmarks `[pictures, landmarks, 2]`: y and x in pixels of the input, NaN where one is not seen
 * @param input height and width of the network's input
 */
export function learnPartVotes(
  detections: Detections,
  landmarks: Tensor<Float64Array>,
  input: readonly [number, number],
  { voters = 50 }: VoteOptions = {},
): PartVotes {
  const [pictures = 0, patterns = 0] = detections.score.dims;
  const [given, count = 0] = landmarks.dims;
  if (given !== pictures || landmarks.data.length !== pictures * count * 2)
    throw new UnitscopeError(
      'bad-input',
      `landmarks must be [${pictures}, landmarks, 2], they have dims [${landmarks.dims.join(', ')}]`,
    );
  if (!Number.isSafeInteger(voters) || voters < 1)
    throw new UnitscopeError('wrong-use', `voters must be a positive integer, it is ${voters}`);
  const least = (LEAST_SPREAD * Math.hypot(...input)) ** 2;
  return {
    landmarks: Array.from({ length: count }, (_, k) => {
      const seen = Array.from({ length: pictures }, (__, picture) => picture).filter(
        (picture) => !Number.isNaN(landmarks.data[2 * (picture * count + k)]!),
      );
      if (seen.length === 0) return undefined;
      const all = Array.from({ length: patterns }, (__, pattern) => {
        const offsets = seen.map((picture) => {
          const mark = 2 * (picture * count + k);
          return offsetOf(detections, picture, pattern, landmarks.data[mark]!, landmarks.data[mark + 1]!);
        });
        const y = meanOf(offsets.map((offset) => offset[0]));
        const x = meanOf(offsets.map((offset) => offset[1]));
        const spread = meanOf(offsets.map((offset) => (offset[0] - y) ** 2 + (offset[1] - x) ** 2));
        const score = meanOf(seen.map((picture) => detections.score.data[picture * patterns + pattern]!));
        return { pattern, y, x, weight: 1 / (spread + least), score };
      });
      all.sort((a, b) => b.score * b.weight - a.score * a.weight || a.pattern - b.pattern);
      const kept = all.slice(0, voters);
      return {
        voters: Int32Array.from(kept, ({ pattern }) => pattern),
        offsets: Float64Array.from(kept.flatMap(({ y, x }) => [y, x])),
        weights: Float64Array.from(kept, ({ weight }) => weight),
      };
    }),
  };
}

/**
 * Where the landmarks are in pictures: for each the weighted median, by rows and by columns, of where its voters put it,
 * a vote counting by its score. `[pictures, landmarks, 2]` in pixels; NaN for a landmark without votes or when none of
 * the voters is there.
 */
export function locateParts({ landmarks }: PartVotes, detections: Detections): Tensor<Float64Array> {
  const [pictures = 0, patterns = 0] = detections.score.dims;
  const located = new Float64Array(pictures * landmarks.length * 2).fill(Number.NaN);
  for (let picture = 0; picture < pictures; picture++) {
    const side = detections.mirrored[picture] === 1 ? -1 : 1;
    for (const [k, votes] of landmarks.entries()) {
      if (votes === undefined) continue;
      const cast = Array.from(votes.voters, (pattern, i) => {
        const at = picture * patterns + pattern;
        return {
          y: detections.position.data[2 * at]! + votes.offsets[2 * i]!,
          x: detections.position.data[2 * at + 1]! + side * votes.offsets[2 * i + 1]!,
          weight: votes.weights[i]! * detections.score.data[at]!,
        };
      }).filter(({ weight }) => weight > 0);
      located.set(
        [
          weightedMedian(cast.map(({ y, weight }) => [y, weight])),
          weightedMedian(cast.map(({ x, weight }) => [x, weight])),
        ],
        2 * (picture * landmarks.length + k),
      );
    }
  }
  return { dims: [pictures, landmarks.length, 2], data: located };
}

/**
 * All nodes of a parse as patterns, layer after layer. Scores are in units of the layer's mean over what its nodes score
 * highest, so that layers can vote together.
 */
export function nodeDetections({ mirrored, layers }: GraphParse, graph: ExplanatoryGraph): Detections {
  const pictures = mirrored.length;
  const units = graph.layers.map(({ top }) => meanOf(Array.from(top.score.data)) || 1);
  const counts = layers.map(({ score }) => score.data.length / pictures);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const position = new Float64Array(pictures * total * 2);
  const score = new Float32Array(pictures * total);
  for (let picture = 0; picture < pictures; picture++) {
    let at = picture * total;
    for (const [i, { pixel, score: own }] of layers.entries()) {
      const count = counts[i]!;
      position.set(pixel.data.subarray(2 * picture * count, 2 * (picture + 1) * count), 2 * at);
      for (let node = 0; node < count; node++)
        score[at + node] = own.data[picture * count + node]! / units[i]!;
      at += count;
    }
  }
  return {
    position: { dims: [pictures, total, 2], data: position },
    score: { dims: [pictures, total], data: score },
    mirrored,
  };
}

/** Detections of several batches of pictures, one after the other. */
export function joinDetections(parts: readonly Detections[]): Detections {
  const positions = new Float64Array(parts.reduce((sum, { position }) => sum + position.data.length, 0));
  let at = 0;
  for (const { position } of parts) {
    positions.set(position.data, at);
    at += position.data.length;
  }
  const score = concatBatch(parts.map((part) => part.score));
  return {
    position: { dims: [...score.dims, 2], data: positions },
    score,
    mirrored: Uint8Array.from(parts.flatMap(({ mirrored }) => Array.from(mirrored))),
  };
}

function offsetOf(
  { position, mirrored, score }: Detections,
  picture: number,
  pattern: number,
  y: number,
  x: number,
): readonly [number, number] {
  const at = 2 * (picture * score.dims[1]! + pattern);
  const across = x - position.data[at + 1]!;
  return [y - position.data[at]!, mirrored[picture] === 1 ? -across : across];
}

function weightedMedian(votes: readonly (readonly [value: number, weight: number])[]): number {
  const sorted = [...votes].sort((a, b) => a[0] - b[0]);
  const half = sorted.reduce((sum, [, weight]) => sum + weight, 0) / 2;
  let sum = 0;
  for (const [value, weight] of sorted) {
    sum += weight;
    if (sum >= half) return value;
  }
  return Number.NaN;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
