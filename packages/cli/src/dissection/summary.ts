import { formatTable } from '../table.js';
import type { DissectionResult } from './results.js';

const SHOWN_UNITS = 10;

/** What was found, in lines of text: the categories' detectors, and the units that match best. */
export function describeDissection(result: DissectionResult): string {
  const { units, summary, passes } = result;
  const { table, parameters } = passes.counts.identity;
  const { paper, best } = summary.uniqueDetectors;
  const rows = table.categories.map((category) => [
    category,
    units.filter(
      ({ best: match }) =>
        match !== undefined && match.iou > parameters.iouThreshold && match.label.category === category,
    ).length,
    best.perCategory[category] ?? 0,
    paper.perCategory[category] ?? 0,
  ]);
  const found = [...units]
    .filter(({ best: match }) => match !== undefined)
    .sort((a, b) => b.best!.iou - a.best!.iou || a.unit - b.unit)
    .slice(0, SHOWN_UNITS)
    .map(({ unit, best: match }) => [unit, match!.label.name, match!.label.category, match!.iou.toFixed(4)]);
  return [
    formatTable(
      ['category', 'detectors', 'concepts', 'concepts (paper counting)'],
      [...rows, ['all', summary.detectors, best.total, paper.total]],
    ),
    formatTable(['unit', 'concept', 'category', 'IoU'], found),
  ].join('\n');
}
