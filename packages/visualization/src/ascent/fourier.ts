import { matmulSync } from '@unitscope/kernels';

export interface CanvasSize {
  readonly height: number;
  readonly width: number;
}

/** Cosines and sines of the two steps of the inverse transform, and the weight of every frequency. */
interface Basis {
  readonly frequencies: number;
  /** [2h, 2h]: the complex transform down the columns, real parts above imaginary ones. */
  readonly down: Float32Array;
  /** [frequencies, w]: what real and imaginary parts add to every column. */
  readonly real: Float32Array;
  readonly imaginary: Float32Array;
  /** [h, frequencies]: sqrt(h w) / max(f, 1 / max(h, w)) / 4. */
  readonly scale: Float32Array;
  /** What undoes the weight of column k in the transposed transform: h w' / c_k. */
  readonly undo: Float32Array;
}

/**
 * Planes as spectra whose frequencies weigh as those of natural pictures: x = irfft2(scale Z) / 4, with
 * scale = sqrt(h w) / max(f, 1 / max(h, w)), f the frequency in cycles per pixel (Olah, Mordvintsev, Schubert 2017,
 * "Feature Visualization"). A plane of odd width is that of one column more with the last one cut off, as in Lucid.
 *
 * The transform is two products of matrices, so its transpose is exact up to rounding.
 */
export class FourierPlanes {
  readonly size: CanvasSize;
  /** Numbers of one plane's spectrum: [2, h, frequencies], real parts before imaginary ones. */
  readonly length: number;
  readonly #basis: Basis;
  readonly #scaled: Float32Array;
  readonly #rows: Float32Array;

  constructor(size: CanvasSize) {
    this.size = size;
    this.#basis = basisOf(size);
    this.length = 2 * size.height * this.#basis.frequencies;
    this.#scaled = new Float32Array(this.length);
    this.#rows = new Float32Array(this.length);
  }

  /** The plane [h, w] of a spectrum. */
  render(spectrum: Float32Array, plane: Float32Array): void {
    const { height, width } = this.size;
    const { frequencies, scale, down, real, imaginary } = this.#basis;
    const half = height * frequencies;
    for (let i = 0; i < half; i++) {
      this.#scaled[i] = spectrum[i]! * scale[i]!;
      this.#scaled[half + i] = spectrum[half + i]! * scale[i]!;
    }
    matmulSync(
      { dims: [2 * height, 2 * height], data: down },
      { dims: [2 * height, frequencies], data: this.#scaled },
      { into: { c: this.#rows } },
    );
    const c = plane;
    matmulSync(
      { dims: [height, frequencies], data: this.#rows.subarray(0, half) },
      { dims: [frequencies, width], data: real },
      { into: { c } },
    );
    matmulSync(
      { dims: [height, frequencies], data: this.#rows.subarray(half) },
      { dims: [frequencies, width], data: imaginary },
      { accumulate: true, into: { c } },
    );
  }

  /** The gradient by the spectrum, from that by the plane: the transpose of `render`. */
  pullBack(gradient: Float32Array, into: Float32Array): void {
    const { scale } = this.#basis;
    this.#transpose(gradient, into);
    const half = scale.length;
    for (let i = 0; i < half; i++) {
      into[i]! *= scale[i]!;
      into[half + i]! *= scale[i]!;
    }
  }

  /** A spectrum whose plane is the given one. */
  analyse(plane: Float32Array, into: Float32Array): void {
    const { scale, undo, frequencies } = this.#basis;
    this.#transpose(plane, into);
    const half = scale.length;
    for (let i = 0; i < half; i++) {
      const weight = undo[i % frequencies]! / scale[i]!;
      into[i]! *= weight;
      into[half + i]! *= weight;
    }
  }

  #transpose(plane: Float32Array, into: Float32Array): void {
    const { height, width } = this.size;
    const { frequencies, down, real, imaginary } = this.#basis;
    const half = height * frequencies;
    const given = { dims: [height, width], data: plane };
    matmulSync(
      given,
      { dims: [frequencies, width], data: real },
      { transposeB: true, into: { c: this.#rows.subarray(0, half) } },
    );
    matmulSync(
      given,
      { dims: [frequencies, width], data: imaginary },
      { transposeB: true, into: { c: this.#rows.subarray(half) } },
    );
    matmulSync(
      { dims: [2 * height, 2 * height], data: down },
      { dims: [2 * height, frequencies], data: this.#rows },
      { transposeA: true, into: { c: into } },
    );
  }
}

/** The frequency of every element of a spectrum in cycles per pixel, [h, frequencies]. */
export function frequenciesOf({ height, width }: CanvasSize): Float64Array {
  const count = frequencyCount(width);
  const found = new Float64Array(height * count);
  for (let row = 0; row < height; row++) {
    const down = Math.min(row, height - row) / height;
    for (let column = 0; column < count; column++) {
      const across = Math.min(column, width - column) / width;
      found[row * count + column] = Math.hypot(down, across);
    }
  }
  return found;
}

function frequencyCount(width: number): number {
  return Math.floor(width / 2) + 1 + (width % 2);
}

function basisOf(size: CanvasSize): Basis {
  const { height, width } = size;
  const frequencies = frequencyCount(width);
  const whole = 2 * (frequencies - 1);
  const down = new Float32Array(4 * height * height);
  const put = (row: number, column: number, value: number) => {
    down[row * 2 * height + column] = value;
  };
  for (let row = 0; row < height; row++) {
    for (let from = 0; from < height; from++) {
      // The product is reduced first: angles of many turns lose digits.
      const angle = (2 * Math.PI * ((row * from) % height)) / height;
      const [cosine, sine] = [Math.cos(angle) / height, Math.sin(angle) / height];
      put(row, from, cosine);
      put(row, height + from, -sine);
      put(height + row, from, sine);
      put(height + row, height + from, cosine);
    }
  }
  const real = new Float32Array(frequencies * width);
  const imaginary = new Float32Array(frequencies * width);
  const undo = new Float32Array(frequencies);
  for (let k = 0; k < frequencies; k++) {
    // Every frequency stands for its mirror image too, but for the first and the last.
    const alone = k === 0 || k === frequencies - 1;
    const times = (alone ? 1 : 2) / whole;
    undo[k] = height / times;
    for (let column = 0; column < width; column++) {
      const angle = (2 * Math.PI * ((k * column) % whole)) / whole;
      real[k * width + column] = times * Math.cos(angle);
      // The imaginary part of a frequency that is its own mirror image adds nothing.
      imaginary[k * width + column] = alone ? 0 : -times * Math.sin(angle);
    }
  }
  const longest = 1 / Math.max(height, width);
  const weight = Math.sqrt(height * width) / 4;
  const scale = Float32Array.from(frequenciesOf(size), (frequency) => weight / Math.max(frequency, longest));
  return { frequencies, down, real, imaginary, scale, undo };
}
