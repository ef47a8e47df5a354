import type { DataSet } from '@unitscope/data';
import type { MeasureMean, MethodTruth } from '@unitscope/metrics';
import { formatTable } from '../table.js';
import { MEASURES } from './judge.js';

const HEADINGS: Readonly<Record<(typeof MEASURES)[number], string>> = {
  massInParts: 'mass in parts',
  concentration: 'concentration',
  pointing: 'pointing game',
  rankCorrelation: 'rank correlation',
  deletion: 'deletion',
  insertion: 'insertion',
};

/** A line for each method, means with their standard errors. */
export function describeTruths(truths: readonly MethodTruth[]): string {
  const header = ['method', ...MEASURES.map((measure) => HEADINGS[measure])];
  const rows = truths.map(({ method, measures }) => [
    method,
    ...MEASURES.map((measure) => shown(measures.find((one) => one.measure === measure))),
  ]);
  return formatTable(header, rows);
}

function shown(mean: MeasureMean | undefined): string {
  if (mean === undefined || mean.pictures === 0) return 'none';
  const error = Number.isNaN(mean.standardError) ? '' : ` ± ${mean.standardError.toFixed(3)}`;
  return `${mean.mean.toFixed(3)}${error}`;
}

/** What a result file says of the methods: all but the rows. */
export function summaryOf(truths: readonly MethodTruth[]) {
  return truths.map(({ method, pictures, measures }) => ({ method, pictures, measures }));
}

/** One line for each method and picture, empty where a picture does not give a measure. */
export function formatRows(truths: readonly MethodTruth[], { examples }: DataSet): string {
  const cell = (value: string | number) => {
    const text = Number.isNaN(value) ? '' : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const header = ['method', 'picture', ...(truths[0]?.measures ?? []).map(({ measure }) => measure)];
  const rows = truths.flatMap((truth) =>
    truth.rows.map(({ method, picture, values }) => [method, examples[picture]!.id, ...Array.from(values)]),
  );
  return [header, ...rows].map((row) => `${row.map(cell).join(',')}\n`).join('');
}
