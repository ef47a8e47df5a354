import { readFile } from 'node:fs/promises';
import { reasonOf, UnitscopeError } from '@unitscope/tensor';

/**
 * The names of a network's classes, by index. Reads a text file of one name per line, or JSON: `["tench", …]`,
 * `[{"index": 0, "label": "tench"}, …]`, `{"0": "tench", …}` or `{"0": ["n01440764", "tench"], …}`.
 *
 * Throws `not-found`, or `bad-file` for another shape, an index that is missing or given twice, or an empty list.
 */
export async function readClassNames(path: string): Promise<string[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new UnitscopeError('not-found', `cannot read class names ${path}: ${reasonOf(cause)}`, {
      subject: path,
      cause,
    });
  }
  return path.toLowerCase().endsWith('.json') ? namesOfJson(text, path) : namesOfLines(text, path);
}

function namesOfLines(text: string, path: string): string[] {
  const names = text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line) => line.trim());
  // A blank line inside stands for a class without a name; the file's last line ends in a newline.
  while (names.at(-1) === '') names.pop();
  if (names.length === 0) throw badFile(path, 'it has no lines');
  return names;
}

function namesOfJson(text: string, path: string): string[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw badFile(path, `it is not JSON: ${reasonOf(cause)}`);
  }
  if (typeof value !== 'object' || value === null) throw badFile(path, 'it is neither a list nor an object');
  const entries: readonly (readonly [unknown, unknown])[] = Array.isArray(value)
    ? value.map((item, position) => [fieldOf(item, 'index') ?? position, item] as const)
    : Object.entries(value);
  const names = new Map<number, string>();
  for (const [key, item] of entries) {
    const index = typeof key === 'string' && /^\d+$/.test(key) ? Number(key) : key;
    if (typeof index !== 'number' || !Number.isInteger(index) || index < 0) {
      throw badFile(path, `"${String(key)}" is not the index of a class`);
    }
    if (names.has(index)) throw badFile(path, `class ${index} is given twice`);
    const name = nameOf(item);
    if (name === undefined) throw badFile(path, `class ${index} has no name`);
    names.set(index, name);
  }
  if (names.size === 0) throw badFile(path, 'it is empty');
  return Array.from({ length: names.size }, (_, index) => {
    const name = names.get(index);
    if (name === undefined) throw badFile(path, `class ${index} is missing`);
    return name;
  });
}

function nameOf(item: unknown): string | undefined {
  if (typeof item === 'string') return item;
  const name = Array.isArray(item) ? item.at(-1) : (fieldOf(item, 'label') ?? fieldOf(item, 'name'));
  return typeof name === 'string' ? name : undefined;
}

function fieldOf(item: unknown, field: string): unknown {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return undefined;
  return Object.entries(item).find(([key]) => key === field)?.[1];
}

function badFile(path: string, why: string): UnitscopeError {
  return new UnitscopeError(
    'bad-file',
    `${path} does not hold class names: ${why}; give one name per line, or JSON like ["cat", "dog"]`,
    { subject: path },
  );
}
