import type { Point } from './affine.js';
import type { Thing } from './scene.js';
import type { Shape } from './shapes.js';
import { number } from './svg.js';

/** The outline of a thing in hundredths of the picture, and the box that textures fill. */
export function outlineOf(thing: Thing): Pick<Shape, 'path' | 'extent'> {
  const { kind, x, y, size } = thing;
  const half = size / 2;
  switch (kind) {
    case 'ball': {
      const arc = `a${number(half)} ${number(half)} 0 1 0`;
      const path = `M${number(x - half)} ${number(y - half)}${arc} ${number(size)} 0${arc} ${number(-size)} 0Z`;
      return { path, extent: [x - half, y - size, x + half, y] };
    }
    case 'stone':
      return { path: stone(thing), extent: [x - size, y - 1.2 * size, x + size, y + 0.2 * size] };
    case 'plant':
      return { path: plant(thing), extent: [x - size, y - 1.2 * size, x + size, y] };
  }
}

/** A closed curve through the middles between eight points around, the lower ones pressed flat. */
function stone({ x, y, size, wobble }: Thing): string {
  const corners = Array.from({ length: 8 }, (_, i): Point => {
    const angle = (2 * Math.PI * i) / 8;
    const radius = 1 + 0.22 * (wobble[i] ?? 0);
    const down = Math.sin(angle) * (Math.sin(angle) > 0 ? 0.35 : 0.62);
    return [x + 0.72 * size * radius * Math.cos(angle), y - 0.35 * size + size * radius * down];
  });
  const middle = (i: number): Point => {
    const [a, b] = [corners[i % 8]!, corners[(i + 1) % 8]!];
    return [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  };
  return `M${pair(middle(7))}${corners.map((corner, i) => `Q${pair(corner)} ${pair(middle(i))}`).join('')}Z`;
}

/** A tuft of blades from one root, or a stalk with leaves, as the first wobble says. */
function plant({ x, y, size, wobble }: Thing): string {
  const bend = (i: number) => wobble[i % wobble.length] ?? 0;
  if (bend(0) > 0) {
    return Array.from({ length: 7 }, (_, i) => {
      const side = (i - 3) / 3;
      const height = size * (1 - 0.35 * Math.abs(side) + 0.15 * bend(i));
      return leaf(
        [x + 0.1 * size * side, y],
        [x + size * (0.55 * side + 0.1 * bend(i + 1)), y - height],
        0.07,
      );
    }).join('');
  }
  const top: Point = [x + 0.15 * size * bend(1), y - size];
  const leaves = Array.from({ length: 6 }, (_, i) => {
    const along = 0.3 + 0.14 * i;
    const root: Point = [x + (top[0] - x) * along, y - size * along];
    const side = i % 2 === 0 ? 1 : -1;
    const reach = size * (0.34 - 0.03 * i + 0.05 * bend(i + 2));
    return leaf(root, [root[0] + side * reach, root[1] - 0.55 * reach], 0.26);
  });
  return leaf([x, y], top, 0.035) + leaves.join('') + leaf(top, [top[0], top[1] - 0.2 * size], 0.26);
}

/**
 * A pointed leaf from root to tip; `breadth` to each side as a share of its length. All run the same way round, so that
 * leaves that overlap make no holes.
 */
function leaf(root: Point, tip: Point, breadth: number): string {
  const [dx, dy] = [tip[0] - root[0], tip[1] - root[1]];
  const middle: Point = [root[0] + 0.45 * dx, root[1] + 0.45 * dy];
  const left: Point = [middle[0] + 2 * breadth * dy, middle[1] - 2 * breadth * dx];
  const right: Point = [middle[0] - 2 * breadth * dy, middle[1] + 2 * breadth * dx];
  return `M${pair(root)}Q${pair(left)} ${pair(tip)}Q${pair(right)} ${pair(root)}Z`;
}

function pair([x, y]: Point): string {
  return `${number(x)} ${number(y)}`;
}
