import { sizeOf, type Tensor, UnitscopeError, unknownName } from '@unitscope/tensor';
import { type DeviceHandle, loadAddon } from './addon.js';
import { asUnitscopeError } from './native-error.js';

/** The back ends that have memory. That of `cpu` is host memory outside JavaScript's heap. */
export type DeviceName = 'cpu' | 'cuda';

/** In the order of the addon. */
export const DEVICE_NAMES = ['cpu', 'cuda'] as const satisfies DeviceName[];

/** The element types that kernels take. */
export type DeviceData = Float32Array | Float64Array | Uint8Array | Int32Array | BigInt64Array;

/** The constructor of a typed array. */
export interface ArrayType<D extends DeviceData> {
  readonly name: string;
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): D;
}

const ARRAY_TYPES: readonly ArrayType<DeviceData>[] = [
  Float32Array,
  Float64Array,
  Uint8Array,
  Int32Array,
  BigInt64Array,
];

/**
 * An array in the memory of a back end, which kernels take where they take a typed array, and which stays there between
 * calls.
 *
 * A call runs on the back end of its buffers and leaves its results where its first tensor lies; further inputs may be typed
 * arrays, which are copied to the device for the call. A call that has settled is done on the device too. What CUDA kernels
 * read from its own memory is not checked before: a switch, label or place out of range has no effect, and nothing outside
 * the buffers is touched. As with typed arrays, what a running call reads must not be written to.
 *
 * The memory is freed by `free`, by `using`, or when the buffer is collected; a call that runs on it keeps it until it is
 * done. The collector knows the size of buffers of `cpu` only, so those of `cuda` are better freed than left to it.
 */
export class DeviceBuffer<D extends DeviceData = Float32Array> {
  readonly backend: DeviceName;
  readonly arrayType: ArrayType<D>;
  readonly length: number;
  /** What the addon knows the memory by. */
  readonly handle: DeviceHandle;
  #freed = false;

  /**
   * Allocates; the elements are whatever was there before. Throws `wrong-use` for a type or length that is none, and
   * `backend` where the back end does not work on this machine or has no such memory left.
   */
  constructor(backend: DeviceName, arrayType: ArrayType<D>, length: number) {
    if (!DEVICE_NAMES.includes(backend))
      throw unknownName('back end with memory', String(backend), DEVICE_NAMES, 'wrong-use');
    if (!ARRAY_TYPES.includes(arrayType)) {
      const names = ARRAY_TYPES.map(({ name }) => name);
      throw unknownName('element type', arrayType?.name ?? String(arrayType), names, 'wrong-use');
    }
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new UnitscopeError('wrong-use', `length must be a non-negative integer, it is ${length}`, {
        subject: 'length',
      });
    }
    this.backend = backend;
    this.arrayType = arrayType;
    this.length = length;
    const { memory } = loadAddon();
    try {
      this.handle = memory.allocate({
        backend: DEVICE_NAMES.indexOf(backend),
        type: arrayType.name,
        count: length,
      });
    } catch (cause) {
      throw asUnitscopeError(`a DeviceBuffer of ${length} elements on ${backend}`, cause);
    }
  }

  get byteLength(): number {
    return this.length * this.arrayType.BYTES_PER_ELEMENT;
  }

  get freed(): boolean {
    return this.#freed;
  }

  /** Frees the memory, at once or as soon as no kernel runs on it. Freeing again does nothing. */
  free(): void {
    this.#freed = true;
    loadAddon().memory.free({ memory: this });
  }

  /** As `free`, for `using`. */
  [Symbol.dispose](): void {
    this.free();
  }
}

/** Where the data of a tensor lies: in a typed array or in a DeviceBuffer. */
export type Place = 'host' | 'device';

export type ArrayIn<P extends Place, D extends DeviceData = Float32Array> = {
  readonly host: D;
  readonly device: DeviceBuffer<D>;
}[P];

/** A typed array or a DeviceBuffer of its elements. */
export type AnyArray<D extends DeviceData = Float32Array> = ArrayIn<Place, D>;

/** Where an array of this type lies. */
export type PlaceOf<S> = S extends DeviceBuffer<DeviceData> ? 'device' : 'host';

/** A dense array in C order over storage of the type `S`. */
export interface TensorOver<S> {
  readonly dims: readonly number[];
  readonly data: S;
}

export type TensorIn<P extends Place, D extends DeviceData = Float32Array> = TensorOver<ArrayIn<P, D>>;

/** A tensor whose data lies in the memory of a back end. */
export type DeviceTensor<D extends DeviceData = Float32Array> = TensorOver<DeviceBuffer<D>>;

