/** Where a command writes: results to `out`, everything else to `err`. */
export interface Streams {
  readonly out: { write(text: string): unknown };
  readonly err: { write(text: string): unknown };
}

/** What every command is given besides its options. */
export interface Surroundings {
  readonly streams: Streams;
  /** Fires when the user interrupts. */
  readonly signal: AbortSignal;
}
