import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';

export interface ChartLabels {
  readonly title: string;
  /** What the values are, with their unit. */
  readonly valueLabel: string;
}

export interface Bar {
  readonly group: string;
  /** Which bar of the group. */
  readonly kind: string;
  readonly value: number;
}

export interface HistogramLabels extends ChartLabels {
  readonly countLabel: string;
  /** How much each bar stands for. */
  readonly interval: number;
  /** A value that is marked by a line. */
  readonly mark?: number;
}

const WIDTH = 640;
const STYLE = { fontFamily: 'sans-serif', fontSize: '12px', background: 'white' };
const COLOURS = ['#4269d0', '#efb118'];

/** Grouped horizontal bars with their values, as one SVG document. */
export function barChart(bars: readonly Bar[], { title, valueLabel }: ChartLabels): string {
  const groups = [...new Set(bars.map(({ group }) => group))];
  const kinds = [...new Set(bars.map(({ kind }) => kind))];
  const longest = Math.max(4, ...groups.map((group) => group.length));
  return render(title, {
    height: 96 + groups.length * (kinds.length * 20 + 14),
    marginLeft: 24 + 7 * Math.min(longest, 24),
    marginRight: 90,
    marginBottom: 46,
    x: { label: valueLabel, grid: true, labelAnchor: 'center', labelArrow: 'none', labelOffset: 40 },
    y: { axis: null, domain: kinds },
    fy: { label: null, domain: groups },
    color: { domain: kinds, range: COLOURS },
    marks: [
      Plot.barX(bars, { x: 'value', y: 'kind', fy: 'group', fill: 'kind' }),
      Plot.text(bars, {
        // Beside the bar where it is free: a bar below zero has the names on its other side.
        x: ({ value }: Bar) => Math.max(0, value),
        y: 'kind',
        fy: 'group',
        text: ({ value, kind }: Bar) => `${value} ${kind}`,
        textAnchor: 'start',
        dx: 5,
      }),
      Plot.axisFy({ anchor: 'left', label: null }),
      Plot.ruleX([0]),
    ],
  });
}

/** How many values lie where, as one SVG document. */
export function histogram(
  values: readonly number[],
  { title, valueLabel, countLabel, interval, mark }: HistogramLabels,
): string {
  return render(title, {
    height: 300,
    marginLeft: 56,
    marginBottom: 46,
    x: { label: valueLabel, labelArrow: 'none', labelAnchor: 'center', labelOffset: 40 },
    y: { label: countLabel, grid: true, labelArrow: 'none', labelAnchor: 'center' },
    marks: [
      Plot.rectY(values, {
        ...Plot.binX({ y: 'count' }, { x: (value: number) => value, interval }),
        fill: COLOURS[0]!,
      }),
      Plot.ruleY([0]),
      ...(mark === undefined ? [] : [Plot.ruleX([mark], { stroke: '#d00', strokeDasharray: '4,3' })]),
    ],
  });
}

/** One SVG document with its title drawn above the marks. */
export function render(title: string, options: Plot.PlotOptions): string {
  const { document } = parseHTML('<html></html>');
  // A figure with a title would be HTML; the title is drawn into the picture instead.
  const svg = Plot.plot({
    ...options,
    document,
    width: WIDTH,
    marginTop: 46,
    style: STYLE,
    marks: [
      Plot.text([title], {
        facet: 'super',
        frameAnchor: 'top-left',
        dy: -34,
        fontSize: 15,
        fontWeight: 'bold',
      }),
      ...(options.marks ?? []),
    ],
  });
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return `${svg.outerHTML}\n`;
}
