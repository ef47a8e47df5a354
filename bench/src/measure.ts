import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds after which the threads of ONNX Runtime and of torch have stopped spinning. */
export const SPINNING = 30;

/** One thing to time. `run` gives the milliseconds it took. */
export interface Candidate {
  readonly name: string;
  readonly run: () => Promise<number>;
}

export interface Timing {
  readonly name: string;
  readonly median: number;
  readonly min: number;
  readonly rounds: number;
  /** Of every round that counts, in their order. */
  readonly times: readonly number[];
}

/**
 * Times candidates interleaved: every round runs each in turn, so that a slow spell of the machine hits them all. Each
 * run that counts follows one that does not, which brings back what the others have pushed out of the caches (after a
 * pause of seconds, a network's weights take twice as long). The first round warms up and is not counted.
 *
 * @param pause milliseconds before each candidate: thread pools of others spin for a while after a run
 */
export async function measure(
  candidates: readonly Candidate[],
  rounds: number,
  pause: number,
): Promise<Timing[]> {
  const times = new Map<string, number[]>(candidates.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const { name, run } of candidates) {
      if (pause > 0) await sleep(pause);
      await run();
      const elapsed = await run();
      if (round > 0) times.get(name)!.push(elapsed);
    }
  }
  return [...times].map(([name, list]) => ({
    name,
    median: medianOf(list),
    min: Math.min(...list),
    rounds,
    times: list,
  }));
}

/** The median over rounds of one time over the other: what slows a whole round down falls out of it. */
export function pairedRatio(timing: Timing, base: Timing): number {
  return medianOf(timing.times.map((time, round) => time / base.times[round]!));
}

export async function timed(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Milliseconds a call takes that blocks. */
export function timedSync(action: () => unknown): number {
  const start = performance.now();
  action();
  return performance.now() - start;
}
