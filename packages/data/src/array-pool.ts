// As many as are under way between a reader of pictures, a network and what counts its maps.
const MOST_IDLE = 8;

/**
 * Large arrays that are used again. A fresh one costs its pages and counts towards the next run of the garbage collector
 * over the whole heap: of batches that live for some milliseconds that was measured to cost more than decoding them.
 */
export class ArrayPool {
  readonly #idle: ArrayBufferLike[] = [];

  /** An array with whatever was in it before. */
  float32(length: number): Float32Array {
    return new Float32Array(this.#take(length * Float32Array.BYTES_PER_ELEMENT));
  }

  /** An array with whatever was in it before. */
  int32(length: number): Int32Array {
    return new Int32Array(this.#take(length * Int32Array.BYTES_PER_ELEMENT));
  }

  /** Takes arrays back, which nobody may use any more, nor others over the same memory. */
  give(...arrays: readonly (Float32Array | Int32Array)[]): void {
    for (const { buffer } of arrays) if (buffer.byteLength > 0) this.#idle.push(buffer);
    this.#idle.splice(0, Math.max(0, this.#idle.length - MOST_IDLE));
  }

  #take(bytes: number): ArrayBufferLike {
    // Batches have one size as a rule; a larger buffer would only be lent in part.
    const place = this.#idle.findIndex(({ byteLength }) => byteLength === bytes);
    return place === -1 ? new ArrayBuffer(bytes) : this.#idle.splice(place, 1)[0]!;
  }
}
