import {
  blankPicture,
  type Color,
  drawText,
  INK,
  type Picture,
  paste,
  textWidth,
  WHITE,
} from '@unitscope/visualization';

/** A node as it is drawn. */
export interface NodeCard {
  readonly title: string;
  /** Pictures under it, the most typical first. */
  readonly pictures: readonly Picture[];
  /** What every part adds to the score, in the order of the names. */
  readonly parts: readonly number[];
  readonly children: readonly NodeCard[];
}

const LINE: Color = [150, 150, 150];
const FOR: Color = [43, 108, 176];
const AGAINST: Color = [192, 80, 60];
const SIDE = 64;
const COLUMNS = 2;
const ROWS = 2;
const GAP = 6;
const TEXT = 10;
const BAR = 12;
const WIDTH = COLUMNS * SIDE + (COLUMNS - 1) * GAP;
const APART = 24;
const BELOW = 40;

/** The tree from its second layer down, pictures and contributions of parts at each node, children below. */
export function drawTree(roots: readonly NodeCard[], partNames: readonly string[], title: string): Picture {
  const card = cardHeight(partNames.length);
  const depth = Math.max(...roots.map(depthOf));
  const columns = roots.reduce((sum, root) => sum + columnsOf(root), 0);
  const width = Math.max(textWidth(title, 1) + 2 * GAP, columns * (WIDTH + APART) + APART);
  const canvas = blankPicture(width, 3 * TEXT + depth * (card + BELOW), WHITE);
  drawText(canvas, title, GAP, GAP, { scale: 1, color: INK });
  const largest = Math.max(...everyNode(roots).flatMap(({ parts }) => parts.map(Math.abs)), 1e-12);
  const place = (node: NodeCard, column: number, row: number): number => {
    const span = columnsOf(node) * (WIDTH + APART);
    const left = Math.round(column * (WIDTH + APART) + APART + (span - APART - WIDTH) / 2);
    const top = 3 * TEXT + row * (card + BELOW);
    drawCard(canvas, node, partNames, largest, left, top);
    const middle = left + WIDTH / 2;
    let next = column;
    for (const child of node.children) {
      const below = place(child, next, row + 1);
      drawElbow(canvas, middle, top + card + GAP, below, top + card + BELOW - GAP);
      next += columnsOf(child);
    }
    return middle;
  };
  let column = 0;
  for (const root of roots) {
    place(root, column, 0);
    column += columnsOf(root);
  }
  return canvas;
}

/** A picture and its way down the tree, from left to right, with what the parts add by each node. */
export function drawPath(
  picture: Picture,
  path: readonly NodeCard[],
  partNames: readonly string[],
  title: string,
): Picture {
  const card = cardHeight(partNames.length);
  const step = WIDTH + APART;
  const width = Math.max(textWidth(title, 1) + 2 * GAP, (path.length + 1) * step + APART);
  const canvas = blankPicture(width, 3 * TEXT + card + GAP, WHITE);
  drawText(canvas, title, GAP, GAP, { scale: 1, color: INK });
  paste(canvas, picture, APART, 3 * TEXT + TEXT + GAP);
  const largest = Math.max(...path.flatMap(({ parts }) => parts.map(Math.abs)), 1e-12);
  for (const [i, node] of path.entries()) {
    const left = APART + (i + 1) * step;
    const middle = 3 * TEXT + TEXT + GAP + SIDE / 2;
    fill(canvas, left - APART + 4, middle, APART - 8, 1, LINE);
    drawCard(canvas, node, partNames, largest, left, 3 * TEXT);
  }
  return canvas;
}

function drawCard(
  canvas: Picture,
  { title, pictures, parts }: NodeCard,
  partNames: readonly string[],
  largest: number,
  left: number,
  top: number,
): void {
  drawText(canvas, title, left, top, { scale: 1, color: INK });
  for (const [i, picture] of pictures.slice(0, COLUMNS * ROWS).entries()) {
    const x = left + (i % COLUMNS) * (SIDE + GAP);
    const y = top + TEXT + GAP + Math.floor(i / COLUMNS) * (SIDE + GAP);
    paste(canvas, picture, x, y);
  }
  const bars = top + TEXT + GAP + ROWS * (SIDE + GAP);
  const labels = Math.max(0, ...partNames.map((name) => textWidth(name, 1))) + GAP;
  const room = WIDTH - labels;
  for (const [m, name] of partNames.entries()) {
    const y = bars + m * BAR;
    const value = parts[m] ?? 0;
    drawText(canvas, name, left, y + 1, { scale: 1, color: INK });
    const length = Math.round((room / 2) * (value / largest));
    const axis = left + labels + Math.round(room / 2);
    fill(canvas, Math.min(axis, axis + length), y + 1, Math.abs(length), BAR - 4, value < 0 ? AGAINST : FOR);
    fill(canvas, axis, y, 1, BAR - 1, LINE);
  }
}

function drawElbow(canvas: Picture, x: number, top: number, to: number, bottom: number): void {
  const middle = Math.round((top + bottom) / 2);
  fill(canvas, x, top, 1, middle - top, LINE);
  fill(canvas, Math.min(x, to), middle, Math.abs(to - x) + 1, 1, LINE);
  fill(canvas, to, middle, 1, bottom - middle, LINE);
}

function fill(canvas: Picture, left: number, top: number, width: number, height: number, color: Color): void {
  if (width > 0 && height > 0)
    paste(canvas, blankPicture(width, height, color), Math.round(left), Math.round(top));
}

const cardHeight = (parts: number) => TEXT + GAP + ROWS * (SIDE + GAP) + parts * BAR;

const columnsOf = ({ children }: NodeCard): number =>
  Math.max(
    1,
    children.reduce((sum, child) => sum + columnsOf(child), 0),
  );

const depthOf = ({ children }: NodeCard): number => 1 + Math.max(0, ...children.map(depthOf));

function everyNode(nodes: readonly NodeCard[]): NodeCard[] {
  return nodes.flatMap((node) => [node, ...everyNode(node.children)]);
}
