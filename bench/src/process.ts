import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { type EngineRecord, Model } from '@unitscope/model';
import { Random, releaseData } from '@unitscope/tensor';
import { gradient, guidedBackprop } from '@unitscope/visualization';
import { networks } from './networks/index.js';

export interface ProcessBenchOptions {
  readonly net: string;
  readonly engine: string;
}

export interface MemoryResult {
  readonly bench: 'memory';
  readonly net: string;
  readonly engine: EngineRecord;
  /** What was done again and again: one explanation, or loading a network, explaining and closing it. */
  readonly of: 'explanations' | 'cycles';
  readonly count: number;
  /** Resident memory in MB after the first tenth of them, and its highest and last value afterwards. */
  readonly settled: number;
  readonly highest: number;
  readonly last: number;
}

/**
 * Resident memory over many explanations in one process, gradient and guided backpropagation in turn; or, of `cycles`,
 * over networks that are loaded, explained once and closed.
 */
export async function benchMemory(
  { net, engine }: ProcessBenchOptions,
  of: MemoryResult['of'],
  count: number,
): Promise<MemoryResult> {
  const graph = networks[net]!.build();
  const input = new Random(2).normalTensor([1, 3, 224, 224]);
  const explainOnce = (model: Model, i: number) => (i % 2 === 0 ? gradient : guidedBackprop)(model, input);
  const model = await Model.load(graph, { engine });
  const cycle = async (i: number) => {
    const mine = await Model.load(graph, { engine });
    await explainOnce(mine, i);
    await mine.close();
  };
  const settledAt = Math.ceil(count / 10);
  let [settled, highest, last] = [0, 0, 0];
  for (let i = 1; i <= count; i++) {
    await (of === 'cycles' ? cycle(i) : explainOnce(model, i));
    last = process.memoryUsage.rss() / 1e6;
    if (i === settledAt) settled = last;
    if (i >= settledAt) highest = Math.max(highest, last);
  }
  await model.close();
  return { bench: 'memory', net, engine: model.engine, of, count, settled, highest, last };
}

export interface EventLoopResult {
  readonly bench: 'event-loop';
  readonly net: string;
  readonly engine: EngineRecord;
  readonly batch: number;
  readonly explanations: number;
  readonly release: boolean;
  /** The longest gap between two turns of the event loop in ms: during the runs, and of an idle process beside it. */
  readonly longest: readonly number[];
  readonly idle: readonly number[];
}

export interface EventLoopOptions extends ProcessBenchOptions {
  /** Pictures of one explanation. */
  readonly batch: number;
  /** Explanations in a round. */
  readonly explanations: number;
  readonly rounds: number;
  /** Give the memory of every explanation back before the next, so that the collector has nothing to do. */
  readonly release: boolean;
}

/** How long the main thread is kept from other work while a batch is explained some times. */
export async function benchEventLoop({
  net,
  engine,
  batch,
  explanations,
  rounds,
  release,
}: EventLoopOptions): Promise<EventLoopResult> {
  const model = await Model.load(networks[net]!.build(), { engine });
  const input = new Random(2).normalTensor([batch, 3, 224, 224]);
  await gradient(model, input);
  const longest: number[] = [];
  const idle: number[] = [];
  for (let round = 0; round < rounds; round++) {
    longest.push(
      await longestGap(async () => {
        for (let i = 0; i < explanations; i++) {
          const { map, logits } = await gradient(model, input);
          if (!release) continue;
          releaseData(map.data);
          if (logits !== undefined) releaseData(logits.data);
        }
      }),
    );
    idle.push(await longestGap(() => sleep(500)));
  }
  await model.close();
  return { bench: 'event-loop', net, engine: model.engine, batch, explanations, release, longest, idle };
}

async function longestGap(action: () => Promise<unknown>): Promise<number> {
  const resolution = 1;
  const delay = monitorEventLoopDelay({ resolution });
  await sleep(20);
  delay.enable();
  await action();
  delay.disable();
  return delay.max / 1e6 - resolution;
}
