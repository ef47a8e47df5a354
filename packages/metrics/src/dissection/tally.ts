import { formatCsv } from '../csv.js';
import type { DissectedUnit, Match } from './dissection.js';

/**
 * The units as the field's `tally.csv`: sorted by IoU from the largest down, `unit` counted from 1, and of every
 * category the best label with its pixels (`truth`), the unit's active pixels (`activation`), their intersection and
 * IoU.
 */
export function formatTally(units: readonly DissectedUnit[], categories: readonly string[]): string {
  const columns = ['label', 'truth', 'activation', 'intersect', 'iou'];
  const header = [
    'unit',
    'category',
    'label',
    'score',
    ...categories.flatMap((category) => columns.map((column) => `${category}-${column}`)),
  ];
  const sorted = [...units].sort((a, b) => (b.best?.iou ?? 0) - (a.best?.iou ?? 0) || a.unit - b.unit);
  const rows = sorted.map(({ unit, best, perCategory }) => [
    unit + 1,
    best?.label.category ?? '',
    best?.label.name ?? '',
    best?.iou ?? 0,
    ...categories.flatMap((category) =>
      cellsOf(perCategory.find(({ label }) => label.category === category)),
    ),
  ]);
  return formatCsv([header, ...rows]);
}

function cellsOf(match: Match | undefined): (string | number)[] {
  if (match === undefined) return ['', '', '', '', ''];
  return [match.label.name, match.labelPixels, match.area, match.intersection, match.iou];
}
