import { UnitscopeError } from './errors.js';

/** The element types a tensor's data may have. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/**
 * A dense array in C order; pictures and maps are NCHW. Float32 unless the type says otherwise.
 * ONNX Runtime's own `Tensor` satisfies it as it is.
 */
export interface Tensor<D extends TensorData = Float32Array> {
  readonly dims: readonly number[];
  readonly data: D;
}

/** The number of elements of a shape. Throws `bad-input` on a negative, fractional or overflowing size. */
export function sizeOf(dims: readonly number[]): number {
  let size = 1;
  for (const dim of dims) {
    if (!Number.isSafeInteger(dim) || dim < 0) {
      throw new UnitscopeError('bad-input', `dims [${dims.join(', ')}] must be non-negative integers`);
    }
    size *= dim;
    if (!Number.isSafeInteger(size)) {
      throw new UnitscopeError(
        'bad-input',
        `dims [${dims.join(', ')}] describe more elements than can be counted`,
      );
    }
  }
  return size;
}

/** A tensor over `data`, not copied. Throws `bad-input` when the sizes disagree. */
export function tensor<D extends TensorData>(data: D, dims: readonly number[]): Tensor<D> {
  const size = sizeOf(dims);
  if (size !== data.length) {
    throw new UnitscopeError(
      'bad-input',
      `dims [${dims.join(', ')}] need ${size} elements, the data has ${data.length}`,
    );
  }
  return { dims: [...dims], data };
}

/** A float32 tensor of zeros. */
export function zeros(dims: readonly number[]): Tensor {
  return { dims: [...dims], data: new Float32Array(sizeOf(dims)) };
}

/** Row-major strides, in elements. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length).fill(1);
  for (let axis = dims.length - 2; axis >= 0; axis--) {
    strides[axis] = strides[axis + 1]! * dims[axis + 1]!;
  }
  return strides;
}

/** Of sizes; of a graph's dims too, where an axis may have a name for a size. */
export function sameDims(a: readonly (number | string)[], b: readonly (number | string)[]): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}

/** The samples `start` (included) to `end` (excluded) along the first axis, as a view of the same data. */
export function sliceBatch<D extends TensorData>(batch: Tensor<D>, start: number, end: number): Tensor<D> {
  const [count = 0, ...rest] = batch.dims;
  if (start < 0 || end > count || start > end) {
    throw new UnitscopeError('bad-input', `samples ${start} to ${end} are outside a batch of ${count}`);
  }
  const step = sizeOf(rest);
  // A view of a typed array is of its own type, which the signature of subarray() leaves out.
  const data = batch.data.subarray(start * step, end * step) as D;
  return { dims: [end - start, ...rest], data };
}

/** Tensors of equal trailing dims, joined along the first axis. */
export function concatBatch(parts: readonly Tensor[]): Tensor {
  const [first] = parts;
  if (first === undefined) throw new UnitscopeError('bad-input', 'an empty list of tensors cannot be joined');
  const rest = first.dims.slice(1);
  let count = 0;
  for (const part of parts) {
    if (!sameDims(part.dims.slice(1), rest)) {
      throw new UnitscopeError(
        'bad-input',
        `tensors of dims [${first.dims.join(', ')}] and [${part.dims.join(', ')}] cannot be joined along the batch`,
      );
    }
    count += part.dims[0] ?? 0;
  }
  if (parts.length === 1) return first;
  const joined = zeros([count, ...rest]);
  let offset = 0;
  for (const part of parts) {
    joined.data.set(part.data, offset);
    offset += part.data.length;
  }
  return joined;
}

/** The flat index of the first element that is NaN or infinite, or -1. */
export function indexOfNonFinite(data: Float32Array | Float64Array): number {
  const sum = data instanceof Float32Array ? sumOf(data) : sumOfDifferences(data);
  return Number.isFinite(sum) ? -1 : data.findIndex((value) => !Number.isFinite(value));
}

/**
 * In double precision, where no sum of fewer than 2^896 float32 values overflows: it is finite exactly when they all
 * are. Four sums at a time do not wait for each other.
 */
function sumOf(data: Float32Array): number {
  const whole = data.length - (data.length % 4);
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let i = 0; i < whole; i += 4) {
    a += data[i]!;
    b += data[i + 1]!;
    c += data[i + 2]!;
    d += data[i + 3]!;
  }
  for (let i = whole; i < data.length; i++) a += data[i]!;
  return a + b + c + d;
}

/** Of x - x, which is 0 where x is finite and NaN elsewhere. */
function sumOfDifferences(data: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i]! - data[i]!;
  return sum;
}
