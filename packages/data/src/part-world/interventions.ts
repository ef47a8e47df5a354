import { Random } from '@unitscope/tensor';
import { mix } from './mix.js';
import { CATEGORIES, sameStyle } from './recipes.js';
import type { RenderOptions } from './render.js';
import { PARTS, type Part, type Scene } from './scene.js';

/** One change of a picture: a part that is gone, or that looks as another category's does. */
export interface Intervention {
  readonly part: Part;
  readonly kind: 'removed' | 'exchanged';
  /** The category whose part it is now, an index into `CATEGORIES`. */
  readonly donor?: number;
}

/**
 * The interventions on a picture: every part that can be seen is removed, and exchanged for that of a category, drawn by
 * seed and index, whose part looks otherwise. There is no exchange where all categories share the part.
 *
 * @param visibleParts of the picture
 * @param options.categories how many categories the part world has
 */
export function interventionsOn(
  { parts }: Scene,
  visibleParts: readonly Part[],
  { seed, index, categories }: { readonly seed: number; readonly index: number; readonly categories: number },
): Intervention[] {
  // Of another stream than the picture's own numbers.
  const random = new Random(mix(seed ^ 0x5bd1e995, index));
  return PARTS.flatMap((part): Intervention[] => {
    const own = parts[part];
    const donors = [...CATEGORIES.keys()].filter(
      (other) => other < categories && own !== undefined && !sameStyle(CATEGORIES[other]!.parts[part], own),
    );
    // Drawn for hidden parts as well, so that the numbers of a part do not depend on what can be seen of others.
    const donor = donors[Math.floor(random.uniform() * donors.length)];
    if (!visibleParts.includes(part)) return [];
    const removed: Intervention = { part, kind: 'removed' };
    return donor === undefined ? [removed] : [removed, { part, kind: 'exchanged', donor }];
  });
}

/** How `renderScene` draws an intervention. */
export function interventionOptions({ part, donor }: Intervention): Omit<RenderOptions, 'size'> {
  return donor === undefined
    ? { without: part }
    : { exchange: { part, style: CATEGORIES[donor]!.parts[part] } };
}
