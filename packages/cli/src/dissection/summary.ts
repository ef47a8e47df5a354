import { formatTable } from '../table.js';
import type { DissectionResult } from './results.js';
import type { CountPass } from './saved-pass.js';

const SHOWN_UNITS = 10;
const SHOWN_CONCEPTS = 8;

/**
 * What was found, in lines of text: the categories' detectors, the units that match best, and what could not be found
 * because of the parameters.
 */
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
    ...notesOf(result),
  ].join('\n');
}

function notesOf({ units, passes }: DissectionResult): string[] {
  const { parameters } = passes.counts.identity;
  const percent = (part: number) => `${Number((100 * part).toPrecision(3))} %`;
  const notes: string[] = [];
  const beyond = outOfReach(passes.counts);
  if (beyond.length > 0) {
    const shown = beyond.slice(0, SHOWN_CONCEPTS).join(', ');
    const more = beyond.length > SHOWN_CONCEPTS ? ` and ${beyond.length - SHOWN_CONCEPTS} more` : '';
    notes.push(
      `note: no mask can reach IoU ${parameters.iouThreshold} with ${shown}${more}: they cover too much or too little ` +
        `for masks of about ${percent(parameters.quantile)} of the area; another --quantile may show their detectors\n`,
    );
  }
  const atRest = units.filter(({ threshold }) => threshold === 0).length;
  if (atRest > 0) {
    notes.push(
      `note: ${atRest} units have the threshold 0, being 0 in ${percent(1 - parameters.quantile)} of the cells or more: ` +
        'their mask is wherever they are above it\n',
    );
  }
  return notes;
}

/**
 * Names of the concepts that are there but for which every unit's mask is too small or too large: the IoU of A active
 * and L labelled pixels is at most min(A, L) / max(A, L).
 */
function outOfReach({ counts, identity }: CountPass): string[] {
  const { table, parameters, units } = identity;
  const { area, categoryArea, labelPixels } = counts.result();
  return table.labels
    .filter(({ index, category }) => {
      const labelled = Number(labelPixels.data[index]);
      const place = table.categories.indexOf(category);
      const ofUnits = Array.from({ length: units }, (_, unit) =>
        Number(
          parameters.area === 'all'
            ? area.data[unit]
            : categoryArea.data[unit * table.categories.length + place],
        ),
      );
      return (
        labelled > 0 &&
        ofUnits.every(
          (active) => Math.min(active, labelled) <= parameters.iouThreshold * Math.max(active, labelled),
        )
      );
    })
    .map(({ name }) => name);
}
