import { type Example, parseJsonFile } from '@unitscope/data';
import { UnitscopeError } from '@unitscope/tensor';
import { z } from 'zod';

/** Outputs of a network by the categories of a data set. */
export type ClassMapping = ReadonlyMap<string, number>;

const schema = z.record(z.string(), z.int().nonnegative());

/** `{"sparrow": 12, "owl": 0}`. Throws `not-found`, and `bad-file` naming what is wrong. */
export async function readClassMapping(path: string): Promise<ClassMapping> {
  return new Map(Object.entries(await parseJsonFile(path, schema, 'mapping of classes')));
}

/**
 * The class that a picture shows: that of its objects whose category the mapping knows. Throws `bad-input`, naming the
 * picture, where that is no class or more than one.
 */
export async function classOf(example: Example, mapping: ClassMapping): Promise<number> {
  const { objects } = await example.annotate();
  const shown = [...new Set(objects.map(({ category }) => category))];
  const classes = new Set(shown.flatMap((category) => mapping.get(category) ?? []));
  const [target] = classes;
  if (target !== undefined && classes.size === 1) return target;
  throw new UnitscopeError(
    'bad-input',
    classes.size === 0
      ? `${example.path} shows no object that --classes names; its objects are: ${shown.join(', ')}`
      : `${example.path} shows objects of ${classes.size} classes, so it has no one target: ${shown.join(', ')}`,
    { subject: example.path },
  );
}
