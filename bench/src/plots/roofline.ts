import { COLORS, dot, line, logAxis, type Point, picture, short, spread, text, widthOf } from './svg.js';

export interface RooflinePoint {
  readonly name: string;
  readonly flops: number;
  readonly bytes: number;
  /** GFLOP/s reached. */
  readonly rate: number;
}

export interface Roofs {
  /** GB/s of a copy. */
  readonly copy: number;
  /** GFLOP/s in registers. */
  readonly peak32: number;
  readonly peak64: number;
}

const [WIDTH, HEIGHT] = [960, 520];
const [LEFT, RIGHT, TOP, BOTTOM] = [70, 660, 60, 460];

/**
 * The roofline plot (Williams, Waterman and Patterson, CACM 2009): operations for every byte that must move against
 * GFLOP/s, under what copying and multiplying at full speed would allow.
 */
export function plotRoofline(title: string, points: readonly RooflinePoint[], roofs: Roofs): string {
  const { copy, peak32, peak64 } = roofs;
  const intensities = [...points.map(({ flops, bytes }) => flops / bytes), peak64 / copy, peak32 / copy];
  const rates = [...points.map(({ rate }) => rate), peak32];
  const decade = (value: number, round: (power: number) => number) => 10 ** round(Math.log10(value));
  const [least, most] = [Math.min(...intensities) / 1.5, Math.max(...intensities) * 1.5];
  const [low, high] = [decade(least, Math.floor), decade(most, Math.ceil)];
  const bottom = decade(Math.min(...rates, low * copy), Math.floor);
  const x = logAxis(low, high, LEFT, RIGHT);
  const y = logAxis(bottom, Math.max(...rates) * 2, BOTTOM, TOP);

  const elements = [text([LEFT, 28], title, { size: 16, bold: true })];
  for (const value of x.ticks) {
    const place = x.place(value);
    elements.push(
      line(
        [
          [place, TOP],
          [place, BOTTOM],
        ],
        { color: COLORS.faint },
      ),
    );
    elements.push(text([place, BOTTOM + 18], short(value), { anchor: 'middle' }));
  }
  for (const value of y.ticks) {
    const place = y.place(value);
    elements.push(
      line(
        [
          [LEFT, place],
          [RIGHT, place],
        ],
        { color: COLORS.faint },
      ),
    );
    elements.push(text([LEFT - 8, place + 4], short(value), { anchor: 'end' }));
  }
  const middle: Point = [(LEFT + RIGHT) / 2, BOTTOM + 42];
  elements.push(text(middle, 'floating-point operations / byte that must move', { anchor: 'middle' }));
  elements.push(text([22, (TOP + BOTTOM) / 2], 'GFLOP/s', { anchor: 'middle', turn: -90 }));

  const at = (intensity: number, rate: number): Point => [x.place(intensity), y.place(rate)];
  const roof = (peak: number) => line([at(peak / copy, peak), at(high, peak)], { width: 2 });
  elements.push(line([at(low, low * copy), at(peak32 / copy, peak32)], { width: 2 }));
  elements.push(roof(peak32), roof(peak64));

  // All labels stand in one column beside the plot, so that none covers another or a point.
  const labels = [
    {
      content: `float32 multiply-add ${peak32.toFixed(0)} GFLOP/s`,
      point: at(high, peak32),
      color: COLORS.ink,
    },
    {
      content: `float64 multiply-add ${peak64.toFixed(0)} GFLOP/s`,
      point: at(high, peak64),
      color: COLORS.ink,
    },
    ...points.map(({ name, flops, bytes, rate }) => ({
      content: `${name} ${rate.toFixed(1)} GFLOP/s, ${share(flops / bytes, rate, roofs)}`,
      point: at(flops / bytes, rate),
      color: COLORS.blue,
    })),
  ];
  const places = spread(
    labels.map(({ point }) => point[1]),
    18,
    TOP,
    BOTTOM,
  );
  for (const [i, { content, point, color }] of labels.entries()) {
    const label: Point = [RIGHT + 24, places[i]!];
    elements.push(line([point, [RIGHT, point[1]], [label[0] - 4, label[1]]], { color, width: 0.6 }));
    elements.push(text([label[0], label[1] + 4], content, { color }));
    if (color === COLORS.blue) elements.push(dot(point, color));
  }
  // Above the slope, where no kernel can be.
  const [foot, top] = [at(low, low * copy), at(peak32 / copy, peak32)];
  const turn = (Math.atan2(top[1] - foot[1], top[0] - foot[0]) * 180) / Math.PI;
  const half: Point = [(foot[0] + top[0]) / 2 - 8, (foot[1] + top[1]) / 2 - 8];
  elements.push(text(half, `copy ${copy.toFixed(1)} GB/s`, { anchor: 'middle', turn }));
  const widest = Math.max(...labels.map(({ content }) => widthOf(content, 12)));
  return picture(Math.max(WIDTH, RIGHT + 40 + widest), HEIGHT, elements);
}

/** How much of what the float32 roof allows was reached. */
function share(intensity: number, rate: number, { copy, peak32 }: Roofs): string {
  return `${((100 * rate) / Math.min(peak32, intensity * copy)).toFixed(0)} % of its roof`;
}
