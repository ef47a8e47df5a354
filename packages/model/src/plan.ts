import { type CompiledPullback, type PlacedNode, UNITSCOPE_DOMAIN } from '@unitscope/autodiff';
import type { LoweringName } from './lowering.js';

/** How one node of a forward and backward pass is run. */
export interface PlanNode {
  readonly node: string;
  /** With the domain before it where that is not the standard's: `unitscope::ReluGrad`. */
  readonly operator: string;
  /** The backward rule that made the node, or that the node got where it is of the forward pass. */
  readonly rule: string | undefined;
  /** Whether the operator is a standard one, one of unitscope's, or one of ONNX Runtime's blocked layout. */
  readonly lowering: LoweringName;
  /** How the map it makes lies in memory: as ONNX says, or with its channels in blocks. */
  readonly layout: PlacedNode['layout'];
  /** Names of the nodes whose work it does too. */
  readonly fused?: string;
  /**
   * Time of one run; of a profile only. Absent there for what ONNX Runtime has made part of another node, or computed
   * when it loaded the graph.
   */
  readonly milliseconds?: number;
  /** What it ran as, where ONNX Runtime has made one operator of several: the last of them has its time. */
  readonly ranAs?: string;
}

/** How often a node ran, and how long it took each time. */
export interface NodeTimes {
  readonly operator: string;
  readonly microseconds: readonly number[];
}

const BLOCKED_DOMAIN = 'com.microsoft.nchwc';

/** What ONNX Runtime appends to the name of the value a node makes, when it moves the node to the blocked layout. */
const BLOCKED_SUFFIX = '_nchwc';

/** The nodes of a compiled graph in the order they are in, without times. */
export function planOf({ plan, placement }: CompiledPullback): PlanNode[] {
  const rules = new Map(plan.map(({ node, rule }) => [node, rule]));
  return placement.map(({ node, operator, layout, fused }) => ({
    node,
    operator,
    rule: ruleOf(node, rules),
    lowering: loweringOf(operator),
    layout,
    ...(fused === undefined ? {} : { fused }),
  }));
}

function loweringOf(operator: string): LoweringName {
  if (operator.startsWith(`${UNITSCOPE_DOMAIN}::`)) return 'native';
  return operator.startsWith(`${BLOCKED_DOMAIN}::`) ? 'blocked' : 'portable';
}

/** Backward nodes are named `grad/<node>/...` after the node of the forward pass that they belong to. */
function ruleOf(name: string, rules: ReadonlyMap<string, string>): string | undefined {
  const own = rules.get(name);
  if (own !== undefined || !name.startsWith('grad/')) return own;
  // Names have slashes of their own, so the longest that fits is the node's.
  for (let end = name.lastIndexOf('/'); end > 0; end = name.lastIndexOf('/', end - 1)) {
    const rule = rules.get(name.slice('grad/'.length, end));
    if (rule !== undefined) return rule;
  }
  return undefined;
}

/**
 * The plan with the times of a profile. What ONNX Runtime has added by itself, such as reorders, comes last, under the
 * names it gave.
 *
 * @param runs how often the graph ran; the first run is not counted
 */
export function withTimes(
  { graph }: CompiledPullback,
  plan: readonly PlanNode[],
  times: ReadonlyMap<string, NodeTimes>,
  runs: number,
): PlanNode[] {
  const places = new Map<string, number>();
  for (const [i, { outputs }] of graph.nodes.entries()) {
    places.set(plan[i]!.node, i);
    // A name of a value stands for the node that makes it, unless a node has that name.
    for (const output of outputs) if (!places.has(output)) places.set(output, i);
  }
  const timed = [...plan];
  const added: PlanNode[] = [];
  for (const [name, { operator, microseconds }] of times) {
    const isMoved = name.endsWith(BLOCKED_SUFFIX);
    const place =
      places.get(name) ?? (isMoved ? places.get(name.slice(0, -BLOCKED_SUFFIX.length)) : undefined);
    const milliseconds = millisecondsOf(microseconds, runs);
    const layout = isMoved ? { layout: 'blocked' as const } : {};
    if (place !== undefined) {
      const before = timed[place]!;
      const isOther = operator !== before.operator.slice(before.operator.lastIndexOf(':') + 1);
      timed[place] = {
        ...before,
        ...layout,
        milliseconds: (before.milliseconds ?? 0) + milliseconds,
        ...(isOther ? { ranAs: operator } : {}),
      };
    } else {
      added.push({
        node: name,
        operator,
        rule: undefined,
        lowering: isMoved || operator.startsWith('Reorder') ? 'blocked' : 'portable',
        layout: isMoved || operator === 'ReorderInput' ? 'blocked' : 'nchw',
        milliseconds,
      });
    }
  }
  return [...timed, ...added];
}

/** The median over the runs but the first; a node inside a loop runs several times in each. */
function millisecondsOf(microseconds: readonly number[], runs: number): number {
  const perRun = Math.max(1, Math.round(microseconds.length / runs));
  const sums: number[] = [];
  for (let start = perRun; start < microseconds.length; start += perRun) {
    sums.push(microseconds.slice(start, start + perRun).reduce((sum, each) => sum + each, 0));
  }
  sums.sort((a, b) => a - b);
  return (sums[Math.floor(sums.length / 2)] ?? microseconds[0] ?? 0) / 1000;
}

/** The nodes of a profile in Chrome's trace format, by name. */
export function readProfile(text: string): Map<string, NodeTimes> {
  const times = new Map<string, { operator: string; microseconds: number[] }>();
  const events: unknown = JSON.parse(text);
  for (const event of Array.isArray(events) ? events : []) {
    const found = kernelTimeOf(event);
    if (found === undefined) continue;
    const { name, operator, microseconds } = found;
    const node = times.get(name) ?? { operator, microseconds: [] };
    node.microseconds.push(microseconds);
    times.set(name, node);
  }
  return times;
}

const KERNEL_TIME = '_kernel_time';

function kernelTimeOf(event: unknown) {
  if (typeof event !== 'object' || event === null) return undefined;
  if (!('name' in event && 'dur' in event && 'args' in event)) return undefined;
  const { name, dur, args } = event;
  if (typeof name !== 'string' || typeof dur !== 'number' || !name.endsWith(KERNEL_TIME)) return undefined;
  const operator = typeof args === 'object' && args !== null && 'op_name' in args ? args.op_name : '';
  return { name: name.slice(0, -KERNEL_TIME.length), operator: String(operator), microseconds: dur };
}
