import type {
  Constant,
  Dim,
  ElementType,
  GraphBuilder,
  Node,
  NodeOptions,
  PlainAttributes,
} from '@unitscope/onnx';

/**
 * What a backward rule sees of the node it differentiates, and how it writes its part of the backward graph.
 * Graphs are upgraded to operator set 18 or later before any rule sees them.
 */
export interface RuleContext {
  readonly node: Node;
  /** Version of ONNX's operator set of the graph, 18 to 21. */
  readonly opset: number;
  /** For plain constants; nodes are added with `emit`, which names them after the node being differentiated. */
  readonly builder: GraphBuilder;
  /** The signal that arrives at an output (dS/doutput for the gradient), or undefined where none flows. */
  signal(output: number): string | undefined;
  /** Whether the signal at this input is wanted. False for an input left out and for what does not depend on `wrt`. */
  needs(input: number): boolean;
  /** Dims of a value; throws `unsupported` where the rank is unknown. The batch axis may be symbolic. */
  dims(value: string): readonly Dim[];
  /** As `dims`, for rules that need every size from `fromAxis` on as a number; throws `unsupported` otherwise. */
  sizes(value: string, fromAxis: number): readonly number[];
  type(value: string): ElementType;
  /** The value, where it is known before the network runs: an initializer, a Constant, arithmetic on shapes. */
  constant(value: string): Constant | undefined;
  /** The node that makes a value; undefined for graph inputs and initializers. */
  maker(value: string): Node | undefined;
  /** As `constant`; throws `unsupported`, naming the node and the input, where it is not known. */
  requireConstant(input: number, what: string): Constant;
  emit(
    operator: string,
    inputs: readonly string[],
    attributes?: PlainAttributes,
    options?: NodeOptions,
  ): string;
  emitMany(
    operator: string,
    inputs: readonly string[],
    outputCount: number,
    attributes?: PlainAttributes,
    options?: NodeOptions,
  ): string[];
  /** Sums `value`, whose dims are those of `like` broadcast with others, down to the dims of `like`. */
  reduceTo(value: string, valueDims: readonly Dim[], like: string): string;
  /** The error for a form of the operator that the rule does not cover. */
  unsupported(why: string): Error;
}

/**
 * How one operator passes the backward signal on: a small value. `backward` returns one value name per input of the
 * node, or undefined where the input gets no signal; it is called only if some output has a signal and some input
 * needs one. A rule never reads more of the forward pass than it must: prefer outputs over inputs, so that
 * ONNX Runtime can still fuse the forward operators.
 */
export interface Rule {
  /** The operator's name in lower case and the variant: `relu.guided`. Shown in plans and recorded in results. */
  readonly name: string;
  readonly operator: string;
  /** '' (ONNX's own) by default. */
  readonly domain?: string;
  readonly backward: (context: RuleContext) => readonly (string | undefined)[];
  /** What a reader of a result must know where the rule was used: a clause about the node's operator. */
  readonly note?: string;
}
