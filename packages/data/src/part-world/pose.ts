import { type Affine, compose, type Point, rotation, scaling, translation } from './affine.js';
import type { Part, Pose } from './scene.js';
import type { Shape } from './shapes.js';

// Where parts are joined, in the frame of the body or, for mouth and eyes, of the head. They are the same for every
// shape: a part that is exchanged or removed leaves the others where they are.
const NECK: Point = [14, -9];
const TAIL: Point = [-17, -1];
const SHOULDER: Point = [1, -4];
const LIPS: Point = [12, -6];
const EYE: Point = [6.5, -10.5];

/**
 * Where the copies of a part are drawn: each maps the frame of its shape to hundredths of the picture. Legs have several,
 * all others one.
 */
export function framesOf(part: Part, { joints }: Shape, pose: Pose): Affine[] {
  const body = compose(
    translation(pose.x, pose.y),
    scaling(pose.flip ? -pose.scale : pose.scale, pose.scale),
  );
  const head = compose(body, translation(...NECK), rotation(pose.head));
  switch (part) {
    case 'body':
      return [body];
    case 'head':
      return [head];
    case 'mouth':
      return [compose(head, translation(...LIPS))];
    case 'eyes':
      return [compose(head, translation(...EYE))];
    case 'wing':
      return [compose(body, translation(...SHOULDER), rotation(pose.wing))];
    case 'tail':
      return [compose(body, translation(...TAIL), rotation(pose.tail))];
    case 'legs':
      // Neighbours swing against each other, as in walking.
      return joints.map((joint, i) =>
        compose(body, translation(...joint), rotation(i % 2 === 0 ? pose.legs : -pose.legs)),
      );
  }
}
