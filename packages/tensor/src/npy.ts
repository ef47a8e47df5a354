import { unzipSync, type Zippable, zipSync } from 'fflate';
import { UnitscopeError } from './errors.js';
import { reasonOf } from './files.js';
import { sizeOf, type Tensor, type TensorData } from './tensor.js';

// The .npy format, version 1.0 to 3.0: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

interface Element {
  readonly descr: string;
  readonly bytes: number;
  readonly create: (buffer: ArrayBuffer) => TensorData;
}

const ELEMENTS: readonly Element[] = [
  { descr: 'f4', bytes: 4, create: (buffer) => new Float32Array(buffer) },
  { descr: 'f8', bytes: 8, create: (buffer) => new Float64Array(buffer) },
  { descr: 'i1', bytes: 1, create: (buffer) => new Int8Array(buffer) },
  { descr: 'u1', bytes: 1, create: (buffer) => new Uint8Array(buffer) },
  { descr: 'b1', bytes: 1, create: (buffer) => new Uint8Array(buffer) },
  { descr: 'i2', bytes: 2, create: (buffer) => new Int16Array(buffer) },
  { descr: 'u2', bytes: 2, create: (buffer) => new Uint16Array(buffer) },
  { descr: 'i4', bytes: 4, create: (buffer) => new Int32Array(buffer) },
  { descr: 'u4', bytes: 4, create: (buffer) => new Uint32Array(buffer) },
  { descr: 'i8', bytes: 8, create: (buffer) => new BigInt64Array(buffer) },
  { descr: 'u8', bytes: 8, create: (buffer) => new BigUint64Array(buffer) },
];

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/**
 * Reads an `.npy` file: C order, little endian, numbers or booleans (booleans arrive as Uint8Array).
 *
 * @param name what to call the file in an error
 */
export function readNpy(bytes: Uint8Array, name = 'array'): Tensor<TensorData> {
  const bad = (why: string) =>
    new UnitscopeError('bad-file', `${name} is not a usable .npy file: ${why}; save it with numpy.save()`, {
      subject: name,
    });
  if (bytes.length < 10 || MAGIC.some((byte, i) => bytes[i] !== byte))
    throw bad('its first bytes are not NUMPY');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const major = bytes[6]!;
  if (major < 1 || major > 3) throw bad(`format version ${major} is unknown`);
  if (major > 1 && bytes.length < 12) throw bad('it ends inside its header');
  const headerStart = major === 1 ? 10 : 12;
  const headerLength = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const dataStart = headerStart + headerLength;
  if (dataStart > bytes.length || headerLength > 65536) throw bad('it ends inside its header');
  const header = new TextDecoder('latin1').decode(bytes.subarray(headerStart, dataStart));

  const descr = /'descr'\s*:\s*'([<>|=]?)([a-z]\d+)'/.exec(header);
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(header);
  const shape = /'shape'\s*:\s*\(([\d,\sL]*)\)/.exec(header);
  if (descr === null || order === null || shape === null)
    throw bad('its header has no plain descr, fortran_order and shape');
  const element = ELEMENTS.find((candidate) => candidate.descr === descr[2]);
  if (element === undefined)
    throw bad(`element type ${descr[2]} is not one of ${ELEMENTS.map((e) => e.descr).join(', ')}`);
  if (descr[1] === '>' && element.bytes > 1) throw bad('it is big endian');
  if (order[1] === 'True') throw bad('it is in Fortran order (use numpy.ascontiguousarray first)');
  const dims = shape[1]!
    .split(',')
    .map((dim) => dim.trim().replace(/L$/, ''))
    .filter((dim) => dim !== '')
    .map(Number);
  const wanted = sizeOf(dims) * element.bytes;
  const there = bytes.length - dataStart;
  if (there < wanted) throw bad(`its shape [${dims.join(', ')}] needs ${wanted} bytes, ${there} are there`);
  // A copy, since a typed array must start at a multiple of its element size; not slice(), which is a view on a Buffer.
  const data = element.create(new Uint8Array(bytes.subarray(dataStart, dataStart + wanted)).buffer);
  return { dims, data };
}

/** The bytes of an `.npy` file, format version 1.0. */
export function writeNpy({ dims, data }: Tensor<TensorData>): Uint8Array {
  const element = ELEMENTS.find(
    ({ descr, bytes }) => descr[0] === kindOf(data) && bytes === data.BYTES_PER_ELEMENT,
  )!;
  const order = element.bytes === 1 ? '|' : '<';
  const shape = dims.length === 1 ? `(${dims[0]},)` : `(${dims.join(', ')})`;
  const text = `{'descr': '${order}${element.descr}', 'fortran_order': False, 'shape': ${shape}, }`;
  const headerLength = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const bytes = new Uint8Array(10 + headerLength + data.byteLength);
  bytes.set(MAGIC);
  bytes.set([1, 0, headerLength & 255, headerLength >> 8], 6);
  bytes.set(new TextEncoder().encode(`${text.padEnd(headerLength - 1)}\n`), 10);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 10 + headerLength);
  return bytes;
}

function kindOf(data: TensorData): 'f' | 'i' | 'u' {
  if (data instanceof Float32Array || data instanceof Float64Array) return 'f';
  return data instanceof Uint8Array ||
    data instanceof Uint16Array ||
    data instanceof Uint32Array ||
    data instanceof BigUint64Array
    ? 'u'
    : 'i';
}

// A few kilobytes of zip can claim to hold terabytes.
const MAX_NPZ_BYTES = 2 ** 32;

/** Reads every array of an `.npz` file, by name. */
export function readNpz(bytes: Uint8Array, name = 'archive'): Map<string, Tensor<TensorData>> {
  let entries: Record<string, Uint8Array>;
  let unpacked = 0;
  try {
    entries = unzipSync(bytes, {
      filter: (entry) => {
        unpacked += entry.originalSize;
        if (unpacked > MAX_NPZ_BYTES) throw new RangeError('it unpacks to more than 4 GB');
        return true;
      },
    });
  } catch (cause) {
    throw new UnitscopeError(
      'bad-file',
      `${name} is not a usable .npz file: ${reasonOf(cause)}; save it with numpy.savez()`,
      {
        subject: name,
        cause,
      },
    );
  }
  const arrays = new Map<string, Tensor<TensorData>>();
  for (const [entry, content] of Object.entries(entries)) {
    arrays.set(entry.replace(/\.npy$/, ''), readNpy(content, `${name}:${entry}`));
  }
  return arrays;
}

/** The bytes of an `.npz` file. */
export function writeNpz(arrays: ReadonlyMap<string, Tensor<TensorData>>): Uint8Array {
  const entries: Zippable = {};
  for (const [name, array] of arrays) entries[`${name}.npy`] = writeNpy(array);
  // Of the hour of writing nothing is kept: equal arrays are equal files. A zip file knows no earlier day.
  return zipSync(entries, { level: 0, mtime: new Date(1980, 0, 1) });
}

/** The same tensor in float32. Integers beyond 2^24 and doubles are rounded. */
export function toFloat32({ dims, data }: Tensor<TensorData>): Tensor {
  if (data instanceof Float32Array) return { dims, data };
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    return { dims, data: Float32Array.from(data, Number) };
  }
  return { dims, data: Float32Array.from(data) };
}
