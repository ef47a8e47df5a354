import { type DeviceBuffer, type DeviceName, sgdStepSync, toDeviceSync } from '@unitscope/kernels';
import { timedSync } from './measure.js';

/** Two float32 are read for every element and one is written. */
const BYTES_PER_ELEMENT = 12;

// Beyond every cache a larger working set is moved no slower, only longer.
const MOST_BYTES = 2 ** 28;

/**
 * How fast a device moves what lies in its memory, by a kernel that does nothing else: the plain gradient step w -= r g,
 * which goes through two arrays in whole vectors. It takes the part that a copy has on the CPU.
 */
export class DeviceRoof {
  /** What one pass moves. */
  readonly bytes: number;
  readonly #gradient: DeviceBuffer;
  readonly #weights: DeviceBuffer;

  /** @param bytes the working set, those read and those written both counted; at most 2^28 are taken */
  constructor(backend: DeviceName, bytes: number) {
    const count = Math.max(1, Math.round(Math.min(bytes, MOST_BYTES) / BYTES_PER_ELEMENT));
    const zeros = { dims: [count], data: new Float32Array(count) };
    this.bytes = count * BYTES_PER_ELEMENT;
    this.#gradient = toDeviceSync(zeros, { backend }).data;
    this.#weights = toDeviceSync(zeros, { backend }).data;
  }

  /** Milliseconds of one pass. */
  pass(): number {
    const arrays = { gradient: this.#gradient, weights: this.#weights };
    return timedSync(() => sgdStepSync(arrays, { learningRate: 1 }));
  }

  free(): void {
    this.#gradient.free();
    this.#weights.free();
  }
}
