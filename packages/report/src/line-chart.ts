import * as Plot from '@observablehq/plot';
import { type ChartLabels, render } from './charts.js';

export interface Line {
  readonly label: string;
  /** From left to right, one step apart, from 0. */
  readonly values: readonly number[];
}

export interface LineChartLabels extends ChartLabels {
  /** What the steps are. */
  readonly stepLabel: string;
}

// In pixels.
const PLOT_HEIGHT = 280;
const LABEL_HEIGHT = 14;

/** Values over steps, a line for each series with a legend where there are several, as one SVG document. */
export function lineChart(lines: readonly Line[], { title, valueLabel, stepLabel }: LineChartLabels): string {
  const labels = lines.map(({ label }) => label);
  const points = lines.flatMap(({ label, values }) => values.map((value, step) => ({ label, value, step })));
  const values = points.map(({ value }) => value);
  const [lowest, highest] = [Math.min(...values), Math.max(...values)];
  const ends = endsOf(lines, highest - lowest);
  const longest = Math.max(0, ...labels.map((label) => label.length));
  return render(title, {
    height: PLOT_HEIGHT + 46 + 46,
    marginLeft: 60,
    marginRight: lines.length > 1 ? Math.min(220, 24 + 7 * longest) : 24,
    marginBottom: 46,
    x: { label: stepLabel, labelArrow: 'none', labelAnchor: 'center', labelOffset: 40 },
    y: { label: valueLabel, grid: true, labelArrow: 'none', labelAnchor: 'center', nice: true },
    color: { domain: labels, scheme: 'observable10' },
    marks: [
      Plot.lineY(points, { x: 'step', y: 'value', stroke: 'label', strokeWidth: 1.5 }),
      ...(lines.length > 1
        ? [Plot.text(ends, { x: 'step', y: 'at', text: 'label', fill: 'label', textAnchor: 'start', dx: 6 })]
        : []),
    ],
  });
}

/** The last point of every line, with a place for its label: apart from each other by a line of text. */
function endsOf(lines: readonly Line[], range: number) {
  const ends = lines
    .filter(({ values }) => values.length > 0)
    .map(({ label, values }) => ({ label, step: values.length - 1, at: values.at(-1)! }))
    .sort((a, b) => a.at - b.at);
  const apart = (range * LABEL_HEIGHT) / PLOT_HEIGHT;
  for (const [i, end] of ends.entries()) {
    const below = ends[i - 1];
    if (below !== undefined) end.at = Math.max(end.at, below.at + apart);
  }
  return ends;
}
