/** The parts a creature is made of. Its mouth is a beak or a snout, as its shape says. */
export const PARTS = ['head', 'mouth', 'eyes', 'body', 'wing', 'tail', 'legs'] as const;
export type Part = (typeof PARTS)[number];

/** The colours that parts and things have; shading and light vary them, their name stays. */
export const COLORS = [
  'red',
  'orange',
  'yellow',
  'green',
  'blue',
  'purple',
  'pink',
  'brown',
  'white',
  'grey',
  'black',
] as const;
export type Color = (typeof COLORS)[number];

/** The textures that parts and things have; `plain` is none, and no label. */
export const TEXTURES = ['plain', 'striped', 'dotted', 'scaly', 'checked', 'zigzag'] as const;
export type Texture = (typeof TEXTURES)[number];

/** The things in a picture that are no parts. */
export const THING_KINDS = ['stone', 'ball', 'plant'] as const;
export type ThingKind = (typeof THING_KINDS)[number];

/** Red, green and blue from 0 to 255. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** How a part looks. */
export interface PartStyle {
  /** One of the shapes of its part, see `shapeOf`. */
  readonly shape: string;
  readonly color: Color;
  readonly texture: Texture;
}

/** Where a creature stands, and how. Angles in degrees. */
export interface Pose {
  /** The middle of its body, in hundredths of the picture from the top left corner. */
  readonly x: number;
  readonly y: number;
  /** 1 for a creature about as wide as 80 hundredths of the picture. */
  readonly scale: number;
  /** It looks to the left instead of to the right. */
  readonly flip: boolean;
  /** Positive nods down. */
  readonly head: number;
  /** Positive raises. */
  readonly wing: number;
  readonly tail: number;
  /** How far the legs are spread. */
  readonly legs: number;
}

/** A stone, ball or plant. */
export interface Thing {
  readonly kind: ThingKind;
  /** The middle of its base, in hundredths of the picture. */
  readonly x: number;
  readonly y: number;
  /** Its height, likewise. */
  readonly size: number;
  readonly color: Color;
  readonly texture: Texture;
  /** What makes it irregular: eight numbers from -1 to 1. */
  readonly wobble: readonly number[];
}

/** A mark on sky or ground: a cloud, a tuft of grass, a pebble, a ripple. */
export interface Mark {
  readonly x: number;
  readonly y: number;
  readonly size: number;
}

/** What is behind everything: sky or a wall above the horizon, ground below it. */
export interface Background {
  readonly above: 'sky' | 'wall';
  /** Hundredths of the picture from its top. */
  readonly horizon: number;
  /** Colours from top to bottom, before the light falls on them. */
  readonly upper: readonly [Rgb, Rgb];
  readonly lower: readonly [Rgb, Rgb];
  /** Of the wall; sky is plain and has clouds instead. */
  readonly texture: Texture;
  readonly clouds: readonly Mark[];
  readonly groundMarks: 'grass' | 'pebbles' | 'ripples';
  readonly marks: readonly Mark[];
}

/** The colour of the light, with its brightness: what every colour is multiplied by. */
export type Light = Rgb;

/** Everything a picture shows, as plain data. The same scene gives the same picture at every size. */
export interface Scene {
  /** The creature's category, an index into `CATEGORIES`. */
  readonly category: number;
  /** How its parts look; a part that is not there is missing. */
  readonly parts: { readonly [P in Part]?: PartStyle };
  readonly pose: Pose;
  readonly light: Light;
  readonly background: Background;
  /** Behind the creature, from the back to the front. */
  readonly distractors: readonly Thing[];
  /** In front of it, likewise. */
  readonly occluders: readonly Thing[];
}
