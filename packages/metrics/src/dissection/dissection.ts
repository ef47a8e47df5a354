import type { IouCounts } from '@unitscope/kernels';
import { UnitscopeError } from '@unitscope/tensor';
import { conceptsOf, type Label, type LabelTable } from '../labels.js';
import type { DissectionParameters } from './parameters.js';

/** How well one unit matches one concept, over the data set. */
export interface Match {
  readonly label: Label;
  /** I / (A + L - I), A being the active area that the convention counts. */
  readonly iou: number;
  readonly intersection: number;
  readonly union: number;
  /** Pixels with the label. */
  readonly labelPixels: number;
  /** Active pixels, A. */
  readonly area: number;
}

export interface DissectedUnit {
  /** 0-based channel. */
  readonly unit: number;
  /** T_k. */
  readonly threshold: number;
  /** The concept of the largest IoU, undefined for a unit that meets none; the lowest index among equals. */
  readonly best: Match | undefined;
  /** The best concept of each category, in the order of the table; categories that it meets in no pixel are left out. */
  readonly perCategory: readonly Match[];
}

/** How many different concepts have a detector. */
export interface UniqueDetectors {
  readonly total: number;
  readonly perCategory: Readonly<Record<string, number>>;
}

export interface DissectionSummary {
  readonly units: number;
  /** Units whose best IoU exceeds the threshold. */
  readonly detectors: number;
  readonly uniqueDetectors: {
    /** As the paper's figures count: in each category by the units' best concept of that category, then summed. */
    readonly paper: UniqueDetectors;
    /** By each unit's one best concept, as reports of dissections count. */
    readonly best: UniqueDetectors;
  };
}

export interface Dissection {
  readonly units: readonly DissectedUnit[];
  readonly summary: DissectionSummary;
}

/**
 * Which concept each unit detects (Bau et al., arXiv:1704.05796, Eq 4), from the thresholds and the counts of a whole
 * data set. Pure: equal counts give an equal result.
 */
export function dissectionOf(
  counts: IouCounts,
  thresholds: Float64Array,
  table: LabelTable,
  parameters: Pick<DissectionParameters, 'area' | 'iouThreshold'>,
): Dissection {
  const { categoryOf, categories } = conceptsOf(table);
  const concepts = categoryOf.length;
  const unitCount = thresholds.length;
  if (counts.area.data.length !== unitCount || counts.intersection.data.length !== unitCount * concepts)
    throw new UnitscopeError('wrong-use', 'the counts are not of these thresholds and labels');
  const labels = [...table.labels].sort((a, b) => a.index - b.index);
  const matchOf = (unit: number, label: Label): Match => {
    const at = parameters.area === 'all' ? counts.area : counts.categoryArea;
    const position = parameters.area === 'all' ? unit : unit * categories + categoryOf[label.index]!;
    const intersection = Number(counts.intersection.data[unit * concepts + label.index]);
    const labelPixels = Number(counts.labelPixels.data[label.index]);
    const area = Number(at.data[position]);
    const union = area + labelPixels - intersection;
    return { label, iou: union === 0 ? 0 : intersection / union, intersection, union, labelPixels, area };
  };
  const units = Array.from({ length: unitCount }, (_, unit): DissectedUnit => {
    const perCategory = table.categories.flatMap((category) => {
      const best = bestOf(
        labels.filter((label) => label.category === category).map((label) => matchOf(unit, label)),
      );
      return best === undefined ? [] : [best];
    });
    return { unit, threshold: thresholds[unit]!, best: bestOf(byIndex(perCategory)), perCategory };
  });
  return { units, summary: summaryOf(units, table.categories, parameters.iouThreshold) };
}

function bestOf(matches: readonly Match[]): Match | undefined {
  return matches.reduce<Match | undefined>(
    (best, match) => (match.iou > (best?.iou ?? 0) ? match : best),
    undefined,
  );
}

function byIndex(matches: readonly Match[]): Match[] {
  return [...matches].sort((a, b) => a.label.index - b.label.index);
}

function summaryOf(
  units: readonly DissectedUnit[],
  categories: readonly string[],
  iouThreshold: number,
): DissectionSummary {
  const detected = ({ iou }: Match) => iou > iouThreshold;
  const best = units.flatMap((unit) => (unit.best !== undefined && detected(unit.best) ? [unit.best] : []));
  const each = units.flatMap(({ perCategory }) => perCategory.filter(detected));
  return {
    units: units.length,
    detectors: best.length,
    uniqueDetectors: { paper: uniqueOf(each, categories), best: uniqueOf(best, categories) },
  };
}

function uniqueOf(matches: readonly Match[], categories: readonly string[]): UniqueDetectors {
  const perCategory = categories.map((category) => {
    const found = matches.filter(({ label }) => label.category === category);
    return [category, new Set(found.map(({ label }) => label.index)).size] as const;
  });
  return {
    total: perCategory.reduce((sum, [, count]) => sum + count, 0),
    perCategory: Object.fromEntries(perCategory),
  };
}
