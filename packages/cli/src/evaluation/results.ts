import type { DataSet } from '@unitscope/data';
import { formatCsv, type MeasureMean, type MethodTruth } from '@unitscope/metrics';
import { formatTable } from '../table.js';
import type { MEASURES } from './judge.js';

const COLUMNS = [
  ['mass in parts', 'massInParts'],
  ['concentration', 'concentration'],
  ['pointing game', 'pointing'],
  ['rank correlation', 'rankCorrelation'],
  ['deletion', 'deletion'],
  ['insertion', 'insertion'],
] as const;

/** A line for each method, means with their standard errors, and one for each that gives maps which say nothing. */
export function describeTruths(truths: readonly MethodTruth[]): string {
  const find = ({ measures }: MethodTruth, wanted: (typeof MEASURES)[number]) =>
    measures.find(({ measure }) => measure === wanted);
  const header = ['method', ...COLUMNS.map(([heading]) => heading)];
  const rows = truths.map((truth) => [
    truth.method,
    ...COLUMNS.map(([, measure]) => shown(find(truth, measure))),
  ]);
  const notes = truths.flatMap((truth) => {
    const silent = Math.round((find(truth, 'silent')?.mean ?? 0) * truth.pictures);
    if (silent === 0) return [];
    return [
      `note: ${truth.method}: ${silent} of ${truth.pictures} maps are zero everywhere and are left out\n`,
    ];
  });
  return formatTable(header, rows) + notes.join('');
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
  const header = ['method', 'picture', ...(truths[0]?.measures ?? []).map(({ measure }) => measure)];
  const rows = truths.flatMap((truth) =>
    truth.rows.map(({ method, picture, values }) => [method, examples[picture]!.id, ...Array.from(values)]),
  );
  return formatCsv([header, ...rows]);
}
