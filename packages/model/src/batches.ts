import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Dim, ValueInfo } from '@unitscope/onnx';
import {
  indexOfNonFinite,
  releaseData,
  sizeOf,
  type Tensor,
  type TensorData,
  UnitscopeError,
} from '@unitscope/tensor';
import type { RunOptions, Session, Tensors } from './engine.js';

export interface Progress {
  /** Samples done. */
  readonly done: number;
  /** Samples in all, where that is known beforehand. */
  readonly total: number | undefined;
}

export interface Chunking {
  /** The most samples of one run. */
  readonly size: number;
  /** Whether every run must have exactly that many: the file fixes the batch axis. */
  readonly fixed: boolean;
}

/** How a batch is cut: as the file says where it fixes the batch axis, else into parts of `batchSize`. */
export function chunkingFor(dims: readonly Dim[], batchSize: number): Chunking {
  const [batch] = dims;
  return typeof batch === 'number' ? { size: batch, fixed: true } : { size: batchSize, fixed: false };
}

/** Elements looked at in one turn of the event loop: about a millisecond. */
const CHECKED_AT_ONCE = 2 ** 20;

/**
 * Throws `bad-input` for a batch the input cannot take: another rank or size (symbolic sizes take any but 0), another
 * element type, no samples, NaN or infinity.
 */
export async function checkBatch(
  batch: Tensor<TensorData>,
  input: ValueInfo,
  dims: readonly Dim[],
): Promise<void> {
  const bad = (got: string) =>
    new UnitscopeError('bad-input', `input "${input.name}" takes float32 [${dims.join(', ')}], got ${got}`, {
      subject: input.name,
    });
  const shown = `[${batch.dims.join(', ')}]`;
  if (!(batch.data instanceof Float32Array)) throw bad(`${batch.data.constructor.name} ${shown}`);
  if (batch.dims.length !== dims.length) throw bad(`rank ${batch.dims.length} ${shown}`);
  if (batch.dims[0] === 0) throw bad(`an empty batch ${shown}`);
  dims.forEach((dim, axis) => {
    const size = batch.dims[axis]!;
    // The batch axis is free even where the file fixes it: the batch is cut to fit.
    if (size === 0 || (axis > 0 && typeof dim === 'number' && dim !== size)) throw bad(shown);
  });
  if (sizeOf(batch.dims) !== batch.data.length) throw bad(`${shown} with ${batch.data.length} elements`);
  for (let start = 0; start < batch.data.length; start += CHECKED_AT_ONCE) {
    if (start > 0) await nextTurn();
    const index = indexOfNonFinite(batch.data.subarray(start, start + CHECKED_AT_ONCE));
    if (index >= 0) throw bad(`${batch.data[start + index]} at element ${start + index} of ${shown}`);
  }
}

/** A result that must be float32; throws `unsupported`, naming it, otherwise. */
export function float32Of(results: Tensors, name: string): Tensor {
  const { dims, data } = results[name]!;
  if (data instanceof Float32Array) return { dims, data };
  throw new UnitscopeError('unsupported', `${name} is not float32`, { subject: name });
}

/** The samples `start` to `end` along the first axis, as a view. */
function samples(tensor: Tensor<TensorData>, start: number, end: number): Tensor<TensorData> {
  const rest = tensor.dims.slice(1);
  const step = sizeOf(rest);
  return { dims: [end - start, ...rest], data: tensor.data.subarray(start * step, end * step) };
}

/** `count` samples, the given ones and then the first of them again. */
function filled(tensor: Tensor<TensorData>, count: number): Tensor<TensorData> {
  const joined = emptyLike(tensor, count);
  const step = sizeOf(tensor.dims.slice(1));
  for (let i = 0; i < count; i++) {
    const from = i < tensor.dims[0]! ? i : 0;
    copyInto(joined.data, tensor.data.subarray(from * step, (from + 1) * step), i * step);
  }
  return joined;
}