/** A tensor wherever its data lies. */
export type AnyTensor<D extends DeviceData = Float32Array> = TensorOver<AnyArray<D>>;

export interface ToDeviceOptions<D extends DeviceData> {
  readonly backend: DeviceName;
  /** A buffer to write to instead of a new one. */
  readonly into?: DeviceBuffer<D>;
}

export interface ToHostOptions<D extends DeviceData> {
  /** An array to write to instead of a new one. */
  readonly into?: D;
}

/** Throws `bad-input` unless there are as many elements as the dims say and as are written to. */
function requireLength(dims: readonly number[], length: number, into: number): void {
  if (length === sizeOf(dims) && length === into) return;
  throw new UnitscopeError(
    'bad-input',
    `a tensor of dims [${dims.join(', ')}] and ${length} elements cannot be copied to ${into} elements`,
  );
}

function typeOf(data: DeviceData): ArrayType<DeviceData> {
  const found = ARRAY_TYPES.find((type) => data instanceof type);
  if (found !== undefined) return found;
  throw new UnitscopeError(
    'bad-input',
    `the data of a tensor on a device must be ${ARRAY_TYPES.map(({ name }) => name).join(', ')}`,
    { subject: 'data' },
  );
}

function uploadOf({ dims, data }: Tensor<DeviceData>, { backend, into }: ToDeviceOptions<DeviceData>) {
  const type = typeOf(data);
  if (into !== undefined && into.backend !== backend) {
    throw new UnitscopeError(
      'wrong-use',
      `the buffer to write to lies on ${into.backend}, not on ${backend}`,
      {
        subject: 'into',
      },
    );
  }
  requireLength(dims, data.length, into?.length ?? data.length);
  const buffer = into ?? new DeviceBuffer(backend, type, data.length);
  return {
    call: { backend: DEVICE_NAMES.indexOf(backend), threads: 0, memory: buffer, array: data },
    result: { dims: [...dims], data: buffer },
  };
}

/**
 * Copies a tensor into the memory of a back end. The array must not be transferred or written to until the promise is
 * settled. Throws `bad-input` where types or sizes differ, `wrong-use` for a buffer that has been freed or lies elsewhere,
 * `backend` where there is no such memory.
 */
export function toDevice<D extends DeviceData>(
  tensor: Tensor<D>,
  options: ToDeviceOptions<D>,
): Promise<DeviceTensor<D>>;
export async function toDevice(
  tensor: Tensor<DeviceData>,
  options: ToDeviceOptions<DeviceData>,
): Promise<DeviceTensor<DeviceData>> {
  const { call, result } = uploadOf(tensor, options);
  try {
    await loadAddon().memory.upload(call);
  } catch (cause) {
    throw asUnitscopeError('toDevice', cause);
  }
  return result;
}

/** As `toDevice`, on the calling thread: for small tensors. */
export function toDeviceSync<D extends DeviceData>(
  tensor: Tensor<D>,
  options: ToDeviceOptions<D>,
): DeviceTensor<D>;
export function toDeviceSync(
  tensor: Tensor<DeviceData>,
  options: ToDeviceOptions<DeviceData>,
): DeviceTensor<DeviceData> {
  const { call, result } = uploadOf(tensor, options);
  try {
    loadAddon().memory.uploadSync(call);
  } catch (cause) {
    throw asUnitscopeError('toDevice', cause);
  }
  return result;
}

function downloadOf<D extends DeviceData>({ dims, data }: DeviceTensor<D>, { into }: ToHostOptions<D>) {
  requireLength(dims, data.length, into?.length ?? data.length);
  const array = into ?? new data.arrayType(data.length);
  return {
    call: { backend: DEVICE_NAMES.indexOf(data.backend), threads: 0, memory: data, array },
    result: { dims: [...dims], data: array },
  };
}

/**
 * Copies a tensor out of the memory of a back end. Throws `bad-input` where sizes differ, `wrong-use` where types do or the
 * buffer has been freed.
 */
export async function toHost<D extends DeviceData>(
  tensor: DeviceTensor<D>,
  options: ToHostOptions<D> = {},
): Promise<Tensor<D>> {
  const { call, result } = downloadOf(tensor, options);
  try {
    await loadAddon().memory.download(call);
  } catch (cause) {
    throw asUnitscopeError('toHost', cause);
  }
  return result;
}

/** As `toHost`, on the calling thread: for small tensors. */
export function toHostSync<D extends DeviceData>(
  tensor: DeviceTensor<D>,
  options: ToHostOptions<D> = {},
): Tensor<D> {
  const { call, result } = downloadOf(tensor, options);
  try {
    loadAddon().memory.downloadSync(call);
  } catch (cause) {
    throw asUnitscopeError('toHost', cause);
  }
  return result;
}
