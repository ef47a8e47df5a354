import { closeSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, sep, win32 } from 'node:path';
import { reasonOf, UnitscopeError } from '@unitscope/tensor';
import type { StringStringEntryProto } from 'onnx-buf';
import { badFile, quote, type Source } from './source.js';

/** Bytes of a tensor that lie in a file beside the model. */
export interface ExternalBytes {
  /** Reads them, no more than the tensor needs. */
  read(): Uint8Array;
}

/**
 * Finds the bytes of an external tensor. The place must be inside the model's folder, by name and after following
 * symbolic links, and the file must hold all of them; `bad-file` otherwise. Nothing is read yet.
 */
export function locateExternalData(
  entries: readonly StringStringEntryProto[],
  bytes: number,
  what: string,
  source: Source,
): ExternalBytes {
  const entry = (key: string) => entries.find((candidate) => candidate.key === key)?.value;
  const location = entry('location') ?? '';
  if (source.folder === undefined) {
    throw badFile(
      source,
      `${what} lies in the file ${quote(location)} beside the model`,
      'read the model by its path, or give the folder it lies in',
    );
  }
  const outside = () =>
    badFile(
      source,
      `the data of ${what} lies at ${quote(location)}, outside the model's folder`,
      'move the data file beside the model',
    );
  // Both kinds of separator count on every system: the same file must not mean different things on two of them.
  const parts = location.split(/[/\\]/);
  if (location === '' || location.includes('\0'))
    throw badFile(source, `${what} names no external data file`);
  if (isAbsolute(location) || win32.isAbsolute(location) || parts.includes('..')) throw outside();
  const offset = wholeNumber(entry('offset') ?? '0');
  const stated = entry('length');
  if (offset === undefined || (stated !== undefined && wholeNumber(stated) === undefined)) {
    throw badFile(source, `the offset or length of ${what} is not a whole number`);
  }
  if (stated !== undefined && Number(stated) !== bytes) {
    throw badFile(source, `${what} needs ${bytes} bytes, its external data states ${stated}`);
  }

  let path: string;
  let size: number;
  try {
    const folder = realpathSync(source.folder);
    path = realpathSync(join(folder, location));
    if (!path.startsWith(folder.endsWith(sep) ? folder : folder + sep)) throw outside();
    const status = statSync(path);
    if (!status.isFile())
      throw badFile(source, `the data of ${what} is at ${quote(location)}, which is no file`);
    size = status.size;
  } catch (cause) {
    if (cause instanceof UnitscopeError) throw cause;
    throw badFile(
      source,
      `the data of ${what} cannot be read from ${quote(location)}: ${reasonOf(cause)}`,
      'put the data file beside the model',
    );
  }
  const truncated = (there: number) =>
    badFile(
      source,
      `${what} needs ${bytes} bytes from ${offset} on of ${quote(location)}, which has ${there}`,
      'copy the data file again',
    );
  if (offset + bytes > size) throw truncated(size);
  return { read: () => readExactly(path, offset, bytes, truncated) };
}

function wholeNumber(text: string): number | undefined {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : undefined;
  return Number.isSafeInteger(number) ? number : undefined;
}

function readExactly(
  path: string,
  offset: number,
  bytes: number,
  truncated: (there: number) => Error,
): Uint8Array {
  const content = new Uint8Array(bytes);
  const file = openSync(path, 'r');
  try {
    // One call reads at most 2 GiB; a file that has shrunk since it was looked at ends the loop early.
    for (let done = 0; done < bytes; ) {
      const count = readSync(file, content, done, Math.min(bytes - done, 2 ** 30), offset + done);
      if (count === 0) throw truncated(offset + done);
      done += count;
    }
  } finally {
    closeSync(file);
  }
  return content;
}
