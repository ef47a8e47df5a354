export { type LoweringContext, type NativeOperator, UNITSCOPE_DOMAIN } from './operators.js';
export type { Rule, RuleContext } from './rule.js';
