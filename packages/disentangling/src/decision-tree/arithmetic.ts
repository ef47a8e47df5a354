/** One node's rationale to be fitted: features `gradient ∘ x_i` of the members against their scores y_i. */
export interface RationaleProblem {
  /** The mean direction of the node, [D]. */
  readonly gradient: Float64Array;
  /** Rows of the samples. */
  readonly members: readonly number[];
  /** The weight of |alpha|_1. */
  readonly lambda: number;
}

export interface Rationale {
  /** How much every filter counts, [D]. */
  readonly alpha: Float64Array;
  readonly b: number;
}

/** The heavy sums of learning a tree, over the samples it was made for. */
export interface TreeArithmetic {
  /**
   * For each problem the minimum over alpha and b of
   * (1/n) sum_i (sum_d alpha_d gradient_d x_id + b - y_i)^2 + lambda |alpha|_1, approached from alpha = 1, the
   * rationale of a leaf.
   */
  fit(problems: readonly RationaleProblem[]): Promise<readonly Rationale[]>;
  /** The products of rows [D] with the features x, and with the gradients g, of every sample, [N] each. */
  products(
    rows: readonly Float64Array[],
  ): Promise<readonly { readonly x: Float64Array; readonly g: Float64Array }[]>;
}
