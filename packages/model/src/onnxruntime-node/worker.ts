import { parentPort, workerData } from 'node:worker_threads';
import type { TensorData } from '@unitscope/tensor';
import { env, InferenceSession, Tensor } from 'onnxruntime-node';
import { loadFailure, runFailure } from './failures.js';
import {
  type Answer,
  BUSY,
  type Failure,
  type NamedTensor,
  type Request,
  STOP,
  type WorkerData,
} from './protocol.js';

// The thread in which ONNX Runtime runs: its run() blocks the thread that calls it. Requests are answered one by one,
// in their order.

interface Loaded {
  readonly label: string;
  readonly session: InferenceSession;
  readonly types: ReadonlyMap<string, Tensor.Type>;
}

const port = parentPort!;
const { gate } = workerData as WorkerData;
const sessions = new Map<number, Loaded>();

// Failures arrive as exceptions and are reported by whoever catches them; the log would say them a second time.
env.logLevel = 'fatal';
const FATAL = 4;

let turn: Promise<void> = Promise.resolve();
port.on('message', (request: Request) => {
  turn = turn.then(() => handle(request));
});

async function handle(request: Request): Promise<void> {
  switch (request.kind) {
    case 'load':
      return answer(
        request.id,
        [],
        await guarded(
          () => load(request),
          (cause) => loadFailure(request.label, cause),
        ),
      );
    case 'run':
      return run(request);
    case 'release': {
      const loaded = sessions.get(request.session);
      sessions.delete(request.session);
      const result = await guarded(
        async () => {
          await loaded?.session.release();
          return [];
        },
        (cause) => runFailure(loaded?.label ?? 'the session', cause),
      );
      return answer(request.id, [], result);
    }
    case 'close': {
      Atomics.store(gate, BUSY, 1);
      for (const { session } of sessions.values()) await session.release();
      sessions.clear();
      Atomics.store(gate, BUSY, 0);
      Atomics.notify(gate, BUSY);
      answer(request.id, [], { outputs: [] });
      port.close();
    }
  }
}

async function load(request: Extract<Request, { kind: 'load' }>): Promise<NamedTensor[]> {
  const session = await InferenceSession.create(request.model, {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: request.threads,
    logSeverityLevel: FATAL,
    // The thread pool of every session that has run spins for a while and takes the cores from the next one.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
    ...(request.externalData.length === 0
      ? {}
      : { externalData: request.externalData.map(({ path, data }) => ({ path, data })) }),
  });
  const types = new Map<string, Tensor.Type>();
  for (const input of session.inputMetadata) if (input.isTensor) types.set(input.name, input.type);
  sessions.set(request.session, { label: request.label, session, types });
  return [];
}

async function run(request: Extract<Request, { kind: 'run' }>): Promise<void> {
  const returned = request.feeds.flatMap(({ data }) =>
    data.buffer instanceof ArrayBuffer ? [data.buffer] : [],
  );
  const loaded = sessions.get(request.session);
  if (loaded === undefined) {
    const failure: Failure = {
      code: 'backend',
      message: 'the session has been released; load the graph again',
    };
    return answer(request.id, returned, { failure });
  }
  if (request.abandoned !== undefined && Atomics.load(request.abandoned, 0) === 1) {
    return answer(request.id, returned, { outputs: [] });
  }
  const result = await guarded(
    async () => {
      const feeds: Record<string, Tensor> = {};
      for (const { name, dims, data } of request.feeds) {
        feeds[name] = new Tensor(loaded.types.get(name) ?? 'float32', data as Tensor['data'], dims);
      }
      const results = await loaded.session.run(feeds, request.outputs ?? loaded.session.outputNames);
      return Object.entries(results).map(([name, value]) => {
        const { dims, data } = value as Tensor;
        return { name, dims, data: data as TensorData };
      });
    },
    (cause) => runFailure(loaded.label, cause),
  );
  return answer(request.id, returned, result);
}

type Outcome = { readonly outputs: readonly NamedTensor[] } | { readonly failure: Failure };

/** Calls into ONNX Runtime, with the gate saying so; not at all once the process is about to end. */
async function guarded(
  work: () => Promise<NamedTensor[]>,
  explain: (cause: unknown) => Failure,
): Promise<Outcome> {
  Atomics.store(gate, BUSY, 1);
  try {
    if (Atomics.load(gate, STOP) === 1) {
      return { failure: { code: 'backend', message: 'the engine has been closed' } };
    }
    return { outputs: await work() };
  } catch (cause) {
    return { failure: explain(cause) };
  } finally {
    Atomics.store(gate, BUSY, 0);
    Atomics.notify(gate, BUSY);
  }
}

function answer(id: number, returned: readonly ArrayBuffer[], outcome: Outcome): void {
  const message: Answer = { id, returned, ...outcome };
  const moved = new Set<ArrayBuffer>(returned);
  if ('outputs' in outcome) {
    for (const { data } of outcome.outputs) if (data.buffer instanceof ArrayBuffer) moved.add(data.buffer);
  }
  port.postMessage(message, [...moved]);
}
