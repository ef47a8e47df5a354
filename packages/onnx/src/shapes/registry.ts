import type { ShapeRule } from './context.js';
import { CONSTANT_RULES } from './rules/constants.js';
import { ELEMENTWISE_RULES } from './rules/elementwise.js';
import { INDEXING_RULES } from './rules/indexing.js';
import { LINEAR_RULES } from './rules/linear.js';
import { NORMALIZATION_RULES } from './rules/normalization.js';
import { REARRANGEMENT_RULES } from './rules/rearrangement.js';
import { REDUCTION_RULES } from './rules/reduction.js';
import { RESIZING_RULES } from './rules/resizing.js';
import { SLICING_RULES } from './rules/slicing.js';
import { WINDOW_RULES } from './rules/windows.js';

/** Shape rules of ONNX's own operators, by name. */
export const SHAPE_RULES: ReadonlyMap<string, ShapeRule> = new Map([
  ...CONSTANT_RULES,
  ...ELEMENTWISE_RULES,
  ...INDEXING_RULES,
  ...LINEAR_RULES,
  ...NORMALIZATION_RULES,
  ...REARRANGEMENT_RULES,
  ...REDUCTION_RULES,
  ...RESIZING_RULES,
  ...SLICING_RULES,
  ...WINDOW_RULES,
]);
