import { UnitscopeError } from '@unitscope/tensor';
import type { GraphProto } from 'onnx-buf';
import { replaceNodes } from '../edit.js';
import { type Graph, type Node, nodeLabel, opsetOf } from '../graph.js';
import { valuesRead } from '../graph-index.js';
import { functionNames } from '../origin.js';
import { inferShapes } from '../shapes/infer.js';
import { subgraphsOf } from '../subgraphs.js';
import {
  upgradeAxes,
  upgradeClip,
  upgradeDropout,
  upgradePad,
  upgradeSlice,
  upgradeSplit,
  upgradeTopK,
} from './attributes.js';
import { createContext, type Upgrade } from './context.js';
import { upgradeResize, upgradeUpsample } from './resize.js';
import {
  upgradeBatchNormalization,
  upgradeRoiAlign,
  upgradeScan,
  upgradeScatter,
  upgradeSoftmax,
  upgradeWithdrawn,
} from './semantics.js';

const OLDEST = 7;
const TARGET = 18;

const REDUCTIONS = ['L1', 'L2', 'LogSum', 'LogSumExp', 'Max', 'Mean', 'Min', 'Prod', 'SumSquare'].map(
  (kind) => `Reduce${kind}`,
);

/** Experimental operators of the first versions. */
const WITHDRAWN = [
  'ATen',
  'Affine',
  'ConstantFill',
  'Crop',
  'DynamicSlice',
  'GRUUnit',
  'GivenTensorFill',
  'ImageScaler',
  'ParametricSoftplus',
  'Scale',
  'ScaledTanh',
];

/** How a node of a graph of version `from` is brought to the new form; undefined where it is in it. */
function upgradeOf(operator: string, domain: string, from: number): Upgrade | undefined {
  const entry = domain === '' || domain === 'ai.onnx' ? UPGRADES.get(operator) : undefined;
  return entry !== undefined && from < entry.until ? entry.upgrade : undefined;
}

/**
 * Every operator whose form or meaning changed between versions 7 and 18, with the version that ended the old form;
 * the others only gained types or options.
 */
const UPGRADES: ReadonlyMap<string, { readonly until: number; readonly upgrade: Upgrade }> = new Map(
  (
    [
      ['BatchNormalization', 14, upgradeBatchNormalization],
      ['Clip', 11, upgradeClip],
      ['Dropout', 12, upgradeDropout],
      ['Hardmax', 13, upgradeSoftmax],
      ['LogSoftmax', 13, upgradeSoftmax],
      ['MeanVarianceNormalization', 9, upgradeWithdrawn],
      ['Pad', 11, upgradePad],
      ['ReduceSum', 13, upgradeAxes],
      ['Resize', 18, upgradeResize],
      ['RoiAlign', 16, upgradeRoiAlign],
      ['Scan', 9, upgradeScan],
      ['Scatter', 18, upgradeScatter],
      ['Slice', 10, upgradeSlice],
      ['Softmax', 13, upgradeSoftmax],
      ['Split', 18, upgradeSplit],
      ['Squeeze', 13, upgradeAxes],
      ['TopK', 10, upgradeTopK],
      ['Unsqueeze', 13, upgradeAxes],
      ['Upsample', 18, upgradeUpsample],
      ...REDUCTIONS.map((operator) => [operator, 18, upgradeAxes] as const),
      ...WITHDRAWN.map((operator) => [operator, 18, upgradeWithdrawn] as const),
    ] as const
  ).map(([operator, until, upgrade]) => [operator, { until, upgrade }]),
);

/**
 * Rewrites a graph of operator set 7 to 17 so that it is one of set 18 and computes the same. Names of values and nodes
 * stay; what an operator needs in addition comes right before it. Graphs of set 18 and later are given back as they are.
 *
 * Throws `unsupported` below version 7 and, naming the node, for a form that later versions cannot express.
 */
export function upgradeOpset(graph: Graph, target: typeof TARGET = TARGET): Graph {
  const from = opsetOf(graph);
  if (from >= target) return graph;
  if (from < OLDEST) {
    throw new UnitscopeError(
      'unsupported',
      `the model is written in operator set ${from}, and ${OLDEST} is the oldest that can be read; export it again or convert it with onnx.version_converter`,
    );
  }
  const functions = functionNames(graph.rest);
  const shapes = inferShapes(graph);
  const used = new Set(graph.outputs.map((output) => output.name));
  for (const node of graph.nodes) for (const value of valuesRead(node)) used.add(value);
  const rewritten = replaceNodes(graph, (node, builder) => {
    if (functions.has(`${node.domain}::${node.operator}`))
      throw hasInside(node, from, 'a function of the model');
    const inner = subgraphsOf(node)
      .map((subgraph) => firstChanged(subgraph, from))
      .find((operator) => operator !== undefined);
    if (inner !== undefined) throw hasInside(node, from, `the operator ${inner} inside a subgraph`);
    const upgrade = upgradeOf(node.operator, node.domain, from);
    return upgrade?.(createContext(node, builder, from, shapes, used));
  });
  return {
    ...rewritten,
    opsets: new Map([...rewritten.opsets, ['', target]]),
    // The first format version that came with set 18.
    irVersion: Math.max(8, rewritten.irVersion),
  };
}

/** An operator inside a subgraph whose form changed. The reader bounds the depth. */
function firstChanged(graph: GraphProto, from: number): string | undefined {
  for (const { opType, domain, attribute } of graph.node) {
    if (upgradeOf(opType, domain, from) !== undefined) return opType;
    for (const { g, graphs } of attribute) {
      for (const inner of g === undefined ? graphs : [g, ...graphs]) {
        const found = firstChanged(inner, from);
        if (found !== undefined) return found;
      }
    }
  }
  return undefined;
}

function hasInside(node: Node, from: number, what: string): UnitscopeError {
  return new UnitscopeError(
    'unsupported',
    `${nodeLabel(node)} cannot be brought from operator set ${from} to a later one because of ${what}; export the model in set 18 or later`,
    { subject: node.name },
  );
}
