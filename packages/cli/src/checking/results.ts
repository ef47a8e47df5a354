import { formatCsv, type MeanInterval } from '@unitscope/metrics';
import { lineChart } from '@unitscope/report';
import {
  type InputShiftReport,
  type MeanSimilarity,
  RANDOMISATION_ORDERS,
  type RandomisationOrder,
  type RandomisationReport,
  type RandomisationStep,
} from '@unitscope/visualization';
import { formatTable } from '../table.js';
import { shortNumber } from './figures.js';

const FORMS = ['signed', 'absolute'] as const;
const MEASURES = ['rankCorrelation', 'structuralSimilarity', 'orientedGradients'] as const;

const NAMES: Readonly<Record<RandomisationOrder, string>> = {
  cascading: 'Cascading randomisation',
  independent: 'Independent randomisation',
};

const MEASURE_NAMES: Readonly<Record<(typeof MEASURES)[number], string>> = {
  rankCorrelation: 'rank correlation',
  structuralSimilarity: 'SSIM',
  orientedGradients: 'HOG similarity',
};

/** Of each method the largest change by each shift, what it was allowed, and the verdict. */
export function describeShifts({ shifts, verdicts }: InputShiftReport): string {
  const rows = verdicts.map(({ name, shifts: found, allowed, invariant }) => [
    name,
    ...found.map(({ deviations }) => shortNumber(Math.max(...deviations))),
    shortNumber(allowed),
    invariant ? 'invariant' : 'not invariant',
  ]);
  const header = ['input shift', ...shifts.map(({ name }) => name), 'allowed', 'verdict'];
  return formatTable(header, rows);
}

/** Of each method how much of its maps is left after the upper half of a cascade and at its end, and the verdict. */
export function describeRandomisation({ results }: RandomisationReport): string {
  const rows = results.map(({ method, orders, verdict }) => {
    const last = (orders.cascading ?? orders.independent)?.at(-1);
    return [
      method,
      verdict === undefined ? 'none' : shownMean(verdict.similarity),
      ...(last === undefined
        ? []
        : [
            last.signed.rankCorrelation,
            last.absolute.rankCorrelation,
            last.absolute.structuralSimilarity,
            last.absolute.orientedGradients,
          ].map(shownMean)),
      verdict?.outcome ?? 'none',
    ];
  });
  const header = [
    'parameter randomisation',
    'upper half',
    'last: rank',
    '|rank|',
    '|SSIM|',
    '|HOG|',
    'verdict',
  ];
  return formatTable(header, rows);
}

function shownMean({ mean, interval }: MeanInterval): string {
  if (Number.isNaN(mean)) return 'none';
  return `${mean.toFixed(2)}${Number.isNaN(interval) ? '' : ` ± ${interval.toFixed(2)}`}`;
}

/** A line for each method, order, layer, kind of map and measure; empty where there is no value. */
export function formatSteps({ results }: RandomisationReport): string {
  const header = ['method', 'order', 'layer', 'forgotten', 'maps', 'measure', 'mean', 'interval', 'pictures'];
  const number = (value: number) => (Number.isNaN(value) ? '' : value);
  const rows = results.flatMap(({ method, orders }) =>
    RANDOMISATION_ORDERS.flatMap((order) =>
      (orders[order] ?? []).flatMap((step) =>
        FORMS.flatMap((form) =>
          MEASURES.map((measure) => {
            const { mean, interval, count } = step[form][measure];
            return [
              ...[method, order, step.layer, step.forgotten, form, measure],
              ...[number(mean), number(interval), count],
            ];
          }),
        ),
      ),
    ),
  );
  return formatCsv([header, ...rows]);
}

/** Charts of similarity against layer as SVG, by a name for each: every order, kind of map and measure. */
export function drawCharts({ results }: RandomisationReport, pictures: number): ReadonlyMap<string, string> {
  const charts = new Map<string, string>();
  for (const order of RANDOMISATION_ORDERS) {
    const [first] = results;
    const steps = first?.orders[order];
    if (steps === undefined) continue;
    for (const form of FORMS) {
      for (const measure of MEASURES) {
        const lines = results.map(({ method, orders }) => ({
          label: method,
          // The trained network's own map is where every line begins.
          values: [1, ...(orders[order] ?? []).map((step) => step[form][measure].mean)],
        }));
        const lowest = Math.min(0, ...lines.flatMap(({ values }) => values.filter((v) => !Number.isNaN(v))));
        const chart = lineChart(lines, {
          title: `${NAMES[order]}: ${form} maps, mean of ${pictures === 1 ? 'one picture' : `${pictures} pictures`}`,
          valueLabel: MEASURE_NAMES[measure],
          stepLabel: order === 'cascading' ? 'drawn anew down to' : 'drawn anew',
          stepNames: ['trained', ...steps.map(({ layer }) => layer)],
          domain: [lowest, 1],
        });
        charts.set(
          `${order}-${form}-${measure === 'rankCorrelation' ? 'rank' : measure === 'structuralSimilarity' ? 'ssim' : 'hog'}`,
          chart,
        );
      }
    }
  }
  return charts;
}

/** The report for JSON, which has neither NaN nor infinity: they become null. */
export function shiftRecord({ tolerance, shifts, verdicts }: InputShiftReport) {
  return {
    tolerance,
    shifts,
    verdicts: verdicts.map(({ shifts: found, ...rest }) => ({
      ...rest,
      shifts: found.map((one) => ({
        ...one,
        deviations: one.deviations.map(finite),
        relativeL2: one.relativeL2.map(finite),
      })),
    })),
  };
}

/** As `shiftRecord`. */
export function randomisationRecord({ seed, layers, results }: RandomisationReport) {
  return {
    seed,
    layers,
    results: results.map(({ orders, verdict, ...rest }) => ({
      ...rest,
      verdict: verdict === undefined ? null : { ...verdict, similarity: meanRecord(verdict.similarity) },
      orders: Object.fromEntries(
        Object.entries(orders).map(([order, steps]) => [order, steps.map(stepRecord)]),
      ) as Partial<Record<RandomisationOrder, ReturnType<typeof stepRecord>[]>>,
    })),
  };
}

function stepRecord({ layer, forgotten, signed, absolute, similarities }: RandomisationStep) {
  return {
    layer,
    forgotten,
    signed: meansRecord(signed),
    absolute: meansRecord(absolute),
    pictures: similarities.map((similarity) => ({
      signed: Object.fromEntries(MEASURES.map((measure) => [measure, finite(similarity.signed[measure])])),
      absolute: Object.fromEntries(
        MEASURES.map((measure) => [measure, finite(similarity.absolute[measure])]),
      ),
    })),
  };
}

const meansRecord = (means: MeanSimilarity) =>
  Object.fromEntries(MEASURES.map((measure) => [measure, meanRecord(means[measure])]));

const meanRecord = ({ mean, interval, count }: MeanInterval) => ({
  mean: finite(mean),
  interval: finite(interval),
  count,
});

const finite = (value: number) => (Number.isFinite(value) ? value : null);
