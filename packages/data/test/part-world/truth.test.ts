import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generateScene, PART_WORLD_CATEGORIES, PARTS, type Scene, truthOf } from '../../src/index.js';
import { apply, compose, rotation, scaling, translation } from '../../src/part-world/affine.js';
import { changePart } from '../../src/part-world/draw-scene.js';
import { visibleRegions } from '../../src/part-world/truth.js';

const scenes = fc
  .tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 1e6 }))
  .map(([seed, index]) => generateScene(seed, index));
const sizes = fc.integer({ min: 64, max: 160 });

/** A creature alone, its parts apart from what could hide them. */
const alone = (category: number, pose: Partial<Scene['pose']> = {}): Scene => {
  const scene = generateScene(1, 0);
  return {
    ...scene,
    category,
    parts: PART_WORLD_CATEGORIES[category]!.parts,
    pose: { x: 50, y: 55, scale: 1, flip: false, head: 0, wing: 0, tail: 0, legs: 0, ...pose },
    distractors: [],
    occluders: [],
  };
};

describe('the truth about a picture', () => {
  it('gives every pixel to one region, and its parts boxes that just hold them', async () => {
    await fc.assert(
      fc.asyncProperty(scenes, sizes, async (scene, size) => {
        const { regions, owners } = await visibleRegions(scene, size);
        expect(Math.min(...owners)).toBeGreaterThan(0);
        expect(Math.max(...owners)).toBeLessThanOrEqual(regions.length);
        const { masks, boxes } = await truthOf(scene, size);
        expect([...masks.keys()]).toEqual([...PARTS]);
        const creature = owners.map((owner) => (regions[owner - 1]!.part === undefined ? 0 : 1));
        const sum = new Uint8Array(size * size);
        for (const mask of masks.values()) for (let i = 0; i < sum.length; i++) sum[i]! += mask[i]!;
        // One where the creature is, none elsewhere: disjoint, and nothing is missing.
        expect(sum).toEqual(creature);
        for (const [part, mask] of masks) {
          const places = [...mask.keys()].filter((i) => mask[i] === 1);
          const [columns, rows] = [places.map((i) => i % size), places.map((i) => Math.floor(i / size))];
          const box = boxes.get(part);
          expect(box === undefined).toBe(places.length === 0);
          if (box === undefined) continue;
          expect([box.left, box.left + box.width - 1]).toEqual([Math.min(...columns), Math.max(...columns)]);
          expect([box.top, box.top + box.height - 1]).toEqual([Math.min(...rows), Math.max(...rows)]);
        }
      }),
      { numRuns: 12 },
    );
  });

  it('calls a landmark visible exactly where its pixel is of its part', async () => {
    let [seen, hidden] = [0, 0];
    await fc.assert(
      fc.asyncProperty(scenes, sizes, async (scene, size) => {
        const { masks, landmarks } = await truthOf(scene, size);
        for (const [part, { x, y, visible }] of landmarks) {
          expect(masks.get(part)![Math.round(y) * size + Math.round(x)] === 1).toBe(visible);
          if (visible) seen++;
          else hidden++;
        }
      }),
      { numRuns: 20, seed: 7 },
    );
    expect(seen).toBeGreaterThan(5 * hidden);
    expect(hidden).toBeGreaterThan(0);
  });

  it.each([...PART_WORLD_CATEGORIES.keys()])(
    'has every landmark of category %d inside its part',
    async (category) => {
      // Every part by itself, so that nothing hides it.
      for (const part of PARTS) {
        const whole = alone(category);
        const only = PARTS.filter((other) => other !== part).reduce(
          (scene, other) => changePart(scene, other),
          whole,
        );
        for (const pose of [{}, { flip: true, legs: 15, head: -20, wing: 40, tail: 20, scale: 0.7 }]) {
          const { landmarks, masks } = await truthOf({ ...only, pose: { ...only.pose, ...pose } }, 256);
          expect([...masks.keys()]).toEqual([part]);
          expect(landmarks.get(part)!.visible, part).toBe(true);
        }
      }
    },
  );

  it('shows less of a part that something hides, and all of it behind nothing', async () => {
    const area = async (scene: Scene) =>
      (await truthOf(scene, 200)).masks.get('body')!.reduce((a, b) => a + b, 0);
    const free = alone(0);
    const ball = {
      kind: 'ball',
      x: 58,
      y: 66,
      size: 12,
      color: 'red',
      texture: 'plain',
      wobble: [],
    } as const;
    const covered = await area({ ...free, occluders: [ball] });
    // The ball lies on the body wholly: it hides its own area, with half the width of its outline around.
    const radius = ((12 + 0.9) / 2) * 2;
    const difference = (await area(free)) - covered;
    expect(Math.abs(difference - Math.PI * radius ** 2)).toBeLessThan(2 * Math.PI * radius);
    expect(await area({ ...free, distractors: [ball] })).toBe(await area(free));
  });

  it('mirrors with the creature', async () => {
    const [right, left] = await Promise.all([false, true].map((flip) => truthOf(alone(3, { flip }), 200)));
    for (const part of PARTS) {
      expect(left!.landmarks.get(part)!.x).toBeCloseTo(199 - right!.landmarks.get(part)!.x, 1);
      expect(left!.landmarks.get(part)!.y).toBeCloseTo(right!.landmarks.get(part)!.y, 1);
    }
  });
});

describe('maps of the plane', () => {
  it('are applied from the last to the first', () => {
    const map = compose(translation(10, 20), scaling(-2, 2), rotation(90));
    const [x, y] = apply(map, [3, 1]);
    // Turned to (-1, 3), scaled to (2, 6), moved.
    expect(x).toBeCloseTo(12);
    expect(y).toBeCloseTo(26);
  });
});
