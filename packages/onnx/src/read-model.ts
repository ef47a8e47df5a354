import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { reasonOf, UnitscopeError } from '@unitscope/tensor';
import { type ModelProto, ModelProtoSchema } from 'onnx-buf';
import { decodeModel } from './decode.js';
import type { Graph } from './graph.js';
import { origins } from './origin.js';
import { badFile, type Source } from './source.js';

export interface ReadOptions {
  /** What to call the model in an error; "the model" by default. */
  readonly name?: string;
  /** Where weights that lie outside the file are; without it a model that has some is an error. */
  readonly folder?: string;
}

/**
 * Reads an ONNX model. Weights are views of `bytes`, decoded on first use: do not change `bytes` afterwards.
 * Nodes are put in an order in which every value is made before it is read.
 *
 * Throws `bad-file` for anything that is not a well-formed model: truncated or foreign bytes, a graph with a cycle,
 * values nobody or two nodes make, weights whose data does not fit their dims, external data outside the folder.
 */
export function readModel(bytes: Uint8Array, options: ReadOptions = {}): Graph {
  const source: Source = { name: options.name ?? 'the model', folder: options.folder };
  const graph = decodeModel(parse(bytes, source), source);
  origins.bytes.set(graph, bytes);
  return graph;
}

/** Reads an ONNX file, as `readModel`; external data is looked for beside it. Throws `not-found` without a file. */
export async function readModelFile(path: string): Promise<Graph> {
  let bytes: Uint8Array;
  try {
    const { size } = await stat(path);
    if (size >= 2 ** 31) throw badFile({ name: path, folder: undefined }, `it has ${size} bytes`, TOO_LARGE);
    bytes = await readFile(path);
  } catch (cause) {
    if (cause instanceof UnitscopeError) throw cause;
    throw new UnitscopeError(
      'not-found',
      `cannot read the model ${path}: ${reasonOf(cause)}; check the path`,
      {
        subject: path,
        cause,
      },
    );
  }
  return readModel(bytes, { name: basename(path), folder: dirname(resolve(path)) });
}

export const TOO_LARGE = 'a model file cannot exceed 2 GiB: keep its weights as external data';

function parse(bytes: Uint8Array, source: Source): ModelProto {
  if (bytes.length === 0) throw badFile(source, 'it is empty', 'export or copy the model again');
  const foreign = foreignKind(bytes);
  if (foreign !== undefined) throw badFile(source, `it is ${foreign}`, 'give the path of an .onnx file');
  try {
    return fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    throw new UnitscopeError(
      'bad-file',
      `${source.name} is not a usable ONNX file: it is truncated or of another kind (${reasonOf(cause)}); export or copy the model again`,
      { subject: source.name, cause },
    );
  }
}

/** What the first bytes give away of a file that is no ONNX model. */
function foreignKind(bytes: Uint8Array): string | undefined {
  const starts = (...prefix: readonly number[]) => prefix.every((byte, index) => bytes[index] === byte);
  if (starts(0x89, 0x50, 0x4e, 0x47)) return 'a PNG picture';
  if (starts(0xff, 0xd8, 0xff)) return 'a JPEG picture';
  if (starts(0x50, 0x4b, 0x03, 0x04))
    return 'a zip archive (PyTorch and Keras save these; export it to ONNX)';
  if (starts(0x89, 0x48, 0x44, 0x46)) return 'an HDF5 file (Keras saves these; export it to ONNX)';
  if (starts(0x1f, 0x8b)) return 'a gzip archive (unpack it first)';
  if (starts(0x80, 0x02) || starts(0x80, 0x04)) return 'a Python pickle (export the network to ONNX)';
  if (starts(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59)) return 'a NumPy array';
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, 64));
  if (text.startsWith('version https://git-lfs'))
    return 'a Git LFS pointer (fetch the file with git lfs pull)';
  return /^[\x20-\x7e\r\n\t]{4}/.test(text) && /^[\x20-\x7e\r\n\t]*$/.test(text) ? 'a text file' : undefined;
}
