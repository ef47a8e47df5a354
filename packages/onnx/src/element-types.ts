import type { TensorData } from '@unitscope/tensor';
import { TensorProto_DataType as DataType } from 'onnx-buf';
import type { ElementType } from './graph.js';

/** How the elements of one ONNX data type lie in memory. */
export interface ElementLayout {
  readonly type: ElementType;
  /** Bits of one element in raw data; 0 for strings, which have no raw form. */
  readonly bits: number;
  /** The field of TensorProto that holds the elements when they are not raw. */
  readonly field: 'floatData' | 'doubleData' | 'int32Data' | 'int64Data' | 'uint64Data' | 'stringData';
  /** A view of raw bytes that start at a multiple of the element's size. */
  readonly view: (buffer: ArrayBufferLike, offset: number, length: number) => TensorData;
}

const bytesView = (buffer: ArrayBufferLike, offset: number, length: number) =>
  new Uint8Array(buffer, offset, length);
const shortsView = (buffer: ArrayBufferLike, offset: number, length: number) =>
  new Uint16Array(buffer, offset, length);

function other(bits: number, field: ElementLayout['field'] = 'int32Data'): ElementLayout {
  return { type: 'other', bits, field, view: bytesView };
}

/** Layouts by the number ONNX gives a data type. What has no typed array is `other`, and its data is the raw bytes. */
const LAYOUTS: ReadonlyMap<number, ElementLayout> = new Map<number, ElementLayout>([
  [
    DataType.FLOAT,
    { type: 'float32', bits: 32, field: 'floatData', view: (b, o, n) => new Float32Array(b, o, n) },
  ],
  [
    DataType.DOUBLE,
    { type: 'float64', bits: 64, field: 'doubleData', view: (b, o, n) => new Float64Array(b, o, n) },
  ],
  [DataType.FLOAT16, { type: 'float16', bits: 16, field: 'int32Data', view: shortsView }],
  [DataType.BFLOAT16, { type: 'bfloat16', bits: 16, field: 'int32Data', view: shortsView }],
  [DataType.INT8, { type: 'int8', bits: 8, field: 'int32Data', view: (b, o, n) => new Int8Array(b, o, n) }],
  [DataType.UINT8, { type: 'uint8', bits: 8, field: 'int32Data', view: bytesView }],
  [DataType.BOOL, { type: 'bool', bits: 8, field: 'int32Data', view: bytesView }],
  [
    DataType.INT16,
    { type: 'int16', bits: 16, field: 'int32Data', view: (b, o, n) => new Int16Array(b, o, n) },
  ],
  [DataType.UINT16, { type: 'uint16', bits: 16, field: 'int32Data', view: shortsView }],
  [
    DataType.INT32,
    { type: 'int32', bits: 32, field: 'int32Data', view: (b, o, n) => new Int32Array(b, o, n) },
  ],
  [
    DataType.UINT32,
    { type: 'uint32', bits: 32, field: 'uint64Data', view: (b, o, n) => new Uint32Array(b, o, n) },
  ],
  [
    DataType.INT64,
    { type: 'int64', bits: 64, field: 'int64Data', view: (b, o, n) => new BigInt64Array(b, o, n) },
  ],
  [
    DataType.UINT64,
    { type: 'uint64', bits: 64, field: 'uint64Data', view: (b, o, n) => new BigUint64Array(b, o, n) },
  ],
  [DataType.STRING, { type: 'string', bits: 0, field: 'stringData', view: bytesView }],
  [DataType.COMPLEX64, other(64, 'floatData')],
  [DataType.COMPLEX128, other(128, 'doubleData')],
  [DataType.FLOAT8E4M3FN, other(8)],
  [DataType.FLOAT8E4M3FNUZ, other(8)],
  [DataType.FLOAT8E5M2, other(8)],
  [DataType.FLOAT8E5M2FNUZ, other(8)],
  [DataType.FLOAT8E8M0, other(8)],
  [DataType.UINT4, other(4)],
  [DataType.INT4, other(4)],
  [DataType.FLOAT4E2M1, other(4)],
  [DataType.UINT2, other(2)],
  [DataType.INT2, other(2)],
]);

/** The layout of a data type, or undefined where ONNX has no such type. */
export function layoutOf(dataType: number): ElementLayout | undefined {
  return LAYOUTS.get(dataType);
}

/** ONNX's number for an element type; 0 (undefined) for `other`. */
export function dataTypeOf(type: ElementType): number {
  if (type === 'other') return DataType.UNDEFINED;
  for (const [dataType, layout] of LAYOUTS) if (layout.type === type) return dataType;
  return DataType.UNDEFINED;
}
