import { access, constants, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { reasonOf, UnitscopeError } from '@unitscope/tensor';

/**
 * Refuses now what could not be written after the work is done, as far as it can be known. Changes nothing.
 *
 * Throws `not-found` for a place that cannot be written to, `wrong-use` for files that would replace each other or
 * something that is read.
 */
export async function requireOutputs(outputs: readonly string[], sources: readonly string[]): Promise<void> {
  const taken = new Set(sources.map((path) => resolve(path)));
  for (const path of outputs) {
    if (taken.has(resolve(path))) {
      throw new UnitscopeError('wrong-use', `${path} is named twice: writing it would lose what is there`, {
        subject: path,
      });
    }
    taken.add(resolve(path));
    await requireWritable(path);
  }
}

async function requireWritable(path: string): Promise<void> {
  const refuse = (reason: string, cause?: unknown) =>
    new UnitscopeError('not-found', `cannot write ${path}: ${reason}`, { subject: path, cause });
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) throw refuse('it is a folder; name a file in it');
  // Missing folders will be made: the nearest one that is there decides.
  for (let folder = dirname(resolve(path)); ; folder = dirname(folder)) {
    try {
      const isFolder = (await stat(folder)).isDirectory();
      if (!isFolder) throw refuse(`${folder} is not a folder`);
      return await access(folder, constants.W_OK | constants.X_OK);
    } catch (error) {
      if (error instanceof UnitscopeError) throw error;
      const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (!missing || folder === dirname(folder)) throw refuse(reasonOf(error), error);
    }
  }
}
