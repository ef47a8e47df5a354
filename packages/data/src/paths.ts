import { stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize, sep } from 'node:path';
import { UnitscopeError } from '@unitscope/tensor';

/**
 * The path of a file that a data set names. Data sets come from strangers: throws `bad-file` for a name that leads out of
 * the folder.
 *
 * @param source the file that says the name
 */
export function insideFolder(folder: string, name: string, source: string): string {
  const inside = normalize(name);
  if (name === '' || name.includes('\0') || isAbsolute(inside) || inside.split(sep).includes('..')) {
    throw new UnitscopeError('bad-file', `${source} names "${name}", which is not inside ${folder}`, {
      subject: source,
    });
  }
  return join(folder, inside);
}

/** Where the pictures that a file names lie: in `images/` beside it, or beside it themselves. */
export async function pictureFolder(path: string): Promise<string> {
  const images = join(dirname(path), 'images');
  const found = await stat(images).catch(() => undefined);
  return found?.isDirectory() === true ? images : dirname(path);
}
