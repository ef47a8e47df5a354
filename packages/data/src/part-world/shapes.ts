import { UnitscopeError } from '@unitscope/tensor';
import type { Part } from './scene.js';

/** A mark on a part: the pupil of an eye, a nostril, a hoof. It lies within the part's outline. */
export interface Detail {
  readonly path: string;
  readonly kind: 'dark' | 'light' | 'line';
}

/**
 * The outline of a part in the part's own frame: x to the front, y down, the joint at 0, 0. A unit is a hundredth of the
 * picture for a creature of scale 1.
 */
export interface Shape {
  readonly path: string;
  readonly details: readonly Detail[];
  /** A point inside the outline: the part's landmark. */
  readonly landmark: readonly [x: number, y: number];
  /** Left, top, right and bottom of a box around it, which textures fill. */
  readonly extent: readonly [number, number, number, number];
  /** Where the copies of a part of several are joined to the body. */
  readonly joints: readonly (readonly [x: number, y: number])[];
}

type Extent = Shape['extent'];
type Point = Shape['landmark'];

const ONE_JOINT: Shape['joints'] = [[0, 0]];

function shape(
  path: string,
  extent: Extent,
  landmark: Point,
  details: readonly Detail[] = [],
  joints = ONE_JOINT,
): Shape {
  return { path, extent, landmark, details, joints };
}

const dark = (path: string): Detail => ({ path, kind: 'dark' });
const light = (path: string): Detail => ({ path, kind: 'light' });
const line = (path: string): Detail => ({ path, kind: 'line' });
const circle = (x: number, y: number, r: number) =>
  `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`;

const TWO_LEGS: Shape['joints'] = [
  [-5, 8],
  [5, 8],
];
const FOUR_LEGS: Shape['joints'] = [
  [-13, 6],
  [-6, 8],
  [5, 8],
  [12, 6],
];

const CHEEK = 'C13 -3 9 1 4 1C-1 1 -5 -3 -5 -8';

