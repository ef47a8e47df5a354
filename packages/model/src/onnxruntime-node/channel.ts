import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { abortedError, type TensorData, throwIfAborted, UnitscopeError } from '@unitscope/tensor';
import { BufferPool } from './buffers.js';
import { type Answer, BUSY, type NamedTensor, type Request, STOP, type WorkerData } from './protocol.js';

const POOL_BYTES = 256 * 2 ** 20;

/** The longest the end of the process waits for a run that is under way. */
const EXIT_WAIT_MS = 60_000;

type WithoutId<R> = R extends Request ? Omit<R, 'id'> : never;

interface Waiting {
  readonly resolve: (outputs: readonly NamedTensor[]) => void;
  readonly reject: (error: UnitscopeError) => void;
}

export interface SendOptions {
  readonly signal?: AbortSignal | undefined;
  readonly transfer?: readonly ArrayBuffer[];
  /** Called once when the signal fires before the answer is there. */
  readonly onAbort?: () => void;
}

/**
 * The worker thread and the requests it has not answered. The process stays alive for the thread's sake only while
 * it owes an answer.
 */
export class Channel {
  readonly #worker: Worker;
  readonly #gate = new Int32Array(new SharedArrayBuffer(8));
  readonly #pool = new BufferPool(POOL_BYTES);
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #nextId = 1;
  #owed = 0;
  #ended: UnitscopeError | undefined;

  constructor() {
    const file = new URL('./worker.js', import.meta.url);
    if (!existsSync(fileURLToPath(file))) {
      throw new UnitscopeError(
        'backend',
        'the worker of onnxruntime-node is not built; run `npm run build`',
        {
          subject: 'onnxruntime-node',
        },
      );
    }
    const workerData: WorkerData = { gate: this.#gate };
    this.#worker = new Worker(file, { workerData, name: 'unitscope onnxruntime-node' });
    this.#worker.unref();
    this.#worker.on('message', (answer: Answer) => this.#settle(answer));
    this.#worker.on('error', (cause) => this.#end(`its thread failed: ${cause.message}`, cause));
    this.#exited = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        process.off('exit', this.#beforeProcessExit);
        this.#end(`its thread ended with code ${code}`);
        resolve();
      });
    });
    process.on('exit', this.#beforeProcessExit);
  }

  /** A copy of the data in a buffer that can be transferred; buffers that come back are used again. */
  copy(data: TensorData): TensorData {
    return this.#pool.copy(data);
  }

  /** Posts a request. Rejects with what the worker reports, or at once with `aborted` when the signal fires. */
  async send(request: WithoutId<Request>, options: SendOptions = {}): Promise<readonly NamedTensor[]> {
    const { signal, onAbort } = options;
    throwIfAborted(signal);
    if (this.#ended !== undefined) throw this.#ended;
    const id = this.#nextId++;
    const answered = new Promise<readonly NamedTensor[]>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
    if (this.#owed++ === 0) this.#worker.ref();
    this.#worker.postMessage({ ...request, id }, [...(options.transfer ?? [])]);
    if (signal === undefined) return answered;
    const abandon = () => {
      onAbort?.();
      this.#waiting.get(id)?.reject(abortedError(signal));
    };
    signal.addEventListener('abort', abandon, { once: true });
    return answered.finally(() => signal.removeEventListener('abort', abandon));
  }

  /** Lets the worker finish what it has begun, skips the rest, and waits for its end. */
  async close(): Promise<void> {
    if (this.#ended === undefined) {
      Atomics.store(this.#gate, STOP, 1);
      await this.send({ kind: 'close' }).catch(() => {});
      this.#worker.ref();
    }
    await this.#exited;
    this.#pool.clear();
  }

  #settle(answer: Answer): void {
    for (const buffer of answer.returned) this.#pool.give(buffer);
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (--this.#owed === 0) this.#worker.unref();
    if ('failure' in answer) {
      waiting?.reject(new UnitscopeError(answer.failure.code, answer.failure.message));
    } else {
      waiting?.resolve(answer.outputs);
    }
  }

  #end(why: string, cause?: unknown): void {
    this.#ended ??= new UnitscopeError('backend', `the engine onnxruntime-node has stopped: ${why}`, {
      subject: 'onnxruntime-node',
      cause,
    });
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }

  /** A thread that is torn down inside ONNX Runtime takes the process with it (SIGABRT), so the exit waits. */
  readonly #beforeProcessExit = (): void => {
    Atomics.store(this.#gate, STOP, 1);
    Atomics.wait(this.#gate, BUSY, 1, EXIT_WAIT_MS);
  };
}
