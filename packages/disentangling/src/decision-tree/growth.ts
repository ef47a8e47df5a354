import type { TreeArithmetic } from './arithmetic.js';
import type { TreeSamples } from './samples.js';
import { type NodeRows, SecondLayer } from './second-layer.js';
import type { MergeRecord, TreeNode, TreeParameters } from './tree.js';

/** Two nodes of the second layer, what they would become, and what of the change does not depend on other merges. */
interface Candidate {
  readonly pair: readonly [number, number];
  readonly node: Omit<TreeNode, 'id'>;
  readonly rows: NodeRows;
  /** What the node predicts of its members. */
  readonly predictions: Float64Array;
  /** Of members that are not free: the sum of gamma (h' - h), and of exp(gamma h') - exp(gamma h). */
  readonly memberGain: number;
  readonly memberTheta: number;
}

/** What a run needs to go on: everything else follows from the samples. */
export interface GrowthState {
  readonly merged: readonly {
    readonly pair: readonly [number, number];
    readonly alpha: readonly number[];
    readonly b: number;
    readonly gain: number;
  }[];
  /** The pairs that were looked at, in their order. */
  readonly candidates: readonly (readonly [number, number])[];
  readonly refused: readonly string[];
}

/** Candidates made at once, which bounds the memory of their products. */
const PORTION = 256;

/**
 * The second layer as it grows from the leaves by merging pairs (SPEC: decision tree, 4 and 5). It maximises
 *
 *     log E = sum_{i positive} gamma h(x_i) - |positive| log sum_{j all} exp(gamma h(x_j)) - beta |V|
 *
 * with h the prediction of the node of the second layer V that a picture belongs to.
 */
export class Growth {
  readonly #samples: TreeSamples;
  readonly #parameters: TreeParameters;
  readonly #arithmetic: TreeArithmetic;
  readonly #positives: readonly number[];
  /** Samples whose node is the most similar one, and so changes with every merge. */
  readonly #free: readonly number[];
  readonly #candidates = new Map<string, Candidate>();
  readonly #refused = new Set<string>();
  readonly #predictions: Float64Array;
  #layer = new SecondLayer(0, []);
  #theta = 0;
  readonly nodes: TreeNode[] = [];
  readonly merges: MergeRecord[] = [];

  private constructor(samples: TreeSamples, parameters: TreeParameters, arithmetic: TreeArithmetic) {
    this.#samples = samples;
    this.#parameters = parameters;
    this.#arithmetic = arithmetic;
    const rows = samples.positive.map((_, n) => n);
    this.#positives = rows.filter((n) => samples.positive[n]);
    this.#free = parameters.assignment === 'cosine' ? rows : rows.filter((n) => !samples.positive[n]);
    this.#predictions = new Float64Array(samples.positive.length);
  }

