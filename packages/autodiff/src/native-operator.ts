import type { Dim, GraphBuilder, Node } from '@unitscope/onnx';

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

/**
 * An operator of the domain `unitscope` and how standard operators of set 18 compute the same. `lower` returns the
 * names of the values that replace the node's outputs.
 */
export interface NativeOperator {
  readonly operator: string;
  readonly lower: (context: LoweringContext) => readonly string[];
}
