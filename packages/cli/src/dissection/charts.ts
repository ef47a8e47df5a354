import { rasteriseSvg } from '@unitscope/data';
import type { DissectionResult } from './results.js';

// What draws charts is a third of all that the program holds in memory: it is loaded when a run is over, because the garbage
// collector would go through it again and again.
const charts = () => import('@unitscope/report');

type Files = Promise<[string, string | Uint8Array][]>;

/** Detectors and unique detectors of each category. */
export async function drawDetectors({ units, summary, passes }: DissectionResult): Files {
  const { table, parameters } = passes.counts.identity;
  const detected = units.flatMap(({ best }) =>
    best !== undefined && best.iou > parameters.iouThreshold ? [best.label] : [],
  );
  const bars = table.categories.flatMap((category) => [
    {
      group: category,
      kind: 'units',
      value: detected.filter((label) => label.category === category).length,
    },
    { group: category, kind: 'concepts', value: summary.uniqueDetectors.best.perCategory[category] ?? 0 },
  ]);
  const { barChart } = await charts();
  return both(
    'detectors',
    barChart(bars, {
      title: `${summary.detectors} of ${summary.units} units detect ${summary.uniqueDetectors.best.total} concepts`,
      valueLabel: `units with IoU above ${parameters.iouThreshold}, and the different concepts they detect`,
    }),
  );
}

/** How many units reach which IoU. */
export async function drawHistogram({ units, passes }: DissectionResult): Files {
  const { iouThreshold } = passes.counts.identity.parameters;
  const { histogram } = await charts();
  return both(
    'iou-histogram',
    histogram(
      units.map(({ best }) => best?.iou ?? 0),
      {
        title: 'Best IoU of the units',
        valueLabel: 'IoU',
        countLabel: 'units',
        interval: 0.01,
        mark: iouThreshold,
      },
    ),
  );
}

async function both(name: string, svg: string): Files {
  return [
    [`${name}.svg`, svg],
    [`${name}.png`, await rasteriseSvg(svg, { scale: 2 })],
  ];
}