/** As many samples as are asked for, of the type and dims of the tensor's, in memory from `allocate`. */
function emptyLike(
  tensor: Tensor<TensorData>,
  count: number,
  allocate = (bytes: number) => new ArrayBuffer(bytes),
): Tensor<TensorData> {
  const dims = [count, ...tensor.dims.slice(1)];
  const bytes = sizeOf(dims) * tensor.data.BYTES_PER_ELEMENT;
  const create = tensor.data.constructor as new (buffer: ArrayBuffer) => TensorData;
  return { dims, data: new create(allocate(bytes)) };
}

function copyInto(target: TensorData, source: TensorData, offset: number): void {
  const size = source.BYTES_PER_ELEMENT;
  new Uint8Array(target.buffer, target.byteOffset + offset * size, source.byteLength).set(
    new Uint8Array(source.buffer, source.byteOffset, source.byteLength),
  );
}

/** The first run's part of feeds that all have the batch as their first axis. */
export function firstChunk(feeds: Tensors, chunking: Chunking): Tensors {
  return chunkOf(feeds, chunking, 0, Math.min(chunking.size, batchOf(feeds)));
}

function chunkOf(feeds: Tensors, { size, fixed }: Chunking, start: number, end: number): Tensors {
  const chunk: Record<string, Tensor<TensorData>> = {};
  for (const [name, tensor] of Object.entries(feeds)) {
    const part = samples(tensor, start, end);
    chunk[name] = fixed && end - start < size ? filled(part, size) : part;
  }
  return chunk;
}

function batchOf(feeds: Tensors): number {
  return Object.values(feeds)[0]!.dims[0]!;
}

/**
 * Runs feeds that all have the batch as their first axis, in chunks, and joins the results along theirs. Two chunks
 * are under way at a time, so that one is copied while the other is computed.
 *
 * Throws `unsupported` where several chunks give a result whose first axis is not the batch.
 */
export async function runInChunks(
  session: Session,
  feeds: Tensors,
  chunking: Chunking,
  options: RunOptions & { readonly onProgress?: ((progress: Progress) => void) | undefined },
): Promise<Record<string, Tensor<TensorData>>> {
  const { onProgress, ...runOptions } = options;
  const total = batchOf(feeds);
  const runChunk = (start: number, end: number) =>
    session.run(chunkOf(feeds, chunking, start, end), runOptions);
  if (total === chunking.size || (total < chunking.size && !chunking.fixed)) {
    const whole = await runChunk(0, total);
    onProgress?.({ done: total, total });
    return whole;
  }

  const joined: Record<string, Tensor<TensorData>> = {};
  const allocate = session.lendMemory?.bind(session);
  const place = (results: Tensors, start: number, end: number) => {
    const count = chunking.fixed ? chunking.size : end - start;
    for (const [name, part] of Object.entries(results)) {
      if (part.dims[0] !== count) {
        throw new UnitscopeError(
          'unsupported',
          `the result "${name}" has dims [${part.dims.join(', ')}] for ${count} samples and cannot be joined to a batch`,
          { subject: name },
        );
      }
      const target = joined[name] ?? emptyLike(part, total, allocate);
      joined[name] = target;
      const wanted = samples(part, 0, end - start);
      copyInto(target.data, wanted.data, start * sizeOf(part.dims.slice(1)));
    }
    if (allocate !== undefined) for (const { data } of Object.values(results)) releaseData(data);
    onProgress?.({ done: end, total });
  };
  let pending: { start: number; end: number; results: Promise<Tensors> } | undefined;
  for (let start = 0; start < total; start += chunking.size) {
    const end = Math.min(start + chunking.size, total);
    const next = { start, end, results: runChunk(start, end) };
    // Whoever awaits it sees the rejection; if an earlier chunk fails first, nobody awaits this one.
    next.results.catch(() => {});
    if (pending !== undefined) place(await pending.results, pending.start, pending.end);
    pending = next;
  }
  if (pending !== undefined) place(await pending.results, pending.start, pending.end);
  return joined;
}
