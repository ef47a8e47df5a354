/**
 * T_mu at a cell, straight from the definition, in float64, and the sum of |terms| it is made of, for bounds on rounding.
 */
export function templateValue(
  { size, height }: { readonly size: number; readonly height: number },
  beta: number,
  mu: number,
  cell: number,
): { value: number; magnitude: number } {
  const rows = Math.abs(Math.floor(cell / size) - Math.floor(mu / size));
  const columns = Math.abs((cell % size) - (mu % size));
  const fall = (beta * (rows + columns)) / size;
  return { value: height * Math.max(1 - fall, -1), magnitude: height * (1 + fall) };
}
