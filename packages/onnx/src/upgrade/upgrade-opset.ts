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
  upgradeMeanVarianceNormalization,
  upgradeRoiAlign,
  upgradeScan,
  upgradeScatter,
  upgradeSoftmax,
  upgradeWithdrawn,
} from './semantics.js';

const OLDEST = 7;
const TARGET = 18;

/** Every operator whose form or meaning changed between versions 7 and 18; the others only gained types or options. */
const UPGRADES: ReadonlyMap<string, Upgrade> = new Map<string, Upgrade>([
  ['BatchNormalization', upgradeBatchNormalization],
  ['Clip', upgradeClip],
  ['Dropout', upgradeDropout],
  ['Hardmax', upgradeSoftmax],
  ['LogSoftmax', upgradeSoftmax],
  ['MeanVarianceNormalization', upgradeMeanVarianceNormalization],
  ['Pad', upgradePad],
  ['ReduceSum', upgradeAxes(13)],
  ['Resize', upgradeResize],
  ['RoiAlign', upgradeRoiAlign],
  ['Scan', upgradeScan],
  ['Scatter', upgradeScatter],
  ['Slice', upgradeSlice],
  ['Softmax', upgradeSoftmax],
  ['Split', upgradeSplit],
  ['Squeeze', upgradeAxes(13)],
  ['TopK', upgradeTopK],
  ['Unsqueeze', upgradeAxes(13)],
  ['Upsample', upgradeUpsample],
  ...['L1', 'L2', 'LogSum', 'LogSumExp', 'Max', 'Mean', 'Min', 'Prod', 'SumSquare'].map(
    (kind): [string, Upgrade] => [`Reduce${kind}`, upgradeAxes(18)],
  ),
  ...[
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
  ].map((operator): [string, Upgrade] => [operator, upgradeWithdrawn]),
]);

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
      .map(firstChanged)
      .find((operator) => operator !== undefined);
    if (inner !== undefined) throw hasInside(node, from, `the operator ${inner} inside a subgraph`);
    const upgrade = node.domain === '' ? UPGRADES.get(node.operator) : undefined;
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
function firstChanged(graph: GraphProto): string | undefined {
  for (const { opType, domain, attribute } of graph.node) {
    if ((domain === '' || domain === 'ai.onnx') && UPGRADES.has(opType)) return opType;
    for (const { g, graphs } of attribute) {
      for (const inner of g === undefined ? graphs : [g, ...graphs]) {
        const found = firstChanged(inner);
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
