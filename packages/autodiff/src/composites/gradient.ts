import type { Composite } from '../composite.js';

/** The derivative: every node by the gradient rule of its operator (Simonyan, Vedaldi, Zisserman 2013). */
export const gradient: Composite = { name: 'gradient', assignments: [] };
