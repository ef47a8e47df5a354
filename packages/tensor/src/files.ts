import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { UnitscopeError } from './errors.js';

/**
 * Writes a file so that nobody ever sees half of it: under a temporary name beside it, then renamed.
 * Missing folders are made. Throws `not-found` when the place cannot be written.
 */
export async function writeFileAtomic(path: string, content: Uint8Array | string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.part`);
  try {
    await makeFolder(dirname(path));
    await writeFile(temporary, content);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new UnitscopeError('not-found', `cannot write ${path}: ${reasonOf(cause)}`, {
      subject: path,
      cause,
    });
  }
}

/** As `mkdir -p`. Node's own `recursive` never returns where a folder cannot be made in one that exists, as in /proc. */
async function makeFolder(path: string): Promise<void> {
  const attempt = () =>
    mkdir(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  try {
    await attempt();
  } catch (error) {
    const parent = dirname(path);
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT') || parent === path)
      throw error;
    await makeFolder(parent);
    await attempt();
  }
}

/** A short reason for a failed file operation, without the path Node repeats. */
export function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const code = 'code' in cause ? cause.code : undefined;
  const known: Record<string, string> = {
    ENOENT: 'there is no such file or folder',
    EACCES: 'permission denied',
    EISDIR: 'it is a folder',
    ENOTDIR: 'a part of the path is a file',
    EROFS: 'the file system is read-only',
    ENOSPC: 'the disk is full',
    EDQUOT: 'the quota of the disk is used up',
    EFBIG: 'it is larger than files may be here',
  };
  return (typeof code === 'string' ? known[code] : undefined) ?? cause.message;
}
