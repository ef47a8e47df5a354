import { readFile, stat } from 'node:fs/promises';
import { reasonOf, UnitscopeError } from '@unitscope/tensor';

// The longest string that JavaScript can hold has 2^29 characters; the largest annotation file in use has 450 MB.
const MAX_BYTES = 500e6;

/**
 * A text file in UTF-8, without its byte order mark. Throws `not-found`, `bad-file` for more than 500 MB.
 *
 * @param what what to call it in an error
 */
export async function readTextFile(path: string, what: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > MAX_BYTES) {
      throw new UnitscopeError('bad-file', `${what} ${path} has ${size} bytes, more than ${MAX_BYTES}`, {
        subject: path,
      });
    }
    return (await readFile(path, 'utf8')).replace(/^\uFEFF/, '');
  } catch (cause) {
    if (cause instanceof UnitscopeError) throw cause;
    throw new UnitscopeError('not-found', `cannot read ${what} ${path}: ${reasonOf(cause)}`, {
      subject: path,
      cause,
    });
  }
}

/** What is wrong with one line of a text file, counted from 1. */
export function badLine(path: string, line: number, why: string): UnitscopeError {
  return new UnitscopeError('bad-file', `${path}, line ${line}: ${why}`, { subject: path });
}

/** A line of a text file. */
export interface Row {
  readonly path: string;
  /** Counted from 1. */
  readonly line: number;
  /** Where each field lies in `values`; one map for all lines of a file. */
  readonly columns: ReadonlyMap<string, number>;
  readonly values: readonly string[];
}

/** A field, empty where the file has no such column. */
export function fieldOf({ columns, values }: Row, name: string): string {
  const place = columns.get(name);
  return place === undefined ? '' : values[place]!;
}

/** A field that must not be empty. Throws `bad-file` naming the line. */
export function textOf(row: Row, name: string): string {
  const text = fieldOf(row, name);
  if (text === '') throw badLine(row.path, row.line, `${name} is empty`);
  return text;
}

/** A field that is a finite number. Throws `bad-file` naming the line. */
export function numberOf(row: Row, name: string): number {
  const text = textOf(row, name);
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw badLine(row.path, row.line, `${name} must be a number, not "${text}"`);
  return value;
}

/** A field that is an integer of at least `least` and at most `most`. Throws `bad-file` naming the line. */
export function integerOf(row: Row, name: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const value = numberOf(row, name);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
  throw badLine(row.path, row.line, `${name} must be an integer ${range}, not ${textOf(row, name)}`);
}

/** Throws `bad-file` naming the second line that has the same text in a field. */
export function requireOnce(rows: readonly Row[], name: string): void {
  const seen = new Set<string>();
  for (const row of rows) {
    const text = fieldOf(row, name);
    if (seen.has(text)) throw badLine(row.path, row.line, `${name} ${text} is given twice`);
    seen.add(text);
  }
}

/**
 * The lines of a text file of fields with blanks between them, the last of which may hold blanks itself; empty lines are
 * passed over. Throws `not-found`, and `bad-file` naming a line that has too few fields.
 */
export async function readFieldLines(path: string, names: readonly string[], what: string): Promise<Row[]> {
  const text = await readTextFile(path, what);
  const columns = new Map(names.map((name, place) => [name, place]));
  // As many fields as there are names: the last takes what is left of the line.
  const pattern = new RegExp(
    `^${names.map((_, i) => (i < names.length - 1 ? '(\\S+)' : '(\\S.*)')).join('\\s+')}$`,
  );
  return text.split(/\r?\n/).flatMap((content, i): Row[] => {
    const trimmed = content.trim();
    if (trimmed === '') return [];
    const found = pattern.exec(trimmed);
    if (found === null) throw badLine(path, i + 1, `must be ${names.map((name) => `<${name}>`).join(' ')}`);
    return [{ path, line: i + 1, columns, values: found.slice(1) }];
  });
}