  /** The second layer of leaves, one for every positive picture; or where a run stopped. */
  static async begin(
    samples: TreeSamples,
    parameters: TreeParameters,
    arithmetic: TreeArithmetic,
    state?: GrowthState,
  ): Promise<Growth> {
    const growth = new Growth(samples, parameters, arithmetic);
    for (const n of growth.#positives) growth.nodes.push(growth.#leaf(n));
    for (const { pair, alpha, b, gain } of state?.merged ?? []) {
      const id = growth.nodes.length;
      growth.nodes.push({ ...growth.#join(pair, Float64Array.from(alpha), b)!, id });
      growth.merges.push({ node: id, pair, gain });
    }
    for (const key of state?.refused ?? []) growth.#refused.add(key);
    await growth.#raise();
    if (state === undefined) await growth.#addNearest(growth.#layer.ids);
    else await growth.#consider(state.candidates);
    return growth;
  }

  /** The ids of the second layer. */
  get top(): readonly number[] {
    return this.#layer.ids;
  }

  get logE(): number {
    const { gamma, beta } = this.#parameters;
    const sum = this.#positives.reduce((total, n) => total + gamma * this.#predictions[n]!, 0);
    return sum - this.#positives.length * Math.log(this.#theta) - beta * this.top.length;
  }

  /** The rise of log E of every pair that is looked at. */
  gains(): {
    readonly pair: readonly [number, number];
    readonly gain: number;
    readonly node: Omit<TreeNode, 'id'>;
  }[] {
    return [...this.#candidates.values()].map((candidate) => ({
      pair: candidate.pair,
      gain: this.#gainOf(candidate),
      node: candidate.node,
    }));
  }

  /** Merges the best pair; false where no merge raises log E. */
  async step(): Promise<boolean> {
    let best: Candidate | undefined;
    let largest = 0;
    let gain = 0;
    for (const candidate of this.#candidates.values()) {
      const rise = this.#gainOf(candidate);
      const worth = this.#parameters.perPicture ? rise / candidate.node.members.length : rise;
      if (worth > largest) [best, largest, gain] = [candidate, worth, rise];
    }
    if (best === undefined) return false;
    const { pair, node, rows, predictions } = best;
    const id = this.nodes.length;
    this.nodes.push({ ...node, id });
    this.merges.push({ node: id, pair, gain });
    this.#layer.merge(pair, id, rows);
    for (const [key, candidate] of this.#candidates) {
      if (candidate.pair.some((old) => pair.includes(old))) this.#candidates.delete(key);
    }
    if (this.#parameters.assignment === 'membership') {
      for (const [i, n] of node.members.entries()) this.#predictions[n] = predictions[i]!;
    }
    this.#assign();
    const looked = new Set([...this.#candidates.values()].flatMap((candidate) => candidate.pair));
    await this.#addNearest(this.top.filter((other) => !looked.has(other)));
    return true;
  }

  state(): GrowthState {
    return {
      merged: this.merges.map(({ node, pair, gain }) => ({
        pair,
        alpha: [...this.nodes[node]!.alpha],
        b: this.nodes[node]!.b,
        gain,
      })),
      candidates: [...this.#candidates.values()].map(({ pair }) => pair),
      refused: [...this.#refused],
    };
  }

  #leaf(n: number): TreeNode {
    const { filters, g, b } = this.#samples;
    const gradient = g.slice(n * filters, (n + 1) * filters);
    const alpha = new Float64Array(filters).fill(1);
    return { id: this.nodes.length, members: [n], children: [], gradient, alpha, w: gradient, b: b[n]! };
  }

  /** The node of two nodes' pictures; undefined where their gradients cancel, so that there is no mean direction. */
  #join(pair: readonly [number, number], alpha: Float64Array, b: number): Omit<TreeNode, 'id'> | undefined {
    const members = pair.flatMap((id) => this.nodes[id]!.members);
    const gradient = this.#meanDirection(members);
    if (gradient === undefined) return undefined;
    return { members, children: pair, gradient, alpha, w: alpha.map((part, d) => part * gradient[d]!), b };
  }

  /** ḡ: of all directions of length 1 the one with the largest sum of cosines. */
  #meanDirection(members: readonly number[]): Float64Array | undefined {
    const { filters, g } = this.#samples;
    const sum = new Float64Array(filters);
    for (const n of members) for (let d = 0; d < filters; d++) sum[d]! += g[n * filters + d]!;
    const norm = Math.hypot(...sum);
    // Rounding leaves something of gradients that cancel.
    return norm <= 1e-12 * members.length ? undefined : sum.map((value) => value / norm);
  }

  /** Sets the second layer and all predictions up from the nodes. */
  async #raise(): Promise<void> {
    const children = new Set(this.nodes.flatMap((node) => node.children));
    const top = this.nodes.filter(({ id }) => !children.has(id));
    const layer: [number, NodeRows][] = [];
    for (let from = 0; from < top.length; from += PORTION) {
      const portion = top.slice(from, from + PORTION);
      const products = await this.#arithmetic.products(portion.map(({ w }) => w));
      for (const [i, node] of portion.entries()) {
        layer.push([node.id, this.#rowsOf(node, products[i]!)]);
        for (const n of node.members) this.#predictions[n] = products[i]!.x[n]! + node.b;
      }
    }
    this.#layer = new SecondLayer(this.#free.length, layer);
    this.#assign();
  }

  #rowsOf(
    node: Pick<TreeNode, 'w' | 'b'>,
    products: { readonly x: Float64Array; readonly g: Float64Array },
  ): NodeRows {
    const norm = Math.hypot(...node.w);
    return {
      cosines: Float64Array.from(this.#free, (n) => (norm === 0 ? 0 : products.g[n]! / norm)),
      predictions: Float64Array.from(this.#free, (n) => products.x[n]! + node.b),
    };
  }

  #assign(): void {
    for (const [k, n] of this.#free.entries()) this.#predictions[n] = this.#layer.prediction(k);
    this.#theta = 0;
    for (const h of this.#predictions) this.#theta += Math.exp(this.#parameters.gamma * h);
  }

  #gainOf({ pair, rows, memberGain, memberTheta }: Candidate): number {
    const { gamma, beta } = this.#parameters;
    let gain = memberGain;
    let theta = this.#theta + memberTheta;
    for (const [k, n] of this.#free.entries()) {
      const before = this.#predictions[n]!;
      const after = this.#layer.predictionAfter(k, pair, rows);
      if (after === before) continue;
      theta += Math.exp(gamma * after) - Math.exp(gamma * before);
      if (this.#samples.positive[n]) gain += gamma * (after - before);
    }
    return beta + gain - this.#positives.length * (Math.log(theta) - Math.log(this.#theta));
  }

  /** Looks at the pairs of these nodes with those whose mean directions are most similar to theirs. */
  async #addNearest(ids: readonly number[]): Promise<void> {
    const pairs = new Map<string, readonly [number, number]>();
    for (const id of ids) {
      for (const other of this.#nearest(id)) {
        const pair = id < other ? ([id, other] as const) : ([other, id] as const);
        const key = pair.join();
        if (!this.#candidates.has(key) && !this.#refused.has(key)) pairs.set(key, pair);
      }
    }
    await this.#consider([...pairs.values()]);
  }

  #nearest(id: number): readonly number[] {
    const others = this.top.filter((other) => other !== id);
    const { neighbours } = this.#parameters;
    if (neighbours === undefined || others.length <= neighbours) return others;
    const { gradient } = this.nodes[id]!;
    const ranked = others.map((other) => {
      const direction = this.nodes[other]!.gradient;
      let cosine = 0;
      for (let d = 0; d < direction.length; d++) cosine += direction[d]! * gradient[d]!;
      return { other, cosine };
    });
    ranked.sort((a, b) => b.cosine - a.cosine || a.other - b.other);
    return ranked.slice(0, neighbours).map(({ other }) => other);
  }

  async #consider(pairs: readonly (readonly [number, number])[]): Promise<void> {
    const { lambda } = this.#parameters;
    for (let from = 0; from < pairs.length; from += PORTION) {
      const portion: {
        pair: readonly [number, number];
        gradient: Float64Array;
        members: readonly number[];
      }[] = [];
      for (const pair of pairs.slice(from, from + PORTION)) {
        const members = pair.flatMap((id) => this.nodes[id]!.members);
        const gradient = this.#meanDirection(members);
        if (gradient === undefined) this.#refused.add(pair.join());
        else portion.push({ pair, gradient, members });
      }
      const fits = await this.#arithmetic.fit(
        portion.map(({ gradient, members }) => ({
          gradient,
          members,
          lambda: lambda * Math.sqrt(members.length),
        })),
      );
      const nodes = portion.map(({ pair }, i) => {
        const { alpha, b } = this.#parameters.binary ? binaryOf(fits[i]!) : fits[i]!;
        return this.#join(pair, alpha, b)!;
      });
      const products = await this.#arithmetic.products(nodes.map(({ w }) => w));
      for (const [i, { pair }] of portion.entries()) {
        const node = this.#parameters.binary ? this.#refit(nodes[i]!, products[i]!.x) : nodes[i]!;
        this.#candidates.set(pair.join(), this.#candidate(pair, node, products[i]!));
      }
    }
  }

  #candidate(
    pair: readonly [number, number],
    node: Omit<TreeNode, 'id'>,
    products: { readonly x: Float64Array; readonly g: Float64Array },
  ): Candidate {
    const { gamma, assignment } = this.#parameters;
    const predictions = Float64Array.from(node.members, (n) => products.x[n]! + node.b);
    let memberGain = 0;
    let memberTheta = 0;
    if (assignment === 'membership') {
      for (const [i, n] of node.members.entries()) {
        const [before, after] = [this.#predictions[n]!, predictions[i]!];
        memberGain += gamma * (after - before);
        memberTheta += Math.exp(gamma * after) - Math.exp(gamma * before);
      }
    }
    return { pair, node, rows: this.#rowsOf(node, products), predictions, memberGain, memberTheta };
  }

  /** The intercept that is best for a rationale of zeros and ones. */
  #refit(node: Omit<TreeNode, 'id'>, products: Float64Array): Omit<TreeNode, 'id'> {
    const { y } = this.#samples;
    const b = node.members.reduce((sum, n) => sum + y[n]! - products[n]!, 0) / node.members.length;
    return { ...node, b };
  }
}

function binaryOf({ alpha, b }: { readonly alpha: Float64Array; readonly b: number }) {
  return { alpha: alpha.map((part) => (part === 0 ? 0 : 1)), b };
}
