import type { Progress } from '@unitscope/model';
import type { Subject } from '../methods/passes.js';

/** What checks of methods have in common. */
export interface CheckOptions extends Pick<Subject, 'target' | 'score'> {
  readonly signal?: AbortSignal;
  /** Counts maps of all pictures. */
  readonly onProgress?: (progress: Progress) => void;
}
