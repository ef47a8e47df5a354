/**
 * The error function 2 / sqrt(pi) * integral of exp(-t^2) from 0 to x, to a few units in the last place.
 *
 * Below 3 the series 2 / sqrt(pi) exp(-x^2) sum of 2^n x^(2n+1) / (1 * 3 * … * (2n+1)) (Abramowitz and Stegun 7.1.6),
 * all of whose terms have one sign, so that nothing cancels; above it 1 - erfc by the continued fraction 7.1.14.
 */
export function erf(x: number): number {
  if (Number.isNaN(x)) return x;
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  return a < 3 ? series(x) : Math.sign(x) * (1 - complement(a));
}

function series(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** erfc(x) = exp(-x^2) / sqrt(pi) / (x + 1/2 / (x + 1 / (x + 3/2 / (x + 2 / …)))), from the inside out. */
function complement(x: number): number {
  let denominator = x;
  for (let n = 60; n >= 1; n--) denominator = x + n / 2 / denominator;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / denominator;
}
