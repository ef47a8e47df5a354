import type { CanvasSize } from './fourier.js';

/**
 * A linear map of planes to planes of another size: every pixel is a weighted sum of four, or of what lies outside.
 * Its transpose is exact: the same weights, scattered.
 */
export interface Warp {
  readonly from: CanvasSize;
  readonly to: CanvasSize;
  /** One after the other, `planes` of them. */
  apply(source: Float32Array, target: Float32Array, planes: number): void;
  /** The transpose: `gradient` has the size of `to`, `into` that of `from`, which is overwritten. */
  pullBack(gradient: Float32Array, into: Float32Array, planes: number): void;
}

/** A window of the plane with its corner at (top, left); `fill` where it reaches outside. */
export function windowWarp(
  from: CanvasSize,
  to: CanvasSize,
  [top, left]: readonly [number, number],
  fill = 0,
): Warp {
  const [firstRow, firstColumn] = [Math.max(0, -top), Math.max(0, -left)];
  const endRow = Math.min(to.height, from.height - top);
  const count = Math.min(to.width, from.width - left) - firstColumn;
  const [fromSize, toSize] = [from.height * from.width, to.height * to.width];
  const rows = (planes: number, move: (inside: number, outside: number) => void) => {
    if (count <= 0) return;
    for (let plane = 0; plane < planes; plane++) {
      for (let row = firstRow; row < endRow; row++) {
        move(
          plane * fromSize + (row + top) * from.width + firstColumn + left,
          plane * toSize + row * to.width + firstColumn,
        );
      }
    }
  };
  return {
    ...{ from, to },
    apply(source, target, planes) {
      if (firstRow > 0 || firstColumn > 0 || endRow < to.height || count < to.width) target.fill(fill);
      rows(planes, (a, b) => target.set(source.subarray(a, a + count), b));
    },
    pullBack(gradient, into, planes) {
      into.fill(0);
      rows(planes, (a, b) => into.set(gradient.subarray(b, b + count), a));
    },
  };
}

/**
 * Bilinear sampling at points of the plane; outside it is zero.
 *
 * @param point row and column to read for a row and column of the result
 */
function samplingWarp(
  from: CanvasSize,
  to: CanvasSize,
  point: (row: number, column: number, into: [number, number]) => void,
): Warp {
  const size = to.height * to.width;
  const index = new Int32Array(4 * size);
  const weight = new Float32Array(4 * size);
  const at: [number, number] = [0, 0];
  for (let row = 0, i = 0; row < to.height; row++) {
    for (let column = 0; column < to.width; column++) {
      point(row, column, at);
      const [y, x] = at;
      const [top, left] = [Math.floor(y), Math.floor(x)];
      for (let tap = 0; tap < 4; tap++, i++) {
        const [sourceRow, sourceColumn] = [top + (tap >> 1), left + (tap & 1)];
        const inside =
          sourceRow >= 0 && sourceRow < from.height && sourceColumn >= 0 && sourceColumn < from.width;
        if (!inside) continue;
        index[i] = sourceRow * from.width + sourceColumn;
        weight[i] = (1 - Math.abs(y - sourceRow)) * (1 - Math.abs(x - sourceColumn));
      }
    }
  }
  const fromSize = from.height * from.width;
  return {
    ...{ from, to },
    apply(source, target, planes) {
      for (let plane = 0; plane < planes; plane++) {
        const shift = plane * fromSize;
        for (let i = 0, tap = 0; i < size; i++, tap += 4) {
          target[plane * size + i] =
            weight[tap]! * source[shift + index[tap]!]! +
            weight[tap + 1]! * source[shift + index[tap + 1]!]! +
            weight[tap + 2]! * source[shift + index[tap + 2]!]! +
            weight[tap + 3]! * source[shift + index[tap + 3]!]!;
        }
      }
    },
    pullBack(gradient, into, planes) {
      into.fill(0);
      for (let plane = 0; plane < planes; plane++) {
        const shift = plane * fromSize;
        for (let i = 0, tap = 0; i < size; i++) {
          const value = gradient[plane * size + i]!;
          for (const end = tap + 4; tap < end; tap++) into[shift + index[tap]!]! += weight[tap]! * value;
        }
      }
    },
  };
}

/**
 * Bilinear scaling.
 *
 * @param corners whether the corner pixels of both stay where they are (`align_corners`), else the edges
 */
export function scaleWarp(from: CanvasSize, to: CanvasSize, corners: boolean): Warp {
  const axis = (inside: number, outside: number) => {
    const ratio = corners ? (inside - 1) / Math.max(1, outside - 1) : inside / outside;
    const shift = corners ? 0 : ratio / 2 - 0.5;
    // Beyond the outermost centres the outermost pixels go on.
    return (i: number) => Math.min(inside - 1, Math.max(0, i * ratio + shift));
  };
  const down = axis(from.height, to.height);
  const across = axis(from.width, to.width);
  return samplingWarp(from, to, (row, column, into) => {
    into[0] = down(row);
    into[1] = across(column);
  });
}

/** A turn about the middle by an angle in radians; what comes in from outside is zero. */
export function rotateWarp(size: CanvasSize, angle: number): Warp {
  const [middleRow, middleColumn] = [(size.height - 1) / 2, (size.width - 1) / 2];
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
  return samplingWarp(size, size, (row, column, into) => {
    const [y, x] = [row - middleRow, column - middleColumn];
    into[0] = middleRow + sine * x + cosine * y;
    into[1] = middleColumn + cosine * x - sine * y;
  });
}
