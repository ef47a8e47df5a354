/** A number as SVG reads it, to a thousandth: a hundredth of a pixel of the largest picture. */
export function number(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}
