import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { reasonOf, UnitscopeError } from '@unitscope/tensor';
import type { DataSet, Example } from './data-set.js';

const PICTURE = /\.(jpe?g|png|webp|gif|tiff?|avif)$/i;

/**
 * The pictures of a folder and of the folders in it, without annotations, in the order of their names; undefined where
 * there are none. What begins with a dot is left out; links to files count, links to folders do not.
 *
 * Throws `not-found` for what cannot be read.
 */
export async function readPictureFolder(folder: string): Promise<DataSet | undefined> {
  const read = async <T>(path: string, work: Promise<T>): Promise<T> =>
    work.catch((cause: unknown) => {
      throw new UnitscopeError('not-found', `cannot read ${path}: ${reasonOf(cause)}`, {
        subject: path,
        cause,
      });
    });
  const entries = await read(folder, readdir(folder, { recursive: true }));
  const names = entries
    // The same on every machine, whatever separates folders there.
    .map((name) => name.split(sep).join('/'))
    .filter((name) => PICTURE.test(name) && !name.split('/').some((part) => part.startsWith('.')))
    .sort((a, b) => (a < b ? -1 : 1));
  const hash = createHash('sha256');
  const examples: Example[] = [];
  for (const id of names) {
    const path = join(folder, id);
    const found = await read(path, stat(path));
    if (!found.isFile()) continue;
    hash.update(JSON.stringify([id, found.size]));
    examples.push({
      id,
      path,
      annotate: async () => ({ pixelLabels: [], imageLabels: [], objects: [] }),
    });
  }
  if (examples.length === 0) return undefined;
  return {
    format: 'pictures',
    path: folder,
    table: { categories: [], labels: [], pixelLayers: [], imageLayers: [] },
    landmarkNames: [],
    objectCategories: [],
    examples,
    sha256: hash.digest('hex'),
  };
}
