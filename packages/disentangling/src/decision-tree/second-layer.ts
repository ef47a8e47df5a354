/** What one node says of every sample that is assigned by similarity. */
export interface NodeRows {
  readonly cosines: Float64Array;
  readonly predictions: Float64Array;
}

const RANKS = 3;

/**
 * The nodes of the second layer, and for every free sample the three whose rationales are most similar to it: enough to
 * know who takes over when two of them are merged. Of equally similar nodes the one that came first counts.
 */
export class SecondLayer {
  readonly #samples: number;
  readonly #rows = new Map<number, NodeRows>();
  /** Of each sample the ids of its nodes by falling similarity, -1 where there are fewer. */
  readonly #ranked: Int32Array;
  readonly #cosines: Float64Array;

  constructor(samples: number, nodes: Iterable<readonly [number, NodeRows]>) {
    this.#samples = samples;
    this.#ranked = new Int32Array(RANKS * samples);
    this.#cosines = new Float64Array(RANKS * samples);
    for (const [id, rows] of nodes) this.#rows.set(id, rows);
    this.#rank();
  }

  get ids(): readonly number[] {
    return [...this.#rows.keys()];
  }

  /** Puts `id` in the place of two nodes, as the last. */
  merge(pair: readonly [number, number], id: number, rows: NodeRows): void {
    for (const old of pair) this.#rows.delete(old);
    this.#rows.set(id, rows);
    this.#rank();
  }

  /** The prediction for sample `n` by the node most similar to it. */
  prediction(n: number): number {
    return this.#rows.get(this.#ranked[RANKS * n]!)!.predictions[n]!;
  }

  /** The prediction for sample `n` if `merged` stood in the place of the pair. */
  predictionAfter(n: number, [a, b]: readonly [number, number], merged: NodeRows): number {
    for (let rank = 0; rank < RANKS; rank++) {
      const id = this.#ranked[RANKS * n + rank]!;
      if (id < 0) break;
      if (id === a || id === b) continue;
      if (merged.cosines[n]! > this.#cosines[RANKS * n + rank]!) break;
      return this.#rows.get(id)!.predictions[n]!;
    }
    return merged.predictions[n]!;
  }

  #rank(): void {
    const ranked = this.#ranked.fill(-1);
    const cosines = this.#cosines.fill(Number.NEGATIVE_INFINITY);
    for (const [id, { cosines: row }] of this.#rows) {
      for (let n = 0; n < this.#samples; n++) {
        const cosine = row[n]!;
        let place = RANKS * n + RANKS;
        while (place > RANKS * n && cosine > cosines[place - 1]!) place--;
        const end = RANKS * n + RANKS;
        if (place === end) continue;
        ranked.copyWithin(place + 1, place, end - 1);
        cosines.copyWithin(place + 1, place, end - 1);
        ranked[place] = id;
        cosines[place] = cosine;
      }
    }
  }
}
