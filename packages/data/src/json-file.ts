import { reasonOf, UnitscopeError } from '@unitscope/tensor';
import type { z } from 'zod';
import { readTextFile } from './text-file.js';

/**
 * A JSON file of the shape that `schema` describes.
 *
 * @param what what to call it in an error; throws `not-found`, and `bad-file` naming the first field that is wrong
 */
export async function parseJsonFile<T extends z.ZodType>(
  path: string,
  schema: T,
  what: string,
): Promise<z.output<T>> {
  const text = await readTextFile(path, what);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new UnitscopeError('bad-file', `${what} ${path} is not JSON: ${reasonOf(cause)}`, {
      subject: path,
      cause,
    });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw wrongField(path, what, parsed.error);
}

/** A `bad-file` error that names the first field that is wrong, in the file or in the part of it at `place`. */
export function wrongField(
  path: string,
  what: string,
  error: z.ZodError,
  place: readonly (string | number)[] = [],
): UnitscopeError {
  const [issue] = error.issues;
  const field = [...place, ...(issue?.path ?? [])].map(String).join('.');
  return new UnitscopeError(
    'bad-file',
    `${what} ${path}: ${field === '' ? 'it' : `field ${field}`} is wrong (${issue?.message ?? ''})`,
    { subject: path, cause: error },
  );
}
