import type { Random } from '@unitscope/tensor';
import type { CanvasSize } from './fourier.js';
import type { Parametrisation } from './parametrisation.js';
import { type PictureScale, pullBackInput, toInput } from './picture-scale.js';
import type { Transform } from './transforms.js';
import { scaleWarp, type Warp } from './warp.js';

/**
 * The way from the canvas to the network's input: random transforms, bilinear scaling with the corners kept in place
 * where sizes differ, normalisation. Buffers are kept from step to step; an empty way copies nothing.
 */
export class InputPath {
  readonly #canvasSize: CanvasSize;
  readonly #inputSize: CanvasSize;
  readonly #planes: number;
  readonly #scale: PictureScale | undefined;
  readonly #grey: number;
  readonly #buffers: Float32Array[] = [];
  readonly #fits = new Map<string, Warp>();
  #warps: readonly Warp[] = [];

  constructor(
    { space, grey }: Parametrisation,
    sizes: { readonly canvas: CanvasSize; readonly input: CanvasSize },
    planes: number,
    scale: PictureScale,
  ) {
    this.#canvasSize = sizes.canvas;
    this.#inputSize = sizes.input;
    this.#planes = planes;
    this.#scale = space === 'picture' ? scale : undefined;
    this.#grey = grey;
  }

  /** The input of a canvas, under transforms that are drawn now. It stays as it is until the next call. */
  forward(canvas: Float32Array, transforms: readonly Transform[], random: Random): Float32Array {
    let size = this.#canvasSize;
    const warps: Warp[] = [];
    for (const transform of transforms) {
      const warp = transform.draw(size, random, this.#grey);
      warps.push(warp);
      size = warp.to;
    }
    if (size.height !== this.#inputSize.height || size.width !== this.#inputSize.width) {
      warps.push(this.#fit(size));
    }
    this.#warps = warps;
    let planes = canvas;
    for (const [i, warp] of warps.entries()) {
      const target = this.#buffer(i, warp.to);
      warp.apply(planes, target, this.#planes);
      planes = target;
    }
    if (this.#scale === undefined) return planes;
    const input = this.#buffer(warps.length, this.#inputSize);
    toInput(planes, input, this.#scale, this.#inputSize.height * this.#inputSize.width);
    return input;
  }

  /** The gradient by the canvas of the last call of `forward`. `gradient` may be overwritten. */
  backward(gradient: Float32Array, into: Float32Array): void {
    const plane = this.#inputSize.height * this.#inputSize.width;
    const warps = this.#warps;
    let planes = gradient;
    if (this.#scale !== undefined) {
      // The pictures themselves are not needed any more.
      planes = warps.length === 0 ? into : this.#buffer(warps.length, this.#inputSize);
      pullBackInput(gradient, planes, this.#scale, plane);
    }
    for (let i = warps.length - 1; i >= 0; i--) {
      const target = i === 0 ? into : this.#buffer(i - 1, warps[i]!.from);
      warps[i]!.pullBack(planes, target, this.#planes);
      planes = target;
    }
    if (planes !== into) into.set(planes);
  }

  #fit(size: CanvasSize): Warp {
    const key = `${size.height}x${size.width}`;
    const known = this.#fits.get(key) ?? scaleWarp(size, this.#inputSize, true);
    this.#fits.set(key, known);
    return known;
  }

  #buffer(stage: number, { height, width }: CanvasSize): Float32Array {
    const length = this.#planes * height * width;
    const known = this.#buffers[stage];
    const buffer = known !== undefined && known.length >= length ? known : new Float32Array(length);
    this.#buffers[stage] = buffer;
    return buffer.length === length ? buffer : buffer.subarray(0, length);
  }
}
