import { type OnnxRuntime, openRuntime, type RuntimeSession } from '@unitscope/kernels/runtime';
import { onnxRuntimeLibrary } from '@unitscope/model';
import { encodeForRuntime, type Graph } from '@unitscope/onnx';
import { Random, type Tensor } from '@unitscope/tensor';
import { Forward } from './forward.js';
import { measure, SPINNING, type Timing, timed } from './measure.js';
import { networks } from './networks/index.js';

async function load(runtime: OnnxRuntime, graph: Graph): Promise<(x: Tensor) => Promise<void>> {
  const { bytes, externalData } = encodeForRuntime(graph);
  const session = await runtime.load(bytes, { externalData });
  const [input] = session.inputs;
  return async (x) => {
    await session.run({ [input!.name]: x });
  };
}

export interface RuntimeTimings {
  readonly bench: 'runtime';
  readonly net: string;
  readonly batch: number;
  readonly threads: number;
  readonly timings: readonly Timing[];
  /** Of minima: a run through the binding to one through onnxruntime-node. */
  readonly toOnnxruntimeNode: number;
  /** Of minima: two models asked for at once to one asked for after the other. */
  readonly atOnceToInTurn: number;
}

/** Runs through the binding beside onnxruntime-node, and two models at once beside one after the other. */
export async function benchRuntime(net: string, batch: number, rounds: number): Promise<RuntimeTimings> {
  const graph = networks[net]!.build();
  const runtime = await openRuntime({ library: onnxRuntimeLibrary() });
  const [first, second] = [await load(runtime, graph), await load(runtime, graph)];
  const peer = await Forward.open(graph, runtime.threads);
  const x = new Random(2).normalTensor([batch, 3, 224, 224]);
  const inTurn = async () => {
    for (let i = 0; i < 4; i++) {
      await first(x);
      await second(x);
    }
  };
  const four = async (run: (x: Tensor) => Promise<void>) => {
    for (let i = 0; i < 4; i++) await run(x);
  };
  const timings = await measure(
    [
      { name: 'binding', run: () => timed(() => first(x)) },
      { name: 'onnxruntime-node', run: () => timed(() => peer.run(x)) },
      { name: 'two models in turn', run: () => timed(inTurn) },
      { name: 'two models at once', run: () => timed(() => Promise.all([four(first), four(second)])) },
    ],
    rounds,
    SPINNING,
  );
  await peer.release();
  const [ours, theirs, turns, once] = timings.map(({ min }) => min);
  return {
    bench: 'runtime',
    net,
    batch,
    threads: runtime.threads,
    timings,
    toOnnxruntimeNode: ours! / theirs!,
    atOnceToInTurn: once! / turns!,
  };
}

export interface RuntimeMemory {
  readonly runs: number;
  readonly cycles: number;
  /** Resident megabytes after each tenth of the runs, then after each tenth of the cycles. */
  readonly duringRuns: readonly number[];
  readonly duringCycles: readonly number[];
}

/** Resident memory over many runs of one session, then over many sessions that are opened, run once and released. */
export async function benchRuntimeMemory(net: string, runs: number, cycles: number): Promise<RuntimeMemory> {
  const { bytes, externalData } = encodeForRuntime(networks[net]!.build());
  const runtime = await openRuntime({ library: onnxRuntimeLibrary() });
  const x = new Random(2).normalTensor([1, 3, 224, 224]);
  const run = (session: RuntimeSession) => session.run({ [session.inputs[0]!.name]: x });
  const session = await runtime.load(bytes, { externalData });
  const duringRuns = await sample(runs, () => run(session));
  await session.release();
  const duringCycles = await sample(cycles, async () => {
    const each = await runtime.load(bytes, { externalData });
    await run(each);
    await each.release();
  });
  return { runs, cycles, duringRuns, duringCycles };
}

async function sample(times: number, action: () => Promise<unknown>): Promise<number[]> {
  const samples: number[] = [];
  for (let i = 1; i <= times; i++) {
    await action();
    if (i % Math.ceil(times / 10) === 0) samples.push(Math.round(process.memoryUsage.rss() / 1e6));
  }
  return samples;
}
