import type { Dim, GraphBuilder, Node, ShapeRule } from '@unitscope/onnx';

/** The operator domain of unitscope's own kernels inside an ONNX graph. */
export const UNITSCOPE_DOMAIN = 'unitscope';

export interface LoweringContext {
  readonly node: Node;
  readonly builder: GraphBuilder;
  dims(value: string): readonly Dim[];
  emit(operator: string, inputs: readonly string[], attributes?: Parameters<GraphBuilder['node']>[2]): string;
  emitMany(
    operator: string,
    inputs: readonly string[],
    outputCount: number,
    attributes?: Parameters<GraphBuilder['node']>[2],
  ): string[];
}

/** An operator of the domain `unitscope`: what its outputs are, and how standard operators compute the same. */
export interface NativeOperator {
  readonly operator: string;
  /** Element type and dims of the outputs. */
  readonly shape: ShapeRule;
  /**
   * The same in standard operators of set 18; gives the names of the values that replace the node's outputs. Absent for
   * an operator that only the blocked layout asks for.
   */
  readonly lower?: (context: LoweringContext) => readonly string[];
}
