import type { Composite } from '../composite.js';
import { isReluLike } from '../rules/clip.js';
import { redirected } from '../rules/redirected-relu.js';

/** The gradient, but that a rectifier which is off everywhere for a sample lets the signal through (Olah et al. 2017). */
export const redirectedRelu: Composite = {
  name: 'redirected-relu',
  assignments: [
    { rule: redirected.relu },
    { rule: redirected.clip, when: ({ node, constant }) => isReluLike(node, constant) },
  ],
};