const SHAPES: { readonly [P in Part]: { readonly [name: string]: Shape } } = {
  body: {
    egg: shape(
      'M-20 1C-20 -9 -8 -14 4 -14C16 -14 21 -7 20 0C19 9 9 13 -2 13C-13 13 -20 9 -20 1Z',
      [-21, -15, 21, 14],
      [11, 4],
    ),
    slim: shape(
      'M-21 0C-21 -7 -12 -8.5 0 -9C8 -9.5 12 -13 17 -12C22 -10 21 0 19 4C16 10 8 10.5 -2 10.5C-14 10.5 -21 8 -21 0Z',
      [-22, -14, 22, 11],
      [12, 3],
    ),
    humped: shape(
      'M-20 2C-21 -5 -15 -8 -10 -14C-6 -19 2 -19 6 -14C9 -11 19 -12 20 -5C21 6 14 12 0 12C-12 12 -19 9 -20 2Z',
      [-21, -19, 21, 13],
      [12, 3],
    ),
    boxy: shape(
      'M-20 -6Q-20 -12 -13 -12L13 -13.5Q20 -13.5 20 -6L20 6Q20 12 13 12L-13 12Q-20 12 -20 6Z',
      [-21, -15, 21, 13],
      [12, 4],
    ),
    pear: shape(
      'M-22 2C-23 -9 -12 -12 0 -10.5C8 -9.5 12 -14 17 -13C22 -10 20 -4 17 2C13 13 2 16 -8 15C-17 14 -21 9 -22 2Z',
      [-23, -14, 21, 16],
      [10, 2],
    ),
  },
  head: {
    round: shape(`M-5 -8C-5 -13 -1 -17 4 -17C9 -17 13 -13 13 -8${CHEEK}Z`, [-6, -18, 14, 2], [0, -6]),
    crested: shape(
      `M-5 -8C-5 -11 -4.5 -13 -3.5 -14.5L-9 -20L-2 -19L-1 -26L4 -20L10 -25L9.5 -15.5C12 -13.5 13 -11 13 -8${CHEEK}Z`,
      [-10, -27, 14, 2],
      [0, -6],
    ),
    horned: shape(
      `M-5 -8C-5 -11 -4 -13 -2.5 -14.5C-6 -18 -7 -23 -5 -27C-3.5 -22 -1 -19 3 -17C4 -17 6 -17 7 -16.5C9 -20 12 -22 16 -23C15.5 -19 13.5 -16 10.5 -14.2C12 -12.5 13 -10.5 13 -8${CHEEK}Z`,
      [-8, -28, 17, 2],
      [0, -6],
    ),
    eared: shape(
      `M-5 -8C-5 -11 -4 -13 -2 -15C-8 -18 -14 -25 -11.5 -27.5C-8 -29.5 -2 -23 1.5 -16.8C2 -22 3 -29.5 6.5 -29C10 -28 9.5 -20 7.5 -16.3C11 -14.5 13 -12 13 -8${CHEEK}Z`,
      [-13, -31, 14, 2],
      [0, -6],
      [light('M0 -18.5C-3 -22 -7 -26 -9.5 -25.7C-10 -23 -5 -18.5 -1.6 -16.8Z')],
    ),
    angular: shape('M-7 -8L-2 -17.5L9 -16.5L14 -8L10 0.5L-2 1.5Z', [-8, -19, 15, 3], [-1, -6]),
  },
  mouth: {
    cone: shape('M-2 -4L12 0.8L-2 4.5Z', [-3, -5, 13, 6], [3, 0.3], [line('M-1 0.5L10 0.8')]),
    hooked: shape(
      'M-2 -4.5C5 -7 13 -4 11.5 8C8.5 3.5 4 3.5 -2 4.5Z',
      [-3, -7, 13, 9],
      [4, 0],
      [dark(circle(2, -1.8, 0.8))],
    ),
    spoon: shape(
      'M-2 -3L9 -1.8C13 -5 20 -4 20 0.5C20 5 13 5.5 9 2.8L-2 3.5Z',
      [-3, -6, 21, 6],
      [4, 0.3],
      [line('M-1 0.4L17 0.6')],
    ),
    blunt: shape(
      'M-3 -4.5C1 -6.5 6 -6.8 8.5 -5.5C10.5 -2 10.5 4 8.5 6.5C6 8 0 7 -3 5Z',
      [-4, -8, 11, 9],
      [2.5, 0.5],
      [dark('M7 -3.4a0.9 1.5 0 1 0 0.1 0Z'), dark('M7 1.6a0.9 1.5 0 1 0 0.1 0Z')],
    ),
    long: shape(
      'M-3 -4.5C3 -4.5 8 -2.5 13 -4C18 -5 20 -1 19 2.5C18 6 8 6 -3 5.5Z',
      [-4, -6, 20, 7],
      [4, 0.3],
      [line('M-1 2.4L5 1.6L8 2.6L11 1.6L14 2.4L17.5 1.4'), dark(circle(16, -1.6, 0.9))],
    ),
    trunk: shape(
      'M-3 -4.5C6 -7 13 -3 13 6C13 10 12.5 13 15 15.5L9.5 18C6.5 14 7.5 10 6.5 7C5.5 4 2 4.5 -3 5Z',
      [-4, -7, 16, 19],
      [4, 0],
      [line('M7.8 3.2L12 2M8.2 7L12.2 6.4M8.6 11L12.4 10.6')],
    ),
  },
  eyes: {
    round: shape(circle(0, 0, 3.8), [-5, -5, 5, 5], [-2, 0.5], [dark(circle(0.9, 0, 1.9))]),
    slit: shape(
      'M-5 0.6C-3 -4.5 3 -4.5 5 0.6C3 4.2 -3 4.2 -5 0.6Z',
      [-6, -5, 6, 5],
      [-2.2, 0.4],
      [dark('M0.3 -2.6L1.5 0L0.3 2.8L-0.9 0Z')],
    ),
    ring: shape(
      circle(0, 0, 4.1),
      [-5, -5, 5, 5],
      [0, 3.1],
      [light(circle(0, 0, 2.7)), dark(circle(0, 0, 1.5))],
    ),
    sleepy: shape(
      'M-4.4 -1L4.4 -1C4.4 5.4 -4.4 5.4 -4.4 -1Z',
      [-5, -2, 5, 5],
      [-2, 1],
      [dark('M-0.8 -0.6L2.8 -0.6C2.8 2.4 -0.8 2.4 -0.8 -0.6Z')],
    ),
    compound: shape(
      'M-4.6 0.5C-5 -5.5 3.5 -6.5 5 -1C6 4.5 -4.2 6.4 -4.6 0.5Z',
      [-6, -6, 6, 6],
      [0, 0],
      [light('M1 -3.2C2.6 -3 3.4 -1.8 3.4 -0.6C2.4 -1 1.4 -1.8 1 -3.2Z')],
    ),
  },
  wing: {
    feathered: shape(
      'M3 -3C-3 -9 -14 -9 -22 -4L-17.5 -1.5L-21 2L-15 3L-16.5 7.5L-9.5 6.5L-9 10.5C-3 9 3 4 3 -3Z',
      [-23, -10, 4, 11],
      [-8, -1],
      [line('M-3 -1C-7 -3 -11 -3.4 -15 -2.4M-3 2C-7 1 -9 1 -12 1.6')],
    ),
    bat: shape(
      'M3 -2C-5 -13 -17 -16 -25 -10C-21 -7.5 -20 -4 -20 1C-17 -2 -13.5 -1 -12.5 5C-10 1.5 -6 2.5 -4.5 7C0 6 4 2 3 -2Z',
      [-26, -15, 4, 8],
      [-8, -3],
      [line('M0 -2C-7 -7 -14 -9 -21 -9M0 -1.6C-6 -4 -12 -4 -17.6 -2.6')],
    ),
    rounded: shape('M3 -3C1 -11 -19 -10 -20 0C-20 9 -5 11 0 6C3 4 4 0 3 -3Z', [-21, -10, 4, 10], [-8, 0]),
    pointed: shape(
      'M3 -4.5C-6 -8.5 -18 -6 -29 2C-18 6 -8 8 -2 6C3 4 4 -1 3 -4.5Z',
      [-30, -8, 4, 8],
      [-8, 0],
      [line('M-1 0C-8 -2.4 -15 -2 -22 1')],
    ),
    lobed: shape(
      'M3 0C-4 -15 -22 -17 -22 -8C-22 -3 -17 -1 -13 0C-20 2 -21 11 -14 12C-7 13 1 8 3 0Z',
      [-23, -15, 4, 13],
      [-8, 1],
    ),
  },
  tail: {
    fan: shape(
      'M4 -3.5L-13 -13L-14.5 -7.5L-19.5 -6L-17.5 -0.5L-20.5 4L-15 6.5L-13.5 11.5L4 4Z',
      [-21, -14, 5, 12],
      [-9, 0],
      [line('M-3 -1.6L-13 -5M-3 0.2L-15 0M-3 2L-12 4.6')],
    ),
    curl: shape(
      'M4 -3.5C-4 -3.5 -13 -4 -14 -11C-14 -15.5 -9 -16.5 -8 -13C-7.5 -11 -9 -10 -10 -10.5C-9 -8 -4.5 -9.5 -4 -13C-3.5 -20 -13 -22.5 -18 -16.5C-24 -7 -16 4 4 4Z',
      [-22, -21, 5, 5],
      [-8, -1.2],
    ),
    arrow: shape(
      'M4 -2.8C-5 -2.5 -11 -5 -14 -10L-11 -12L-22.5 -17L-24 -5L-20.5 -6.5C-15 0.5 -5 3.5 4 3.5Z',
      [-25, -18, 5, 4],
      [-7, -0.6],
    ),
    fork: shape(
      'M4 -3.5C-4 -2.5 -10 -5 -20 -15C-19 -7 -17 -3 -14.5 0C-17 3 -19 7 -20 14C-10 5.5 -4 3.5 4 4Z',
      [-21, -16, 5, 15],
      [-8, 0],
    ),
    tuft: shape(
      'M4 -4C2 -8 -2 -10 -5.5 -8.5C-10 -11 -15 -6.5 -13 -2.5C-16.5 1 -13 8 -8 6.5C-4 10 2 7 4 4Z',
      [-16, -11, 5, 9],
      [-7, -0.5],
    ),
  },
  legs: {
    stick: shape(
      'M-1.5 -3L1.5 -3L1.2 13L7.5 16.2L6.5 18.2L0.8 16.6L-5 18.2L-6 16.2L-1.2 13.4Z',
      [-7, -4, 8, 19],
      [0, 11],
      [],
      TWO_LEGS,
    ),
    webbed: shape(
      'M-1.7 -3L1.7 -3L1.8 11L10 17.5L5.5 16.8L3 18.2L-0.5 16.8L-6 18.2L-1.7 11Z',
      [-7, -4, 11, 19],
      [0, 11],
      [],
      TWO_LEGS,
    ),
    hoofed: shape(
      'M-2.8 -4L2.8 -4L2.2 13L3 18L-3 18L-2.2 13Z',
      [-4, -5, 4, 19],
      [0, 10],
      [light('M-2.1 14.6L2.1 14.6L2.6 17.6L-2.6 17.6Z')],
      FOUR_LEGS,
    ),
    pawed: shape(
      'M-3.8 -4L3.8 -4L3.2 12C7 11.5 8.5 14 8 18L-3.4 18L-3.4 12Z',
      [-5, -5, 9, 19],
      [0, 11],
      [line('M3.6 15.2L3.6 17.6M5.9 15.2L5.9 17.6')],
      [
        [-10, 7],
        [8, 7],
      ],
    ),
    curly: shape(
      'M-2.6 -4L2.4 -4C5 3 0 7 2.4 12C3.2 14.2 5.5 14.5 6.5 13L9 15C7 19.5 0 19 -2 13.5C-4 7 1.5 4 -2.6 -4Z',
      [-5, -5, 10, 19],
      [-0.6, 10],
      [],
      [
        [-11, 7],
        [0, 8],
        [9, 7],
      ],
    ),
  },
};

// A snout is what is no beak.
const BEAKS: readonly string[] = ['cone', 'hooked', 'spoon'];

/** The names of the shapes a part can have. */
export function shapeNames(part: Part): string[] {
  return Object.keys(SHAPES[part]);
}

/** Throws `wrong-use` for a shape that the part does not have. */
export function shapeOf(part: Part, name: string): Shape {
  const found = SHAPES[part][name];
  if (found !== undefined) return found;
  throw new UnitscopeError(
    'wrong-use',
    `no shape "${name}" of ${part}; there are ${shapeNames(part).join(', ')}`,
    {
      subject: name,
      alternatives: shapeNames(part),
    },
  );
}

/** What a part of this shape is called: `beak` or `snout` for a mouth, the part's own name for others. */
export function partLabel(part: Part, shapeName: string): string {
  if (part !== 'mouth') return part;
  return BEAKS.includes(shapeName) ? 'beak' : 'snout';
}

/** Everything a part can be called. */
export const PART_LABELS = ['head', 'beak', 'snout', 'eyes', 'body', 'wing', 'tail', 'legs'] as const;
