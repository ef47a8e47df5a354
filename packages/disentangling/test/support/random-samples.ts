import { Random } from '@unitscope/tensor';
import { normalizeSamples, type TreeSamples } from '../../src/index.js';

/** Pictures with activations from 0 up, the positive ones first, whose scores are mostly positive there. */
export function randomSamples(
  shape: { positives: number; negatives: number; filters: number; seed: number },
  gradients?: Float64Array,
): TreeSamples {
  const { positives, negatives, filters, seed } = shape;
  const random = new Random(seed);
  const count = positives + negatives;
  const x = Float64Array.from({ length: count * filters }, () => 2 * random.uniform());
  const g = Float64Array.from({ length: count * filters }, (_, i) => gradients?.[i] ?? 0.2 + random.normal());
  const y = Float64Array.from({ length: count }, (_, n) =>
    n < positives ? 2 + random.uniform() : -random.uniform(),
  );
  return normalizeSamples({
    filters,
    x,
    g,
    y,
    positive: Array.from(y, (_, n) => n < positives),
    scales: new Float64Array(filters).fill(1),
  });
}
