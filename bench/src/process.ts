import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Model } from '@unitscope/model';
import { Random } from '@unitscope/tensor';
import { gradient, guidedBackprop } from '@unitscope/visualization';
import { networks } from './networks/index.js';

export interface MemoryResult {
  readonly bench: 'memory';
  readonly net: string;
  readonly explanations: number;
  /** Resident memory in MB after the first 50 explanations, and its highest and last value afterwards. */
  readonly after50: number;
  readonly highest: number;
  readonly last: number;
}

/** Resident memory over many explanations in one process, gradient and guided backpropagation in turn. */
export async function benchMemory(net: string, explanations: number): Promise<MemoryResult> {
  const model = await Model.load(networks[net]!.build());
  const input = new Random(2).normalTensor([1, 3, 224, 224]);
  let [after50, highest, last] = [0, 0, 0];
  for (let i = 1; i <= explanations; i++) {
    await (i % 2 === 0 ? gradient : guidedBackprop)(model, input);
    last = process.memoryUsage.rss() / 1e6;
    if (i === 50) after50 = last;
    if (i >= 50) highest = Math.max(highest, last);
  }
  await model.close();
  return { bench: 'memory', net, explanations, after50, highest, last };
}

export interface EventLoopResult {
  readonly bench: 'event-loop';
  readonly net: string;
  readonly batch: number;
  /** The longest gap between two turns of the event loop in ms: during the runs, and of an idle process beside it. */
  readonly longest: readonly number[];
  readonly idle: readonly number[];
}

/** How long the main thread is kept from other work while a batch is explained. */
export async function benchEventLoop(net: string, batch: number, rounds: number): Promise<EventLoopResult> {
  const model = await Model.load(networks[net]!.build());
  const input = new Random(2).normalTensor([batch, 3, 224, 224]);
  await gradient(model, input);
  const longest: number[] = [];
  const idle: number[] = [];
  for (let round = 0; round < rounds; round++) {
    longest.push(await longestGap(() => gradient(model, input)));
    idle.push(await longestGap(() => sleep(500)));
  }
  await model.close();
  return { bench: 'event-loop', net, batch, longest, idle };
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
