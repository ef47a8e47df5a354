/** What the ReLU that made x lets through of a signal at x, straight from the definition, in float64. */
export function signalRuleReference(
  rule: 'none' | 'gradient' | 'guided' | 'deconvnet',
  signal: number,
  x: number,
): number {
  const active = rule === 'deconvnet' || rule === 'none' || x > 0;
  const rectifies = rule === 'guided' || rule === 'deconvnet';
  // Math.max keeps NaN.
  return active ? (rectifies ? Math.max(0, signal) : signal) : 0;
}
