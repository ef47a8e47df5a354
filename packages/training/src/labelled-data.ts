import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type AnnotatedObject, type DataSet, readPictureFolder } from '@unitscope/data';
import { reasonOf, UnitscopeError, unknownName } from '@unitscope/tensor';
import type { LabelledPicture } from './samples.js';

/** Pictures with one category each. */
export interface LabelledData {
  readonly categories: readonly string[];
  readonly pictures: readonly LabelledPicture[];
  /** How many pictures were left out, since they have none of the categories or several. */
  readonly leftOut: number;
}

/**
 * The pictures of a folder with one folder for each category, which is called after it; both in the order of their names.
 * Undefined where the folder has no folders with pictures. Throws `not-found` for what cannot be read.
 */
export async function readCategoryFolders(folder: string): Promise<LabelledData | undefined> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new UnitscopeError('not-found', `cannot read ${folder}: ${reasonOf(cause)}`, {
      subject: folder,
      cause,
    });
  });
  const names = entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort((a, b) => (a < b ? -1 : 1));
  const categories: string[] = [];
  const pictures: LabelledPicture[] = [];
  for (const name of names) {
    const found = await readPictureFolder(join(folder, name));
    // A folder without pictures is a category without samples only where others have some.
    categories.push(name);
    for (const { id, path } of found?.examples ?? []) {
      pictures.push({ path, id: `${name}/${id}`, category: categories.length - 1 });
    }
  }
  return pictures.length === 0 ? undefined : { categories, pictures, leftOut: 0 };
}

/**
 * The pictures of a data set by the category of what they show: the one of `categories` that the objects in it have. By
 * default those of the objects with landmarks, or of all objects where none have any, so that a part or a colour, which a
 * data set may list as an object too, is no category.
 *
 * Throws `not-found` for a category the data set does not have, `bad-input` where no picture has exactly one, and the
 * errors of reading annotations.
 */
export async function labelDataSet(
  dataSet: DataSet,
  options: { readonly categories?: readonly string[] } = {},
): Promise<LabelledData> {
  const { objectCategories, examples, path } = dataSet;
  for (const name of options.categories ?? []) {
    if (!objectCategories.includes(name)) throw unknownName('category', name, objectCategories);
  }
  const objects: (readonly AnnotatedObject[])[] = [];
  for (const example of examples) objects.push((await example.annotate()).objects);
  const marked = new Set(objects.flat().flatMap((one) => (one.landmarks.length > 0 ? [one.category] : [])));
  const eligible = marked.size > 0 ? objectCategories.filter((name) => marked.has(name)) : objectCategories;
  const categories = options.categories ?? eligible;
  const pictures = examples.flatMap(({ id, path: file }, i): LabelledPicture[] => {
    const shown = new Set(
      objects[i]!.map(({ category }) => category).filter((name) => categories.includes(name)),
    );
    const [category, ...others] = shown;
    return category === undefined || others.length > 0
      ? []
      : [{ path: file, id, category: categories.indexOf(category) }];
  });
  if (pictures.length === 0) {
    throw new UnitscopeError(
      'bad-input',
      `no picture of ${path} shows one category alone; name the categories, or give a folder for each`,
      { subject: path },
    );
  }
  return { categories, pictures, leftOut: examples.length - pictures.length };
}
