export { emptyGraph, GraphBuilder, type NodeOptions } from './builder.js';
export { type Cut, cutGraph, pruneGraph, renameValues, replaceNodes, tapValues, valueNames } from './edit.js';
export {
  type Attribute,
  type Attributes,
  attributesFrom,
  type Constant,
  type Dim,
  type ElementType,
  floatAttribute,
  type Graph,
  type Initializer,
  intAttribute,
  intsAttribute,
  type Node,
  nodeLabel,
  opsetOf,
  type PlainAttributes,
  stringAttribute,
  tensorAttribute,
  type ValueInfo,
} from './graph.js';
export { type GraphIndex, indexGraph, sortNodes } from './graph-index.js';
export { insertAfter } from './insert.js';
export { metadataOf, withMetadata } from './metadata.js';
export { type ReadOptions, readModel, readModelFile } from './read-model.js';
export { centralDifference } from './reference/central-difference.js';
export { type EvaluateOptions, evaluate } from './reference/evaluate.js';
export type { ReferenceContext, ReferenceOperator } from './reference/operator.js';
export type { ReferenceTensor } from './reference/value.js';
export { ShapeContext, type ShapeRule } from './shapes/context.js';
export {
  convGeometry,
  convTransposeGeometry,
  poolGeometry,
  type TransposedGeometry,
  type WindowGeometry,
} from './shapes/geometry.js';
export { type InferOptions, inferShapes, type Shapes } from './shapes/infer.js';
export { subgraphAttribute } from './subgraph-attribute.js';
export { upgradeOpset } from './upgrade/upgrade-opset.js';
export {
  encodeForRuntime,
  type RuntimeModel,
  type WriteOptions,
  writeModel,
  writeModelFile,
} from './write-model.js';
