/** Rows: red, green and blue of three directions along which the colours of natural pictures do not correlate. */
const CORRELATION = [
  [0.26, 0.09, 0.02],
  [0.27, 0, -0.05],
  [0.27, -0.09, 0.03],
] as const;

const LONGEST = Math.max(...[0, 1, 2].map((column) => Math.hypot(...CORRELATION.map((row) => row[column]!))));

/** The matrix from decorrelated channels to colours, its longest column of length 1 (Olah et al. 2017), row by row. */
export const COLOR_MATRIX: readonly number[] = CORRELATION.flat().map((value) => value / LONGEST);

const INVERSE = invert(COLOR_MATRIX);

/** Decorrelated channels, three planes, to red, green and blue in 0..1 by the matrix and the logistic function. */
export function toColors(channels: Float32Array, colors: Float32Array): void {
  mix(channels, colors, COLOR_MATRIX);
  for (let i = 0; i < colors.length; i++) colors[i] = 1 / (1 + Math.exp(-colors[i]!));
}

/**
 * The gradient by the channels from that by the colours.
 *
 * @param colors what `toColors` gave
 * @param gradient is overwritten
 */
export function pullBackColors(colors: Float32Array, gradient: Float32Array, into: Float32Array): void {
  for (let i = 0; i < colors.length; i++) gradient[i]! *= colors[i]! * (1 - colors[i]!);
  mix(gradient, into, COLOR_MATRIX, true);
}

// At 0 and 1 the logistic function has no inverse.
const NEAREST = 1 / 512;

/** The channels whose colours are the given ones, but for 0 and 1, which are taken as half a grey level off. */
export function fromColors(colors: Float32Array, channels: Float32Array): void {
  const raw = colors.map((color) => {
    const inside = Math.min(1 - NEAREST, Math.max(NEAREST, color));
    return Math.log(inside / (1 - inside));
  });
  mix(raw, channels, INVERSE);
}

function mix(from: Float32Array, into: Float32Array, matrix: readonly number[], transposed = false): void {
  const plane = from.length / 3;
  const at = (row: number, column: number) => matrix[transposed ? column * 3 + row : row * 3 + column]!;
  for (let row = 0; row < 3; row++) {
    const [first, second, third] = [at(row, 0), at(row, 1), at(row, 2)];
    for (let i = 0; i < plane; i++) {
      into[row * plane + i] = first * from[i]! + second * from[plane + i]! + third * from[2 * plane + i]!;
    }
  }
}

/** The inverse of a 3 x 3 matrix, by its cofactors. */
function invert(matrix: readonly number[]): number[] {
  const at = (row: number, column: number) => matrix[(row % 3) * 3 + (column % 3)]!;
  const cofactor = (row: number, column: number) =>
    at(row + 1, column + 1) * at(row + 2, column + 2) - at(row + 1, column + 2) * at(row + 2, column + 1);
  const determinant = [0, 1, 2].reduce((sum, column) => sum + at(0, column) * cofactor(0, column), 0);
  return Array.from({ length: 9 }, (_, i) => cofactor(i % 3, Math.floor(i / 3)) / determinant);
}
