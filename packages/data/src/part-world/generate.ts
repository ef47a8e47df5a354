import { Random, UnitscopeError } from '@unitscope/tensor';
import { mix } from './mix.js';
import { hsl } from './palette.js';
import { CATEGORIES } from './recipes.js';
import {
  type Background,
  COLORS,
  type Light,
  type Mark,
  type Pose,
  type Rgb,
  type Scene,
  TEXTURES,
  THING_KINDS,
  type Thing,
} from './scene.js';

export interface SceneOptions {
  /** Only the first so many of `CATEGORIES`. Default all. */
  readonly categories?: number;
}

/**
 * The scene of picture `index`, which depends on seed and index alone: pictures can be made in any order, in parts, on any
 * machine. Every `categories` pictures in a row from a multiple of it show every category once; everything else (pose,
 * place, light, background, things) is independent of the category.
 *
 * @param seed and `index`: integers from 0 to 2^32 - 1; throws `wrong-use` for others
 */
export function generateScene(seed: number, index: number, options: SceneOptions = {}): Scene {
  const { categories = CATEGORIES.length } = options;
  requireInteger('a seed', seed, 0, 2 ** 32 - 1);
  requireInteger('an index', index, 0, 2 ** 32 - 1);
  requireInteger('the number of categories', categories, 1, CATEGORIES.length);
  const category = categoryOf(seed, index, categories);
  const random = new Random(mix(seed, index));
  const pose = randomPose(random);
  const background = randomBackground(random, pose);
  return {
    category,
    parts: CATEGORIES[category]!.parts,
    pose,
    light: randomLight(random),
    background,
    distractors: randomDistractors(random, background),
    occluders: randomOccluders(random, pose),
  };
}

/** The category at a place of a shuffled row of all of them: each row of pictures has its own order. */
function categoryOf(seed: number, index: number, categories: number): number {
  const row = Math.floor(index / categories);
  // Of another seed than the pictures, or the order would be drawn from the numbers of one of them.
  const random = new Random(mix(~seed, row));
  const order = Array.from({ length: categories }, (_, i) => i);
  for (let i = categories - 1; i > 0; i--) {
    const j = random.integer(0, i);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order[index % categories]!;
}

function between(random: Random, low: number, high: number): number {
  return low + (high - low) * random.uniform();
}

function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.integer(0, list.length - 1)]!;
}

// How far a creature of scale 1 reaches from the middle of its body, whatever its pose, in hundredths of the picture.
const REACH = { front: 45, back: 42, up: 42, down: 27 };

function randomPose(random: Random): Pose {
  const scale = between(random, 0.62, 1.02);
  const flip = random.uniform() < 0.5;
  const [left, right] = flip ? [REACH.front, REACH.back] : [REACH.back, REACH.front];
  return {
    x: between(random, left * scale, 100 - right * scale),
    y: between(random, REACH.up * scale, 98 - REACH.down * scale),
    scale,
    flip,
    head: between(random, -22, 26),
    wing: between(random, -18, 50),
    tail: between(random, -14, 26),
    legs: between(random, -20, 20),
  };
}

function randomLight(random: Random): Light {
  const brightness = between(random, 0.62, 1.12);
  const tint = () => brightness * between(random, 0.9, 1.1);
  return [tint(), tint(), tint()];
}

// Things and creatures get paler backgrounds than themselves, of any hue: no colour of the background tells anything.
function randomBackground(random: Random, pose: Pose): Background {
  const above = random.uniform() < 0.6 ? 'sky' : 'wall';
  const horizon = between(random, 22, pose.y + 20 * pose.scale);
  const gradient = (saturation: number, dark: number, bright: number): [Rgb, Rgb] => {
    const hue = random.uniform();
    const turn = between(random, -0.08, 0.08);
    const strength = between(random, 0.1, saturation);
    const lightness = between(random, dark, bright);
    return [hsl(hue, strength, lightness), hsl(hue + turn + 1, strength, Math.min(0.95, lightness + 0.12))];
  };
  const mark = (top: number, bottom: number, small: number, large: number): Mark => ({
    x: between(random, 0, 100),
    y: between(random, top, bottom),
    size: between(random, small, large),
  });
  const many = <T>(count: number, make: () => T) => Array.from({ length: count }, make);
  return {
    above,
    horizon,
    upper: gradient(0.55, 0.5, 0.8),
    lower: gradient(0.45, 0.35, 0.68),
    texture: above === 'wall' ? pick(random, TEXTURES) : 'plain',
    clouds: many(random.integer(0, 4), () => mark(4, horizon, 8, 22)),
    groundMarks: pick(random, ['grass', 'pebbles', 'ripples']),
    marks: many(random.integer(8, 36), () => mark(horizon + 3, 100, 1.5, 4)),
  };
}

function randomThing(random: Random, x: number, y: number, size: number): Thing {
  const kind = pick(random, THING_KINDS);
  const color = kind === 'plant' && random.uniform() < 0.5 ? 'green' : pick(random, COLORS);
  return {
    kind,
    x,
    y,
    size,
    color,
    texture: kind === 'plant' || random.uniform() < 0.4 ? 'plain' : pick(random, TEXTURES),
    wobble: Array.from({ length: 8 }, () => between(random, -1, 1)),
  };
}

function randomDistractors(random: Random, { horizon }: Background): Thing[] {
  const things = Array.from({ length: random.integer(1, 6) }, () =>
    randomThing(random, between(random, 4, 96), between(random, horizon + 2, 99), between(random, 7, 20)),
  );
  return things.sort((a, b) => a.y - b.y);
}

/**
 * Up to three things before the creature: plants and stones stand at its feet, the plants reaching up to its head at most;
 * balls fly anywhere before it.
 */
function randomOccluders(random: Random, pose: Pose): Thing[] {
  const count = pick(random, [0, 0, 1, 1, 2, 3]);
  return Array.from({ length: count }, () => randomOccluder(random, pose));
}

function randomOccluder(random: Random, { x, y, scale }: Pose): Thing {
  const place = x + scale * between(random, -38, 38);
  const ground = y + scale * between(random, 24, 30);
  const flight = y + scale * between(random, -24, 28);
  const extra = scale * random.uniform();
  const thing = randomThing(random, place, ground, 0);
  switch (thing.kind) {
    case 'plant':
      return { ...thing, size: 18 * scale + 28 * extra };
    case 'stone':
      return { ...thing, size: 10 * scale + 12 * extra };
    case 'ball':
      return { ...thing, y: flight, size: 9 * scale + 7 * extra };
  }
}

function requireInteger(what: string, value: number, low: number, high: number): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  throw new UnitscopeError(
    'wrong-use',
    `${what} of the part world must be an integer from ${low} to ${high}, not ${value}`,
  );
}
