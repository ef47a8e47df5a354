import type { Pool2dParams } from '../kernel-arguments.js';

/** A cell of a window that lies on the plane. */
export interface WindowCell {
  /** Index in the plane. */
  readonly index: number;
  /** Index in the window, padding counted: the value of a switch. */
  readonly position: number;
}

/** The cells of a window that lie on the plane, in row-major order. */
export function windowCells(params: Pool2dParams, outRow: number, outColumn: number): WindowCell[] {
  const cells: WindowCell[] = [];
  const [rows, columns] = params.kernel;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const row = outRow * params.stride[0] - params.padBegin[0] + r * params.dilation[0];
      const column = outColumn * params.stride[1] - params.padBegin[1] + c * params.dilation[1];
      if (row < 0 || row >= params.height || column < 0 || column >= params.width) continue;
      cells.push({ index: row * params.width + column, position: r * columns + c });
    }
  }
  return cells;
}

/** Calls `visit` for every window of every plane, in order, with the plane's offset and the window's own index. */
export function forEachWindow(
  params: Pool2dParams,
  visit: (cells: readonly WindowCell[], planeStart: number, window: number) => void,
): void {
  const planeSize = params.height * params.width;
  let window = 0;
  for (let plane = 0; plane < params.planes; plane++) {
    for (let outRow = 0; outRow < params.outHeight; outRow++) {
      for (let outColumn = 0; outColumn < params.outWidth; outColumn++) {
        visit(windowCells(params, outRow, outColumn), plane * planeSize, window++);
      }
    }
  }
}
