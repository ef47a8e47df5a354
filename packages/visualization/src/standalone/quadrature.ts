/** Nodes and weights of a rule of integration over [0, 1]: ∫f ≈ Σ weights[i]·f(nodes[i]). */
export interface Quadrature {
  readonly nodes: readonly number[];
  readonly weights: readonly number[];
}

/**
 * The rule of Gauss and Legendre with `count` nodes, ascending: exact for polynomials up to degree 2·count - 1. Nodes are
 * the roots of the Legendre polynomial by Newton's method, weights 2/((1-x²)·P'(x)²) on [-1, 1].
 */
export function gaussLegendre(count: number): Quadrature {
  const nodes = new Array<number>(count);
  const weights = new Array<number>(count);
  for (let i = 0; i < count; i++) {
    // Tricomi's start is within reach of the root i for every count.
    let x = -Math.cos((Math.PI * (i + 0.75)) / (count + 0.5));
    let slope = 1;
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const legendre = legendreAt(count, x);
      slope = legendre.slope;
      const step = legendre.value / slope;
      x -= step;
      if (Math.abs(step) < 1e-16) break;
    }
    slope = legendreAt(count, x).slope;
    nodes[i] = (x + 1) / 2;
    weights[i] = 1 / ((1 - x * x) * slope * slope);
  }
  return { nodes, weights };
}

const MOST_ROUNDS = 20;

/** P_n(x) by Bonnet's recursion, and P_n'(x) = n·(x·P_n - P_{n-1})/(x²-1). */
function legendreAt(degree: number, x: number): { value: number; slope: number } {
  let [before, value] = [1, x];
  for (let n = 2; n <= degree; n++) {
    [before, value] = [value, ((2 * n - 1) * x * value - (n - 1) * before) / n];
  }
  return { value, slope: (degree * (x * value - before)) / (x * x - 1) };
}
