import { UnitscopeError } from '@unitscope/tensor';
import type { GraphBuilder } from '../builder.js';
import {
  type Attributes,
  attributesFrom,
  type Constant,
  type Dim,
  type ElementType,
  type Node,
  nodeLabel,
  type PlainAttributes,
} from '../graph.js';
import { deriveNode } from '../origin.js';
import type { Shapes } from '../shapes/infer.js';

/** What an upgrade sees of the node it rewrites, and how it adds nodes before it. */
export interface UpgradeContext {
  readonly node: Node;
  /** The version the graph is written in. */
  readonly from: number;
  readonly builder: GraphBuilder;
  /** Whether a node or the graph's outputs read the value. */
  isUsed(value: string | undefined): boolean;
  constant(value: string | undefined): Constant | undefined;
  dims(value: string): readonly Dim[] | undefined;
  type(value: string): ElementType | undefined;
  emit(operator: string, inputs: readonly string[], attributes?: PlainAttributes): string;
  /** An int64 vector. */
  ints(values: readonly number[], what: string): string;
  /** A scalar of the element type of `like`. */
  scalarLike(value: number, like: string, what: string): string;
  /** The node with changes; attributes named in `drop` go, those in `set` are added. */
  changed(changes: NodeChanges): Node;
  unsupported(why: string): UnitscopeError;
}

export interface NodeChanges {
  readonly operator?: string;
  readonly inputs?: readonly string[];
  readonly outputs?: readonly string[];
  readonly drop?: readonly string[];
  readonly set?: PlainAttributes;
}

/** Gives the nodes that replace the context's node, or undefined where the old form is also the new one. */
export type Upgrade = (context: UpgradeContext) => readonly Node[] | undefined;

export function createContext(
  node: Node,
  builder: GraphBuilder,
  from: number,
  shapes: Shapes,
  used: ReadonlySet<string>,
): UpgradeContext {
  const stem = node.name === '' ? (node.outputs[0] ?? node.operator) : node.name;
  const type = (value: string) => {
    try {
      return shapes.type(value);
    } catch (cause) {
      if (cause instanceof UnitscopeError && cause.code === 'unsupported') return undefined;
      throw cause;
    }
  };
  const emit: UpgradeContext['emit'] = (operator, inputs, attributes = {}) =>
    builder.node(operator, inputs, attributes, { name: `${stem}/${operator}` });
  return {
    node,
    from,
    builder,
    isUsed: (value) => value !== undefined && value !== '' && used.has(value),
    constant: (value) => (value === undefined || value === '' ? undefined : shapes.constant(value)),
    dims: (value) => shapes.dims(value),
    type,
    emit,
    ints: (values, what) => builder.ints(values, undefined, `${stem}/${what}`),
    scalarLike: (value, like, what) => {
      const name = `${stem}/${what}`;
      if (type(like) === 'float64') {
        return builder.constant({ type: 'float64', dims: [], data: Float64Array.of(value) }, name);
      }
      const scalar = builder.floats(value, [], name);
      return type(like) === 'float32' ? scalar : emit('CastLike', [scalar, like]);
    },
    changed: ({ operator, inputs, outputs, drop = [], set = {} }) => {
      const attributes: Attributes = new Map([
        ...[...node.attributes].filter(([name]) => !drop.includes(name)),
        ...attributesFrom(set),
      ]);
      return deriveNode(node, {
        attributes,
        ...(operator === undefined ? {} : { operator }),
        ...(inputs === undefined ? {} : { inputs }),
        ...(outputs === undefined ? {} : { outputs }),
      });
    },
    unsupported: (why) =>
      new UnitscopeError(
        'unsupported',
        `${nodeLabel(node)} cannot be brought from operator set ${from} to a later one: ${why}`,
        {
          subject: node.name,
        },
      ),
  };
}
