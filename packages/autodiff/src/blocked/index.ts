import type { Dim, Graph, Node, Shapes } from '@unitscope/onnx';
import { UnitscopeError } from '@unitscope/tensor';
import { inferWithInputs } from '../canonize.js';
import type { Fusions } from '../fuse.js';
import { UNITSCOPE_DOMAIN } from '../native-operator.js';
import type { PlacedNode } from '../placement.js';
import { writeConcat, writeSlice, writeSplit, writeSplitReluGrad } from './channels.js';
import { writeBatchNormalization, writeConv } from './convolution.js';
import { ELEMENTWISE, writeElementwise, writeReluGrad } from './elementwise.js';
import { writeGlobalPool, writePool, writeRepeat, writeWithBlock } from './pooling.js';
import { writeSum } from './sum.js';
import { writeConvTranspose } from './transposed.js';
import { writeGather, writePad, writeSpatialReduction, writeSpatialSlice } from './view.js';
import { BlockedWriter } from './writer.js';

export interface BlockedOptions {
  /** Channels of a block of ONNX Runtime's blocked layout on the machine the graph is for. */
  readonly block: 8 | 16;
  /** Dims to take for graph inputs instead of those in the file. */
  readonly inputDims?: Readonly<Record<string, readonly Dim[]>> | undefined;
  /** What was inferred of the graph already. */
  readonly shapes?: Shapes;
  /** What its nodes do besides their own work. */
  readonly fusions?: Fusions;
}

/** Writes a node in the blocked layout; false, having written nothing, where it stays in NCHW. */
type BlockedForm = (writer: BlockedWriter, node: Node) => boolean;

const either =
  (...forms: readonly BlockedForm[]): BlockedForm =>
  (writer, node) =>
    forms.some((form) => form(writer, node));

const FORMS: ReadonlyMap<string, BlockedForm> = new Map<string, BlockedForm>([
  ...ELEMENTWISE.map((operator) => [operator, writeElementwise] as const),
  ['Add', either(writeSum, writeElementwise)],
  ['Sum', either(writeSum, writeElementwise)],
  ['Conv', writeConv],
  ['ConvTranspose', writeConvTranspose],
  ['BatchNormalization', writeBatchNormalization],
  ['MaxPool', writePool],
  ['AveragePool', writePool],
  ['GlobalAveragePool', writeGlobalPool],
  ['GlobalMaxPool', writeGlobalPool],
  ['ReduceMean', writeSpatialReduction],
  ['ReduceSum', writeSpatialReduction],
  ['Resize', writeRepeat],
  ['Concat', writeConcat],
  ['Split', writeSplit],
  ['Slice', either(writeSlice, writeSpatialSlice)],
  ['Pad', writePad],
  ['Gather', writeGather],
]);

const NATIVE_FORMS: ReadonlyMap<string, BlockedForm> = new Map([
  ['ReluGrad', writeReluGrad],
  ['MaxPoolGrad', writeWithBlock],
  ['GlobalAveragePoolGrad', writeWithBlock],
  ['SplitReluGrad', writeSplitReluGrad],
]);

/**
 * Brings a graph into ONNX Runtime's blocked layout, in which channels stand in blocks of 8 or 16 so that one vector
 * register holds one pixel of a block: the layout its convolutions are fast in. What has no form there stays in NCHW,
 * between reorders; the graph's inputs and outputs keep their names, dims and order.
 *
 * Every operator with a blocked form reads what is blocked already and stays where its inputs are; only a convolution
 * draws its input in. Bias, sums and activations go into convolutions, strided input gradients become one convolution
 * per phase. The result belongs to the kind of machine whose block it was written for: its weights are blocked, and
 * operators of the domain `com.microsoft.nchwc` are the runtime's own.
 *
 * Throws `wrong-use` for a block other than 8 and 16.
 */
export function blockGraph(
  graph: Graph,
  { block, inputDims, shapes, fusions = new Map() }: BlockedOptions,
): { graph: Graph; placement: readonly PlacedNode[] } {
  if (block !== 8 && block !== 16) {
    throw new UnitscopeError('wrong-use', `a block has 8 or 16 channels, not ${block}`);
  }
  const writer = new BlockedWriter(graph, shapes ?? inferWithInputs(graph, inputDims), block, fusions);
  const forms = hasSubgraphs(graph) ? undefined : FORMS;
  for (const node of graph.nodes) {
    const form =
      node.domain === '' || node.domain === 'ai.onnx'
        ? forms?.get(node.operator)
        : node.domain === UNITSCOPE_DOMAIN
          ? forms && NATIVE_FORMS.get(node.operator)
          : undefined;
    if (form === undefined || !form(writer, node)) writer.keep(node);
  }
  return writer.build();
}

/** Subgraphs read values by name that no input of their node lists: such a graph stays as it is. */
function hasSubgraphs(graph: Graph): boolean {
  return graph.nodes.some((node) =>
    [...node.attributes.values()].some((attribute) => attribute.kind === 'other'),
  );
}
