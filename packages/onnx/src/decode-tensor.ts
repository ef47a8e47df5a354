import { sizeOf, type TensorData, UnitscopeError } from '@unitscope/tensor';
import { type TensorProto, TensorProto_DataLocation } from 'onnx-buf';
import { type ElementLayout, layoutOf } from './element-types.js';
import { type ExternalBytes, locateExternalData } from './external-data.js';
import type { Constant, Initializer } from './graph.js';
import { origins } from './origin.js';
import { badFile, quote, type Source } from './source.js';

/** No tensor has more axes or elements than this; a file that says so is broken or hostile. */
const MAX_RANK = 64;
export const MAX_ELEMENTS = 2 ** 40;

/**
 * The constant a TensorProto holds. Its size is checked against the bytes that are there now; the data is decoded on
 * first use, without a copy where the raw bytes are aligned.
 *
 * @param what how to call the tensor in an error
 */
export function decodeConstant(message: TensorProto, what: string, source: Source): Constant {
  const dims = decodeDims(message.dims, what, source);
  const layout = layoutOf(message.dataType);
  if (layout === undefined || message.segment !== undefined) {
    const why =
      layout === undefined ? `has the unknown element type ${message.dataType}` : 'is split into segments';
    throw badFile(source, `${what} ${why}`);
  }
  const read = checkContent(message, layout, dims, what, source);
  let data: TensorData | undefined;
  const constant: Constant = {
    type: layout.type,
    dims,
    get data() {
      data ??= read();
      return data;
    },
  };
  origins.constants.set(constant, message);
  return constant;
}

export function decodeInitializer(message: TensorProto, source: Source): Initializer {
  const constant = decodeConstant(message, `initializer ${quote(message.name)}`, source);
  return renamedInitializer(message.name, constant, message);
}

/** An initializer over another's data, which stays undecoded until it is used. */
export function renamedInitializer(name: string, constant: Constant, message?: TensorProto): Initializer {
  const { type, dims } = constant;
  const initializer: Initializer = {
    name,
    type,
    dims,
    get data() {
      return constant.data;
    },
  };
  if (message !== undefined) origins.constants.set(initializer, message);
  return initializer;
}

/** Sizes as numbers; `bad-file` where they are negative, too many or their product is beyond all memory. */
export function decodeDims(dims: readonly bigint[], what: string, source: Source): number[] {
  if (dims.length > MAX_RANK) throw badFile(source, `${what} has ${dims.length} axes, more than ${MAX_RANK}`);
  const sizes = dims.map(Number);
  let elements: number;
  try {
    elements = sizeOf(sizes);
  } catch {
    elements = Number.POSITIVE_INFINITY;
  }
  if (elements > MAX_ELEMENTS || sizes.some((size) => size > MAX_ELEMENTS)) {
    throw badFile(source, `${what} has the impossible dims [${dims.slice(0, 8).join(', ')}]`);
  }
  return sizes;
}

function checkContent(
  message: TensorProto,
  layout: ElementLayout,
  dims: readonly number[],
  what: string,
  source: Source,
): () => TensorData {
  const elements = sizeOf(dims);
  const bytes = Math.ceil((elements * layout.bits) / 8);
  const wrong = (there: string) =>
    badFile(source, `${what} of dims [${dims.join(', ')}] needs ${bytes} bytes, ${there}`);
  if (message.dataLocation === TensorProto_DataLocation.EXTERNAL) {
    if (layout.type === 'string') throw badFile(source, `${what} keeps strings as external data`);
    const external: ExternalBytes = locateExternalData(message.externalData, bytes, what, source);
    return () => viewOf(external.read(), layout);
  }
  if (message.rawData.length > 0) {
    if (message.rawData.length !== bytes) throw wrong(`${message.rawData.length} are there`);
    return () => viewOf(message.rawData, layout);
  }
  const stored = message[layout.field];
  const wanted =
    layout.type === 'other' && layout.field !== 'int32Data' ? 2 * elements : itemsOf(layout, elements);
  if (stored.length !== wanted) {
    throw badFile(
      source,
      `${what} of dims [${dims.join(', ')}] needs ${wanted} values, ${stored.length} are there`,
    );
  }
  return () => packed(message, layout, elements, what);
}

/** Types of less than a byte are stored as the bytes they are packed into. */
function itemsOf(layout: ElementLayout, elements: number): number {
  return layout.bits > 0 && layout.bits < 8 ? Math.ceil((elements * layout.bits) / 8) : elements;
}

/** The data of a tensor whose elements are protobuf numbers. */
function packed(message: TensorProto, layout: ElementLayout, elements: number, what: string): TensorData {
  switch (layout.field) {
    case 'floatData':
      return retyped(Float32Array.from(message.floatData), layout);
    case 'doubleData':
      return retyped(Float64Array.from(message.doubleData), layout);
    case 'int64Data':
      return BigInt64Array.from(message.int64Data);
    case 'uint64Data':
      return layout.type === 'uint32'
        ? Uint32Array.from(message.uint64Data, Number)
        : BigUint64Array.from(message.uint64Data);
    case 'int32Data': {
      const items = itemsOf(layout, elements);
      const bytesEach = Math.max(1, layout.bits >> 3);
      const data = layout.view(new ArrayBuffer(items * bytesEach), 0, items);
      // Never 64-bit integers: those have fields of their own.
      if (!(data instanceof BigInt64Array || data instanceof BigUint64Array)) data.set(message.int32Data);
      return data;
    }
    case 'stringData':
      throw new UnitscopeError('unsupported', `${what} holds strings, which have no numeric data`);
  }
}

function retyped(numbers: Float32Array | Float64Array, layout: ElementLayout): TensorData {
  return layout.type === 'other' ? new Uint8Array(numbers.buffer) : numbers;
}

/** A typed view of raw bytes; a copy where they do not start at a multiple of the element's size. */
function viewOf(bytes: Uint8Array, layout: ElementLayout): TensorData {
  const step = Math.max(1, Math.min(8, layout.bits >> 3));
  const aligned = layout.type === 'other' || bytes.byteOffset % step === 0 ? bytes : new Uint8Array(bytes);
  const length = layout.type === 'other' ? aligned.length : aligned.length / step;
  return layout.view(aligned.buffer, aligned.byteOffset, length);
}
