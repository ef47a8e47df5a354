import { reasonOf, UnitscopeError } from '@unitscope/tensor';
import { parse } from 'csv-parse/sync';
import { badLine, type Row, readTextFile } from './text-file.js';

/** A CSV file with a header. */
export interface CsvFile {
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

interface CsvRecord {
  readonly line: number;
  readonly fields: readonly string[];
}

/**
 * A CSV file (RFC 4180) whose first line names its columns, of which `required` must be among them; empty lines are
 * passed over. Throws `not-found`, and `bad-file` naming the column that is missing or the line that is broken.
 *
 * @param what what to call it in an error
 */
export async function readCsvFile(path: string, required: readonly string[], what: string): Promise<CsvFile> {
  const text = await readTextFile(path, what);
  const records: CsvRecord[] = [];
  try {
    parse(text, {
      relax_column_count: true,
      skip_empty_lines: true,
      on_record: (fields: readonly string[], { lines }) => {
        records.push({ line: lines, fields });
        return null;
      },
    });
  } catch (cause) {
    throw new UnitscopeError('bad-file', `${what} ${path} is not CSV: ${reasonOf(cause)}`, {
      subject: path,
      cause,
    });
  }
  const [header, ...rest] = records;
  if (header === undefined)
    throw new UnitscopeError('bad-file', `${what} ${path} is empty`, { subject: path });
  const columns = header.fields;
  const missing = required.filter((name) => !columns.includes(name));
  if (missing.length > 0)
    throw badLine(path, 1, `${what} must have the column ${missing[0]}; it has: ${columns.join(', ')}`);
  if (new Set(columns).size !== columns.length) throw badLine(path, 1, 'two columns have one name');
  const places = new Map(columns.map((name, place) => [name, place]));
  const rows = rest.map(({ line, fields }): Row => {
    if (fields.length !== columns.length)
      throw badLine(path, line, `it has ${fields.length} fields, the header names ${columns.length}`);
    return { path, line, columns: places, values: fields };
  });
  return { columns, rows };
}
