import type { TensorData } from '@unitscope/tensor';

type DataConstructor = new (buffer: ArrayBuffer, offset: number, length: number) => TensorData;

const CONSTRUCTORS: readonly DataConstructor[] = [
  Float32Array,
  Float64Array,
  Int8Array,
  Uint8Array,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  BigInt64Array,
  BigUint64Array,
];

/**
 * Buffers that travel to another thread and back. A fresh large buffer costs more in page faults than the copy into
 * it, so those that come back are kept, up to a bound, and handed out again.
 */
export class BufferPool {
  readonly #idle: ArrayBuffer[] = [];
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of the buffers that lie idle. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A copy of `data` in a buffer that may be transferred. */
  copy(data: TensorData): TensorData {
    const buffer = this.#take(data.byteLength);
    new Uint8Array(buffer, 0, data.byteLength).set(
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    );
    const create = CONSTRUCTORS.find((candidate) => data instanceof candidate)!;
    return new create(buffer, 0, data.length);
  }

  /** Takes a buffer back; the oldest go when there are too many. */
  give(buffer: ArrayBuffer): void {
    if (buffer.byteLength > this.#maxBytes) return;
    this.#idle.push(buffer);
    this.#bytes += buffer.byteLength;
    while (this.#bytes > this.#maxBytes) this.#bytes -= this.#idle.shift()!.byteLength;
  }

  clear(): void {
    this.#idle.length = 0;
    this.#bytes = 0;
  }

  #take(byteLength: number): ArrayBuffer {
    // Batches have one size as a rule: only an exact fit is reused, so that no buffer is mostly empty.
    const index = this.#idle.findIndex((buffer) => buffer.byteLength === byteLength);
    if (index < 0) return new ArrayBuffer(byteLength);
    const [buffer] = this.#idle.splice(index, 1);
    this.#bytes -= byteLength;
    return buffer!;
  }
}
