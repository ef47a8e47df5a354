import {
  abortedError,
  lendMemory,
  sizeOf,
  type Tensor,
  type TensorData,
  throwIfAborted,
  UnitscopeError,
  unknownName,
} from '@unitscope/tensor';
import type { AddonRuntime, AddonTensor, RuntimeHandle } from '../addon.js';
import { runFailure } from './failures.js';
import type { RunOptions, RuntimeSession, Tensors } from './types.js';

/** The typed array that holds elements of a type. */
const ARRAYS: Readonly<Record<string, string>> = {
  float32: 'Float32Array',
  float64: 'Float64Array',
  int8: 'Int8Array',
  uint8: 'Uint8Array',
  bool: 'Uint8Array',
  int16: 'Int16Array',
  uint16: 'Uint16Array',
  float16: 'Uint16Array',
  bfloat16: 'Uint16Array',
  int32: 'Int32Array',
  uint32: 'Uint32Array',
  int64: 'BigInt64Array',
  uint64: 'BigUint64Array',
};

export class Session implements RuntimeSession {
  readonly inputs: readonly { readonly name: string; readonly type: string }[];
  readonly outputs: readonly { readonly name: string }[];
  readonly #addon: AddonRuntime;
  readonly #label: string;
  readonly #handle: RuntimeHandle<'session'>;
  readonly #inputNames: readonly string[];
  readonly #outputNames: readonly string[];
  #released: Promise<void> | undefined;

  constructor(
    addon: AddonRuntime,
    label: string,
    loaded: {
      readonly session: RuntimeHandle<'session'>;
      readonly inputs: readonly { readonly name: string; readonly type: string }[];
      readonly outputs: readonly string[];
    },
  ) {
    this.#addon = addon;
    this.#label = label;
    this.#handle = loaded.session;
    this.inputs = loaded.inputs;
    this.outputs = loaded.outputs.map((name) => ({ name }));
    this.#inputNames = loaded.inputs.map(({ name }) => name);
    this.#outputNames = loaded.outputs;
  }

  async run(feeds: Tensors, options: RunOptions = {}): Promise<Record<string, Tensor<TensorData>>> {
    const { outputs: wanted = this.#outputNames, signal } = options;
    const outputs = wanted.map((name) => {
      const index = this.#outputNames.indexOf(name);
      if (index < 0) throw unknownName('output', name, this.#outputNames);
      return index;
    });
    throwIfAborted(signal);
    this.#requireOpen();
    const given = this.#read(feeds);
    if (outputs.length === 0) return {};
    const { run, results } = this.#addon.startRun({ session: this.#handle, feeds: given, outputs });
    const tensors = await this.#settled(results, signal, () => this.#addon.abortRun({ run }));
    for (const { data } of tensors) this.#lend(data.buffer);
    return Object.fromEntries(wanted.map((name, i) => [name, tensors[i]!]));
  }

  lendMemory(bytes: number): ArrayBuffer {
    this.#requireOpen();
    let memory: ArrayBuffer;
    try {
      memory = this.#addon.lendMemory({ session: this.#handle, bytes });
    } catch (cause) {
      throw runFailure(this.#label, cause);
    }
    this.#lend(memory);
    return memory;
  }

  async endProfile(): Promise<string> {
    this.#requireOpen();
    try {
      return await this.#addon.endProfile({ session: this.#handle });
    } catch (cause) {
      throw runFailure(this.#label, cause);
    }
  }

  release(): Promise<void> {
    this.#released ??= this.#addon.releaseSession({ session: this.#handle });
    return this.#released;
  }

  /** From now on `releaseData` gives it back to the pool. */
  #lend(memory: ArrayBufferLike): void {
    if (!(memory instanceof ArrayBuffer)) return;
    lendMemory(memory, (detached) => this.#addon.giveBack({ memory: detached }));
  }

  #requireOpen(): void {
    if (this.#released !== undefined) {
      throw new UnitscopeError('backend', 'the session has been released; load the network again');
    }
  }

  /** The feeds by the indices of their inputs, found to fit as far as can be told without running. */
  #read(feeds: Tensors): (AddonTensor & { readonly input: number })[] {
    for (const name of Object.keys(feeds)) {
      if (!this.#inputNames.includes(name)) throw unknownName('input', name, this.#inputNames, 'bad-input');
    }
    return this.inputs.map(({ name, type }, input) => {
      const tensor = Object.hasOwn(feeds, name) ? feeds[name] : undefined;
      if (tensor === undefined) throw badInput(name, 'is missing');
      const { dims, data } = tensor;
      const array = ARRAYS[type];
      if (array === undefined) throw badInput(name, `is of type ${type}, which cannot be fed`);
      if (data.constructor.name !== array) {
        throw badInput(name, `is of type ${type} and needs a ${array}, not a ${data.constructor.name}`);
      }
      if (sizeOf(dims) !== data.length) {
        throw badInput(name, `has dims [${dims.join(', ')}], which do not fit ${data.length} elements`);
      }
      return { input, dims, data };
    });
  }

  /** The results, or at once the `aborted` error when the signal fires. */
  #settled<T>(results: Promise<T>, signal: AbortSignal | undefined, abort: () => void): Promise<T> {
    return new Promise((accept, refuse) => {
      const onAbort = () => {
        abort();
        refuse(abortedError(signal!));
      };
      const leave = () => signal?.removeEventListener('abort', onAbort);
      signal?.addEventListener('abort', onAbort, { once: true });
      results.then(
        (result) => {
          leave();
          accept(result);
        },
        (cause: unknown) => {
          leave();
          refuse(runFailure(this.#label, cause));
        },
      );
    });
  }
}

function badInput(name: string, problem: string): UnitscopeError {
  return new UnitscopeError('bad-input', `the input "${name}" ${problem}`, { subject: name });
}
