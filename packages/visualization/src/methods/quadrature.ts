/** Nodes and weights of a rule for the mean of a function over [0, 1]; the weights add up to 1. */
export interface Quadrature {
  readonly nodes: readonly number[];
  readonly weights: readonly number[];
}

export type QuadratureName = 'gauss-legendre' | 'midpoint';

/** The rule with so many nodes. Gauss-Legendre is exact for polynomials of degree 2n - 1, the midpoint rule for lines. */
export function quadrature(name: QuadratureName, count: number): Quadrature {
  return name === 'midpoint' ? midpoint(count) : gaussLegendre(count);
}

function midpoint(count: number): Quadrature {
  return {
    nodes: Array.from({ length: count }, (_, i) => (i + 0.5) / count),
    weights: new Array<number>(count).fill(1 / count),
  };
}

/** The roots of the Legendre polynomial by Newton's method from Tricomi's approximation, moved from [-1, 1]. */
function gaussLegendre(count: number): Quadrature {
  const pairs = Array.from({ length: count }, (_, i) => {
    let x = Math.cos((Math.PI * (i + 0.75)) / (count + 0.5));
    for (let step = 0; step < 100; step++) {
      const { value, slope } = legendre(count, x);
      const change = value / slope;
      x -= change;
      if (Math.abs(change) < 1e-15) break;
    }
    const { slope } = legendre(count, x);
    return { node: (1 + x) / 2, weight: 1 / ((1 - x * x) * slope * slope) };
  }).reverse();
  return { nodes: pairs.map(({ node }) => node), weights: pairs.map(({ weight }) => weight) };
}

/** P_n(x) and its derivative, by the three-term recurrence. */
function legendre(degree: number, x: number): { readonly value: number; readonly slope: number } {
  let [previous, value] = [1, x];
  for (let n = 2; n <= degree; n++) {
    [previous, value] = [value, ((2 * n - 1) * x * value - (n - 1) * previous) / n];
  }
  return { value, slope: (degree * (x * value - previous)) / (x * x - 1) };
}
