import { openRuntime } from '@unitscope/kernels/runtime';
import { reasonOf, UnitscopeError, unknownName } from '@unitscope/tensor';
import type { Engine } from './engine.js';
import { blockOf, nameOfLowering } from './lowering.js';
import { NativeEngine } from './native/engine.js';
import { onnxRuntimeLibrary } from './native/library.js';
import { OnnxruntimeNodeEngine } from './onnxruntime-node/engine.js';

/** What can be asked for as an engine. */
export const engineNames: readonly string[] = ['auto', 'native', 'onnxruntime-node'];

export interface EngineOptions {
  /** Threads of one run; as many as the machine has by default. */
  readonly threads?: number | undefined;
}

export interface EngineChoice {
  readonly name: string;
  /** Why `auto` did not choose `native`; undefined where it did, and where an engine was asked for by name. */
  readonly reason: string | undefined;
  open(): Engine;
}

/** How an engine stands on this machine. */
export interface EngineStatus {
  readonly name: string;
  readonly available: boolean;
  readonly versions: Readonly<Record<string, string>>;
  /** The lowerings it has, the fastest first. */
  readonly lowerings: readonly string[];
  /** Channels of a block, where it has the lowering `blocked`. */
  readonly block: number | undefined;
  /** Why it cannot be used; empty where it can. */
  readonly reason: string;
}

/**
 * The engine of that name. `auto` is `native` where ONNX Runtime's library can be opened and passes its self-check,
 * else `onnxruntime-node`, with the reason.
 *
 * @param open opens ONNX Runtime; another one only in tests
 *
 * Throws `wrong-use` for a name that is not one of `engineNames`, `backend` for `native` asked for by name where it
 * cannot be used.
 */
export async function chooseEngine(
  name: string,
  options: EngineOptions = {},
  open: typeof openRuntime = openRuntime,
): Promise<EngineChoice> {
  if (!engineNames.includes(name)) throw unknownName('engine', name, engineNames, 'wrong-use');
  const fallback = (reason?: string): EngineChoice => ({
    name: 'onnxruntime-node',
    reason,
    open: () => new OnnxruntimeNodeEngine(),
  });
  if (name === 'onnxruntime-node') return fallback();
  try {
    return await chooseNative(options, open);
  } catch (cause) {
    const reason = lineOf(cause);
    if (name === 'auto') return fallback(reason);
    throw new UnitscopeError(
      'backend',
      `the engine native cannot be used: ${reason}; use onnxruntime-node, or auto to choose what can be`,
      { subject: 'native', alternatives: ['auto', 'onnxruntime-node'], cause },
    );
  }
}

async function chooseNative({ threads }: EngineOptions, open: typeof openRuntime): Promise<EngineChoice> {
  const library = onnxRuntimeLibrary();
  const runtime = await open(threads === undefined ? { library } : { library, threads });
  if (threads !== undefined && threads !== runtime.threads) {
    throw new UnitscopeError(
      'backend',
      `all of a process share its threads, which are ${runtime.threads} since the first network, not ${threads}`,
      { subject: 'threads' },
    );
  }
  return { name: 'native', reason: undefined, open: () => new NativeEngine(runtime) };
}

/**
 * Opens the engine of that name (see `engineNames`), for a caller who gives it to several models and closes it.
 *
 * Throws as `chooseEngine`.
 */
export async function openEngine(name = 'auto', options: EngineOptions = {}): Promise<Engine> {
  return (await chooseEngine(name, options)).open();
}

/** Every engine, and why it cannot be used where it cannot. */
export async function listEngines(options: EngineOptions = {}): Promise<EngineStatus[]> {
  const [, ...names] = engineNames;
  return Promise.all(names.map((name) => statusOf(name, options)));
}

async function statusOf(name: string, options: EngineOptions): Promise<EngineStatus> {
  let engine: Engine;
  try {
    const choice =
      name === 'native' ? await chooseNative(options, openRuntime) : await chooseEngine(name, options);
    engine = choice.open();
  } catch (cause) {
    return { name, available: false, versions: {}, lowerings: [], block: undefined, reason: lineOf(cause) };
  }
  const { versions, lowerings } = engine;
  await engine.close();
  return {
    name,
    available: true,
    versions,
    lowerings: lowerings.map(nameOfLowering),
    block: lowerings.map(blockOf).find((block) => block !== undefined),
    reason: '',
  };
}

function lineOf(cause: unknown): string {
  return reasonOf(cause)
    .replace(/\s*[\r\n]+\s*/g, ' ')
    .trim();
}
