import { dirname } from 'node:path';
import { UnitscopeError } from '@unitscope/tensor';
import { z } from 'zod';
import type { DataSet } from './data-set.js';
import { parseJsonFile } from './json-file.js';
import { insideFolder } from './paths.js';

/** The same picture with one part of what it shows gone, or looking as that of another category. */
export interface ChangedPicture {
  /** The name of the label of the part. */
  readonly part: string;
  readonly kind: 'removed' | 'exchanged';
  /** The picture's file. */
  readonly path: string;
}

const schema = z.object({
  interventions: z.array(
    z.object({
      image: z.string(),
      part: z.string(),
      kind: z.enum(['removed', 'exchanged']),
      file: z.string(),
    }),
  ),
});

/**
 * The changed pictures of a data set, by the id of the example they were made from, in the order of the file:
 * `{"interventions": [{"image": "000000.png", "part": "beak", "kind": "removed", "file": "interventions/a.png"}]}`, files
 * relative to the folder it lies in. Examples without any have no entry.
 *
 * Throws `not-found`, and `bad-file` naming the field that is wrong, a picture or part that the data set does not have, a
 * part that is removed twice from one picture, a file outside the folder.
 */
export async function readInterventions(
  path: string,
  { examples, table }: Pick<DataSet, 'examples' | 'table'>,
): Promise<ReadonlyMap<string, readonly ChangedPicture[]>> {
  const { interventions } = await parseJsonFile(path, schema, 'list of interventions');
  const bad = (why: string) =>
    new UnitscopeError('bad-file', `list of interventions ${path}: ${why}`, { subject: path });
  const ids = new Set(examples.map(({ id }) => id));
  const parts = new Set(table.labels.map(({ name }) => name));
  const found = new Map<string, ChangedPicture[]>();
  const removed = new Set<string>();
  for (const { image, part, kind, file } of interventions) {
    if (!ids.has(image)) throw bad(`the data set has no picture ${image}`);
    if (!parts.has(part)) throw bad(`the data set has no label "${part}", which ${file} is about`);
    const key = JSON.stringify([image, part]);
    if (kind === 'removed' && removed.has(key)) throw bad(`${part} is removed twice from ${image}`);
    if (kind === 'removed') removed.add(key);
    const list = found.get(image) ?? [];
    list.push({ part, kind, path: insideFolder(dirname(path), file, path) });
    found.set(image, list);
  }
  return found;
}
