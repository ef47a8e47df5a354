type Row = readonly (string | number)[];

/** Lines of text with the columns aligned; numbers to the right, everything else to the left. */
export function formatTable(header: readonly string[] | undefined, rows: readonly Row[]): string {
  const cells = [...(header === undefined ? [] : [header]), ...rows].map((row) => row.map(String));
  const columns = [...(cells[0] ?? []).keys()];
  const widths = columns.map((column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  const isNumber = columns.map(
    (column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'),
  );
  return cells
    .map((row) =>
      row
        .map((cell, column) =>
          isNumber[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}
