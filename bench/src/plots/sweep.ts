import type { SweepResult, SweepRow } from '../sweep.js';
import { COLORS, dot, line, logAxis, type Point, picture, short, text } from './svg.js';

const COLUMNS = 3;
const [PANEL_WIDTH, PANEL_HEIGHT] = [320, 260];
const [LEFT, RIGHT, TOP, BOTTOM] = [56, 300, 58, 222];
const HEAD = 64;

/** A panel for every sweep: times, the power law fitted to them, and one of the predicted exponent. */
export function plotSweeps({ machine, date, rows }: SweepResult): string {
  const title = `Time by size: ${machine.cpu}, ${machine.isa}, threads ${machine.threads}, ${date.slice(0, 10)}`;
  const elements = [
    text([16, 28], title, { size: 16, bold: true }),
    text([16, 50], 'ms of the fastest round; line: fitted, dashed: grown as the work grows'),
  ];
  for (const [i, row] of rows.entries()) {
    const origin: Point = [(i % COLUMNS) * PANEL_WIDTH, HEAD + Math.floor(i / COLUMNS) * PANEL_HEIGHT];
    elements.push(...panel(row, origin));
  }
  const height = HEAD + Math.ceil(rows.length / COLUMNS) * PANEL_HEIGHT + 12;
  return picture(COLUMNS * PANEL_WIDTH + 16, height, elements);
}

function panel(
  { kernel, parameter, fixed, points, predicted, fitted }: SweepRow,
  [left, top]: Point,
): string[] {
  const values = points.map(({ value }) => value);
  const [first, last] = [Math.min(...values), Math.max(...values)];
  const law = (exponent: number) => (value: number) => {
    // Through the middle of the fit, where both laws agree.
    const middle = Math.sqrt(first * last);
    return fitted.factor * middle ** fitted.exponent * (value / middle) ** exponent;
  };
  const laws = [law(fitted.exponent), law(predicted)];
  const times = [...points.map(({ min }) => min), ...laws.flatMap((each) => [each(first), each(last)])];
  const x = logAxis(first / 1.2, last * 1.2, left + LEFT, left + RIGHT);
  // At least a power of ten, so that what stays the same looks the same.
  const [low, high] = [Math.min(...times) / 1.5, Math.max(...times) * 1.5];
  const widening = Math.max(1, Math.sqrt((10 * low) / high));
  const y = logAxis(low / widening, high * widening, top + BOTTOM, top + TOP);
  const exponents = `exponent ${fitted.exponent.toFixed(2)} ± ${fitted.error.toFixed(2)}, work ${predicted}`;
  const elements = [
    text([left + 16, top + 18], `${kernel} over ${parameter}`, { size: 13, bold: true }),
    text([left + 16, top + 33], exponents, { size: 11 }),
    text([left + 16, top + 48], fixed, { size: 11 }),
  ];
  for (const value of y.ticks) {
    const place = y.place(value);
    const ends: Point[] = [
      [left + LEFT, place],
      [left + RIGHT, place],
    ];
    elements.push(line(ends, { color: COLORS.faint }));
    elements.push(text([left + LEFT - 6, place + 4], short(value), { anchor: 'end', size: 11 }));
  }
  // The values themselves are the marks: they are few, and each at least a fifth above the last.
  for (const value of values) {
    const mark = value < 10000 ? `${value}` : `${Math.round(value / 1000)}k`;
    elements.push(text([x.place(value), top + BOTTOM + 16], mark, { anchor: 'middle', size: 10 }));
  }
  const draw = (of: (value: number) => number): Point[] =>
    [first, last].map((value): Point => [x.place(value), y.place(of(value))]);
  elements.push(line(draw(laws[1]!), { color: COLORS.orange, dashed: true }));
  elements.push(line(draw(laws[0]!), { color: COLORS.blue }));
  for (const { value, min } of points) elements.push(dot([x.place(value), y.place(min)], COLORS.blue, 3));
  return elements;
}
