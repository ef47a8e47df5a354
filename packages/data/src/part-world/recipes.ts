import { type Color, PARTS, type Part, type PartStyle, type Texture } from './scene.js';

/** What a kind of creature looks like: every part has one style. */
export interface Category {
  readonly name: string;
  readonly parts: { readonly [P in Part]: PartStyle };
}

const style = (shape: string, color: Color, texture: Texture = 'plain'): PartStyle => ({
  shape,
  color,
  texture,
});

// Styles that several categories share have a name; one that only a category has stands in its recipe.
const YELLOW_EGG = style('egg', 'yellow');
const SCALY_BODY = style('slim', 'green', 'scaly');
const HUMP = style('humped', 'brown');
const STRIPED_PEAR = style('pear', 'red', 'striped');
const YELLOW_HEAD = style('round', 'yellow');
const CREST = style('crested', 'red');
const EARS = style('eared', 'grey');
const ORANGE_CONE = style('cone', 'orange');
const GREY_HOOK = style('hooked', 'grey');
const PINK_SNOUT = style('blunt', 'pink');
const WHITE_EYE = style('round', 'white');
const YELLOW_SLIT = style('slit', 'yellow');
const BLUE_RING = style('ring', 'blue');
const FEATHERS = style('feathered', 'blue', 'striped');
const ORANGE_WING = style('rounded', 'orange', 'dotted');
const BAT_WING = style('bat', 'black', 'zigzag');
const PINK_WING = style('lobed', 'pink', 'dotted');
const CHECKED_FORK = style('fork', 'blue', 'checked');
const BLACK_ARROW = style('arrow', 'black');
const WHITE_TUFT = style('tuft', 'white');
const ORANGE_STICKS = style('stick', 'orange');
const YELLOW_WEBS = style('webbed', 'yellow');
const BLACK_HOOVES = style('hoofed', 'black');
const GREY_PAWS = style('pawed', 'grey');

/**
 * The ten categories. Each has parts that no other has (discriminative: they alone tell it), and at least three that it
 * shares with others; no colour, texture or shape belongs to one category only through all its parts. Discriminative are:
 * the tail of arvel; the body of brindle; the legs of corvex; the head of dornis; body and eyes of elmar; mouth and wing
 * of fenwick; head and mouth of gryllo; the mouth of hoblet; eyes and tail of istrel; the head of jubba.
 */
export const CATEGORIES: readonly Category[] = [
  {
    name: 'arvel',
    parts: {
      head: YELLOW_HEAD,
      mouth: ORANGE_CONE,
      eyes: WHITE_EYE,
      body: YELLOW_EGG,
      wing: FEATHERS,
      tail: style('fan', 'red', 'striped'),
      legs: ORANGE_STICKS,
    },
  },
  {
    name: 'brindle',
    parts: {
      head: CREST,
      mouth: ORANGE_CONE,
      eyes: BLUE_RING,
      body: style('egg', 'blue', 'dotted'),
      wing: ORANGE_WING,
      tail: CHECKED_FORK,
      legs: ORANGE_STICKS,
    },
  },
  {
    name: 'corvex',
    parts: {
      head: YELLOW_HEAD,
      mouth: GREY_HOOK,
      eyes: YELLOW_SLIT,
      body: SCALY_BODY,
      wing: BAT_WING,
      tail: BLACK_ARROW,
      legs: style('curly', 'purple', 'striped'),
    },
  },
  {
    name: 'dornis',
    parts: {
      head: style('horned', 'brown'),
      mouth: PINK_SNOUT,
      eyes: WHITE_EYE,
      body: HUMP,
      wing: ORANGE_WING,
      tail: WHITE_TUFT,
      legs: BLACK_HOOVES,
    },
  },
  {
    name: 'elmar',
    parts: {
      head: EARS,
      mouth: ORANGE_CONE,
      eyes: style('sleepy', 'orange'),
      body: style('boxy', 'purple', 'checked'),
      wing: FEATHERS,
      tail: WHITE_TUFT,
      legs: GREY_PAWS,
    },
  },
  {
    name: 'fenwick',
    parts: {
      head: CREST,
      mouth: style('spoon', 'yellow'),
      eyes: WHITE_EYE,
      body: YELLOW_EGG,
      wing: style('pointed', 'white'),
      tail: CHECKED_FORK,
      legs: YELLOW_WEBS,
    },
  },
  {
    name: 'gryllo',
    parts: {
      head: style('angular', 'green', 'scaly'),
      mouth: style('long', 'green'),
      eyes: YELLOW_SLIT,
      body: SCALY_BODY,
      wing: BAT_WING,
      tail: BLACK_ARROW,
      legs: YELLOW_WEBS,
    },
  },
  {
    name: 'hoblet',
    parts: {
      head: EARS,
      mouth: style('trunk', 'grey'),
      eyes: WHITE_EYE,
      body: HUMP,
      wing: PINK_WING,
      tail: WHITE_TUFT,
      legs: GREY_PAWS,
    },
  },
  {
    name: 'istrel',
    parts: {
      head: YELLOW_HEAD,
      mouth: GREY_HOOK,
      eyes: style('compound', 'red'),
      body: STRIPED_PEAR,
      wing: PINK_WING,
      tail: style('curl', 'purple'),
      legs: ORANGE_STICKS,
    },
  },
  {
    name: 'jubba',
    parts: {
      head: style('horned', 'white', 'dotted'),
      mouth: PINK_SNOUT,
      eyes: BLUE_RING,
      body: STRIPED_PEAR,
      wing: BAT_WING,
      tail: BLACK_ARROW,
      legs: BLACK_HOOVES,
    },
  },
];

/** The categories that have the same style of a part as `category`, itself left out: none for a discriminative part. */
export function sharedWith(category: number, part: Part): number[] {
  const own = CATEGORIES[category]?.parts[part];
  return [...CATEGORIES.keys()].filter(
    (other) => other !== category && own !== undefined && sameStyle(CATEGORIES[other]!.parts[part], own),
  );
}

/** The parts by which alone a category can be told from all others. */
export function discriminativeParts(category: number): Part[] {
  return PARTS.filter((part) => sharedWith(category, part).length === 0);
}

export function sameStyle(a: PartStyle, b: PartStyle): boolean {
  return a.shape === b.shape && a.color === b.color && a.texture === b.texture;
}
