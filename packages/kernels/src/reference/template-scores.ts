import type { MiParams } from '../kernel-arguments.js';

/** T_ij, template n^2 being the negative one, straight from the definition. */
export function templateHeight({ size, tau, beta }: MiParams, template: number, cell: number): number {
  if (template === size * size) return -tau;
  const rows = Math.abs(Math.floor(cell / size) - Math.floor(template / size));
  const columns = Math.abs((cell % size) - (template % size));
  return tau * Math.max(1 - (beta * (rows + columns)) / size, -1);
}

/** sum_ij x_ij T_ij of every map and template, `[batch, channels, n^2 + 1]`, in float64. */
export function templateScoresReference(params: MiParams, x: ArrayLike<number>): Float64Array {
  const cells = params.size ** 2;
  const templates = cells + 1;
  const scores = new Float64Array(params.batch * params.channels * templates);
  for (let template = 0; template < templates; template++) {
    const heights = Array.from({ length: cells }, (_, cell) => templateHeight(params, template, cell));
    for (let map = 0; map < params.batch * params.channels; map++) {
      let sum = 0;
      let isWhole = true;
      for (let cell = 0; cell < cells; cell++) {
        const value = x[map * cells + cell]!;
        sum += value * heights[cell]!;
        isWhole &&= Number.isFinite(value);
      }
      scores[map * templates + template] = isWhole ? sum : Number.NaN;
    }
  }
  return scores;
}
