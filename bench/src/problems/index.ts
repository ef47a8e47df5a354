import { dissectionProblems } from './dissection.js';
import { interpretableProblems } from './interpretable.js';
import { poolingProblems } from './pooling.js';
import type { Problem } from './problem.js';

/** Everything that is compared with torch. */
export const problems: readonly Problem[] = [
  ...poolingProblems,
  ...interpretableProblems,
  ...dissectionProblems,
];
