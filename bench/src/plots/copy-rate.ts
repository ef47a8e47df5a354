import { groupBy } from '../group-by.js';
import { bar, COLORS, dot, line, picture, text, widthOf } from './svg.js';

export interface CopyRate {
  readonly kernel: string;
  readonly name: string;
  /** By thread count: our rate over that of a copy of as many bytes. */
  readonly ofCopy: ReadonlyMap<number, number>;
}

const ROW = 17;
const TOP = 72;
const BAR_WIDTH = 460;
const NUMBER_WIDTH = 48;

/** A bar for every case: how near the kernel comes to a copy of as many bytes. */
export function plotCopyRates(title: string, rates: readonly CopyRate[]): string {
  const counts = [...new Set(rates.flatMap(({ ofCopy }) => [...ofCopy.keys()]))].sort((a, b) => a - b);
  const most = counts.at(-1)!;
  const others = counts.slice(0, -1);
  const kernels = groupBy(rates, ({ kernel }) => kernel);
  const left = 24 + Math.max(...rates.map(({ name }) => widthOf(name, 11)));
  const largest = Math.max(1, ...rates.flatMap(({ ofCopy }) => [...ofCopy.values()]));
  const place = (fraction: number) => left + (fraction / largest) * BAR_WIDTH;
  const bottom = TOP + ROW * (rates.length + 1.5 * kernels.size);

  const elements = [text([16, 28], title, { size: 16, bold: true })];
  const dots = others.length === 0 ? '' : `; dots: on ${others.join(' and ')}`;
  elements.push(text([16, 48], `bars: on ${most} threads${dots}; 1 is the rate of a copy of as many bytes`));
  const step = largest > 2 ? 0.5 : 0.25;
  for (let fraction = 0; fraction <= largest + 1e-9; fraction += step) {
    const isOne = Math.abs(fraction - 1) < 1e-9;
    const x = place(fraction);
    elements.push(
      line(
        [
          [x, TOP],
          [x, bottom],
        ],
        { color: isOne ? COLORS.ink : COLORS.faint },
      ),
    );
    elements.push(text([x, bottom + 16], `${fraction}`, { anchor: 'middle' }));
  }
  let y = TOP;
  for (const [kernel, cases] of kernels) {
    y += ROW * 1.5;
    elements.push(text([16, y - 5], kernel, { bold: true }));
    for (const { name, ofCopy } of cases) {
      elements.push(text([left - 8, y + 12], name, { anchor: 'end', size: 11 }));
      const reached = ofCopy.get(most);
      if (reached !== undefined)
        elements.push(bar([left, y + 3], place(reached) - left, ROW - 6, COLORS.blue));
      for (const count of others) {
        const value = ofCopy.get(count);
        if (value !== undefined) elements.push(dot([place(value), y + ROW / 2], COLORS.orange, 3));
      }
      for (const [i, count] of [most, ...others].entries()) {
        const color = count === most ? COLORS.blue : COLORS.orange;
        const number = ofCopy.get(count)?.toFixed(2) ?? '';
        const column = left + BAR_WIDTH + NUMBER_WIDTH * (i + 1);
        elements.push(text([column, y + 12], number, { anchor: 'end', size: 11, color }));
      }
      y += ROW;
    }
  }
  return picture(left + BAR_WIDTH + NUMBER_WIDTH * counts.length + 24, bottom + 32, elements);
}
