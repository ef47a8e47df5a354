import { basename, dirname, resolve } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { UnitscopeError, writeFileAtomic } from '@unitscope/tensor';
import {
  ModelProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProtoSchema,
} from 'onnx-buf';
import { type EncodeOptions, encodeModel, encodeTensor, rawBytes, tensorHead } from './encode.js';
import type { Graph, Initializer } from './graph.js';
import { ModelRest, origins } from './origin.js';
import { TOO_LARGE } from './read-model.js';

/**
 * The bytes of an ONNX file. A graph as it was read gives the bytes it was read from; weights that were external
 * stay external. Throws `unsupported` beyond 2 GiB.
 */
export function writeModel(graph: Graph): Uint8Array {
  const original = origins.bytes.get(graph);
  return original === undefined ? encode(graph) : new Uint8Array(original);
}

export interface WriteOptions {
  /** Weights of at least this many bytes go into one file beside the model, PATH.data. By default none do. */
  readonly externalFrom?: number;
}

/**
 * Writes an ONNX file, whole or not at all. Weights that were external are written into the file, unless it goes to
 * the folder they lie in or `externalFrom` says otherwise. Throws `not-found` where the place cannot be written,
 * `unsupported` beyond 2 GiB.
 */
export async function writeModelFile(path: string, graph: Graph, options: WriteOptions = {}): Promise<void> {
  const { externalFrom } = options;
  if (externalFrom === undefined) {
    const inPlace = graph.rest !== undefined && ModelRest.folderOf(graph.rest) === dirname(resolve(path));
    const inline = (initializer: Initializer) => materialized(initializer);
    const bytes =
      inPlace || !hasExternalData(graph) ? writeModel(graph) : encode(graph, { initializer: inline });
    await writeFileAtomic(path, bytes);
    return;
  }
  const location = `${basename(path)}.data`;
  const blocks: Uint8Array[] = [];
  let end = 0;
  const bytes = encode(graph, {
    initializer: (initializer) => {
      if (initializer.type === 'string') return encodeTensor(initializer, initializer.name);
      const data = rawBytes(initializer);
      if (data.length < externalFrom) return materialized(initializer);
      const offset = Math.ceil(end / DATA_ALIGNMENT) * DATA_ALIGNMENT;
      blocks.push(new Uint8Array(offset - end), data);
      end = offset + data.length;
      return externalTensor(initializer, location, offset, data.length);
    },
  });
  // The data first: a model that is there must find its weights.
  if (end > 0) await writeFileAtomic(`${path}.data`, Buffer.concat(blocks, end));
  await writeFileAtomic(path, bytes);
}

/** A page, so that a runtime can map the weights into memory instead of reading them. */
const DATA_ALIGNMENT = 4096;

export interface RuntimeModel {
  readonly bytes: Uint8Array;
  /** The weights that are not in `bytes`, in the form ONNX Runtime's option `externalData` takes. */
  readonly externalData: readonly { readonly path: string; readonly data: Uint8Array }[];
}

/**
 * A model for a runtime that takes large weights apart from the model's bytes, so that no weight is copied on the way:
 * the `data` of each is a view of the graph's own. Inputs that have a default value become constants.
 *
 * @param externalFrom size in bytes from which on a weight is passed apart
 */
export function encodeForRuntime(graph: Graph, externalFrom = 64 * 1024): RuntimeModel {
  const externalData: { path: string; data: Uint8Array }[] = [];
  const initializer = (initializer: Initializer): TensorProto => {
    const origin = origins.constants.get(initializer);
    if (initializer.type === 'string') return encodeTensor(initializer, initializer.name);
    if (origin !== undefined && isSmall(origin, externalFrom))
      return encodeTensor(initializer, initializer.name);
    const data = rawBytes(initializer);
    if (data.length < externalFrom) return materialized(initializer);
    const path = `weights/${externalData.length}`;
    externalData.push({ path, data });
    return externalTensor(initializer, path, 0, data.length);
  };
  return { bytes: encode(graph, { initializer, constantsOnly: true }), externalData };
}

function isSmall(message: TensorProto, limit: number): boolean {
  return message.dataLocation !== TensorProto_DataLocation.EXTERNAL && message.rawData.length > 0
    ? message.rawData.length < limit
    : false;
}

function hasExternalData(graph: Graph): boolean {
  for (const initializer of graph.initializers.values()) {
    if (origins.constants.get(initializer)?.dataLocation === TensorProto_DataLocation.EXTERNAL) return true;
  }
  return false;
}

/** The message of an initializer with its data inside, wherever it lay before. */
function materialized(initializer: Initializer): TensorProto {
  const origin = origins.constants.get(initializer);
  if (origin?.dataLocation !== TensorProto_DataLocation.EXTERNAL) {
    return encodeTensor(initializer, initializer.name);
  }
  return create(TensorProtoSchema, {
    ...tensorHead(initializer, initializer.name),
    rawData: rawBytes(initializer),
  });
}

function externalTensor(
  initializer: Initializer,
  location: string,
  offset: number,
  length: number,
): TensorProto {
  const entry = (key: string, value: string) => create(StringStringEntryProtoSchema, { key, value });
  return create(TensorProtoSchema, {
    ...tensorHead(initializer, initializer.name),
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: [
      entry('location', location),
      entry('offset', String(offset)),
      entry('length', String(length)),
    ],
  });
}

function encode(graph: Graph, options: EncodeOptions = {}): Uint8Array {
  const model = encodeModel(graph, options);
  let inside = 0;
  for (const { rawData } of model.graph?.initializer ?? []) inside += rawData.length;
  if (inside >= 2 ** 31) throw tooLarge(inside);
  return toBinary(ModelProtoSchema, model);
}

function tooLarge(bytes: number): UnitscopeError {
  return new UnitscopeError(
    'unsupported',
    `the model has ${bytes} bytes of weights: ${TOO_LARGE} (externalFrom)`,
  );
}
