import type { Constant, Node } from '@unitscope/onnx';
import type { StartingSignal } from './objective.js';
import type { Rule } from './rule.js';

/** What a composite may look at to choose a rule for a node. */
export interface NodeView {
  readonly node: Node;
  constant(value: string): Constant | undefined;
  maker(value: string): Node | undefined;
  /** The nodes that read a value, of those the objective needs. */
  consumers(value: string): readonly Node[];
}

/** One line of a composite: the conditions that are given must all hold. */
export interface Assignment {
  /** The operator; the rule's own by default. */
  readonly operator?: string;
  /** Node name, exactly or by pattern. */
  readonly node?: string | RegExp;
  /** Only the matching node nearest the network's input (`first`) or nearest the objective (`last`). */
  readonly position?: 'first' | 'last';
  readonly when?: (view: NodeView) => boolean;
  readonly rule: Rule;
}

/**
 * A method: which rule each node gets. The first assignment that matches wins; a node that none matches gets the
 * gradient rule of its operator.
 */
export interface Composite {
  readonly name: string;
  readonly assignments: readonly Assignment[];
  /** What the backward pass starts with at a class and at a unit; `one` where nothing is said. */
  readonly start?: Readonly<Partial<Record<'class' | 'unit', StartingSignal>>>;
  /** Operators the method is not defined for, with what to do instead. */
  readonly forbidden?: Readonly<Record<string, string>>;
  /** Operators the method's paper does not speak of and that keep their derivative: a result says so. */
  readonly silentOn?: readonly string[];
}

/** The composite with assignments of the user's own in front. */
export function withAssignments(composite: Composite, assignments: readonly Assignment[]): Composite {
  return { ...composite, assignments: [...assignments, ...composite.assignments] };
}

/** The rule of every node of the path; nodes stand in the order of the forward pass. */
export function chooseRules(
  composite: Composite,
  path: readonly Node[],
  view: Omit<NodeView, 'node'>,
  gradientRule: (node: Node) => Rule,
): Map<Node, Rule> {
  const chosen = new Map<Node, Rule>();
  for (const assignment of composite.assignments) {
    const matching = path.filter((node) => matches(assignment, { ...view, node }));
    const candidates =
      assignment.position === 'first'
        ? matching.slice(0, 1)
        : assignment.position === 'last'
          ? matching.slice(-1)
          : matching;
    for (const node of candidates) if (!chosen.has(node)) chosen.set(node, assignment.rule);
  }
  for (const node of path) if (!chosen.has(node)) chosen.set(node, gradientRule(node));
  return chosen;
}

function matches(assignment: Assignment, view: NodeView): boolean {
  const { node } = view;
  if (node.operator !== (assignment.operator ?? assignment.rule.operator)) return false;
  if (node.domain !== (assignment.rule.domain ?? '')) return false;
  if (typeof assignment.node === 'string' && assignment.node !== node.name) return false;
  if (assignment.node instanceof RegExp && !assignment.node.test(node.name)) return false;
  return assignment.when?.(view) ?? true;
}
