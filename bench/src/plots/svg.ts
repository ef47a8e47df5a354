/** Colours that are told apart in grey as well, and by people who do not see all colours alike (Okabe and Ito). */
export const COLORS = {
  ink: '#222222',
  faint: '#dddddd',
  blue: '#0072b2',
  orange: '#d55e00',
  green: '#009e73',
} as const;

export interface TextStyle {
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly size?: number;
  readonly bold?: boolean;
  readonly color?: string;
  /** Degrees clockwise around the place. */
  readonly turn?: number;
}

export interface LineStyle {
  readonly color?: string;
  readonly width?: number;
  readonly dashed?: boolean;
}

export type Point = readonly [x: number, y: number];

const escaped = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

/** Tenths of a pixel are enough. */
const at = (value: number) => `${Math.round(value * 10) / 10}`;

/** A picture of these elements on white. */
export function picture(width: number, height: number, elements: readonly string[]): string {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${at(width)}" height="${at(height)}" ` +
    `viewBox="0 0 ${at(width)} ${at(height)}" font-family="Helvetica, Arial, DejaVu Sans, sans-serif">\n` +
    `<rect width="100%" height="100%" fill="white"/>\n${elements.join('\n')}\n</svg>\n`
  );
}

export function text([x, y]: Point, content: string, style: TextStyle = {}): string {
  const { anchor = 'start', size = 12, bold = false, color = COLORS.ink, turn } = style;
  const turned = turn === undefined ? '' : ` transform="rotate(${turn} ${at(x)} ${at(y)})"`;
  const weight = bold ? ' font-weight="bold"' : '';
  return `<text x="${at(x)}" y="${at(y)}" font-size="${size}" text-anchor="${anchor}" fill="${color}"${weight}${turned}>${escaped(content)}</text>`;
}

export function line(points: readonly Point[], style: LineStyle = {}): string {
  const { color = COLORS.ink, width = 1, dashed = false } = style;
  const path = points.map(([x, y]) => `${at(x)},${at(y)}`).join(' ');
  const dashes = dashed ? ' stroke-dasharray="5 4"' : '';
  return `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="${width}"${dashes}/>`;
}

export function bar([x, y]: Point, width: number, height: number, color: string): string {
  return `<rect x="${at(x)}" y="${at(y)}" width="${at(width)}" height="${at(height)}" fill="${color}"/>`;
}

export function dot([x, y]: Point, color: string, radius = 4): string {
  return `<circle cx="${at(x)}" cy="${at(y)}" r="${radius}" fill="${color}"/>`;
}

/** About how wide a text is, on the safe side. */
export function widthOf(content: string, size: number): number {
  return content.length * size * 0.6;
}

/** An axis of logarithms: where a value lies, and the values that are marked. */
export interface LogAxis {
  readonly place: (value: number) => number;
  readonly ticks: readonly number[];
}

/** From `low` at the place `from` to `high` at the place `to`; marks powers of ten, and more where there are few. */
export function logAxis(low: number, high: number, from: number, to: number): LogAxis {
  const [start, end] = [Math.log10(low), Math.log10(high)];
  const place = (value: number) => from + ((Math.log10(value) - start) / (end - start)) * (to - from);
  const steps = end - start > 2.5 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = Math.floor(start); power <= end; power++) {
    for (const step of steps) {
      const value = step * 10 ** power;
      if (value >= low * 0.999 && value <= high * 1.001) ticks.push(value);
    }
  }
  return { place, ticks };
}

/** A number as an axis shows it: 0.02, 5, 2000. */
export function short(value: number): string {
  return `${Number(value.toPrecision(2))}`;
}

/**
 * Places for labels as near as possible to where they are wanted, at least `gap` apart and from `low` on, in the order of
 * what is wanted.
 */
export function spread(wanted: readonly number[], gap: number, low: number, high: number): number[] {
  const order = [...wanted.keys()].sort((a, b) => wanted[a]! - wanted[b]!);
  const places = new Array<number>(wanted.length).fill(0);
  let last = low - gap;
  for (const i of order) {
    last = Math.max(wanted[i]!, last + gap);
    places[i] = last;
  }
  // What has been pushed beyond the end pushes back.
  let next = high + gap;
  for (const i of order.reverse()) {
    next = Math.min(places[i]!, next - gap);
    places[i] = next;
  }
  return places;
}
